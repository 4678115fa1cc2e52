//! Server-sent events as they come: each one checked against the schema of its revision, each wait with a deadline.

use std::collections::VecDeque;

use reqwest::Response;
use serde_json::Value;

use super::message::{LEGACY, MODERN};
use super::patience::within;
use super::schema;

/// An event, or a comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) retry: Option<u64>,
    /// `None` for a comment.
    pub(crate) data: Option<String>,
}

/// What may come on a stream.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) revision: &'static str,
    /// The requests that may be answered there.
    pub(crate) answers: Vec<Value>,
}

/// Bytes to events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    buffer: Vec<u8>,
    events: VecDeque<Event>,
}

/// An answer that is read while it comes. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct EventStream {
    response: Response,
    parser: Parser,
    expected: Expected,
    last_id: Option<String>,
}

impl Event {
    pub(crate) fn is_comment(&self) -> bool {
        self.data.is_none()
    }

    /// The JSON-RPC message; `None` for comments and for the event with which a stream begins.
    pub(crate) fn message(&self) -> Option<Value> {
        let data = self.data.as_deref().filter(|data| !data.is_empty())?;
        Some(serde_json::from_str(data).unwrap_or_else(|problem| panic!("{problem} in `{data}`")))
    }

    /// Panics unless a server of this revision may send it.
    pub(crate) fn assert_wire(&self, expected: &Expected) {
        let revision = expected.revision;
        match revision {
            MODERN => assert_eq!((&self.id, self.retry), (&None, None), "the modern era resumes no streams"),
            LEGACY => {}
            _ => assert!(self.retry.is_none() && self.data.as_deref() != Some(""), "{revision} has no priming events"),
        }
        if revision != MODERN && !self.is_comment() {
            assert!(self.id.is_some(), "an event without an id: {self:?}");
        }
        let Some(message) = self.message() else { return };
        match (message.get("method").is_some(), message.get("id")) {
            (true, None) => schema::assert_notification(revision, &message),
            (true, Some(_)) => schema::assert_server_request(revision, &message),
            (false, id) => {
                let answered = expected.answers.iter().find(|request| request.get("id") == id);
                let request = answered.unwrap_or_else(|| panic!("nobody here asked for {message}"));
                schema::assert_response(revision, request["method"].as_str().unwrap(), &message);
            }
        }
    }
}

impl Parser {
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            self.events.push_back(event(std::str::from_utf8(&block).unwrap()));
        }
    }

    pub(crate) fn next(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

/// One line of data an event: what clients that read line by line rely on.
fn event(block: &str) -> Event {
    let mut event = Event::default();
    for line in block.trim_end_matches('\n').split('\n') {
        match line.split_once(": ").unwrap_or((line.trim_end_matches(':'), "")) {
            ("id", id) => event.id = Some(id.to_owned()),
            ("retry", retry) => event.retry = Some(retry.parse().unwrap()),
            ("data", data) => assert!(event.data.replace(data.to_owned()).is_none(), "two lines of data: {block}"),
            ("", _comment) => {}
            (other, _) => panic!("a field `{other}`: {block}"),
        }
    }
    event
}

impl EventStream {
    /// The body of `response`.
    pub(crate) fn of(response: Response, expected: Expected) -> Self {
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(response.status(), 200, "{response:?}");
        assert_eq!(header("content-type").as_deref(), Some("text/event-stream"));
        assert_eq!(header("x-accel-buffering").as_deref(), Some("no"), "proxies must not gather events");
        Self { response, parser: Parser::default(), expected, last_id: None }
    }

    /// The next event or comment; `None` at the orderly end. Panics when the stream breaks off.
    pub(crate) async fn next_or_comment(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.parser.next() {
                event.assert_wire(&self.expected);
                if event.id.is_some() {
                    self.last_id.clone_from(&event.id);
                }
                return Some(event);
            }
            let chunk = within("an event, or the end of the stream", self.response.chunk()).await;
            match chunk.expect("a stream that does not break off") {
                Some(bytes) => self.parser.feed(&bytes),
                None => return None,
            }
        }
    }

    /// The next event; `None` at the end. Comments do not make the wait longer.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let event = async {
            loop {
                let event = self.next_or_comment().await?;
                if !event.is_comment() {
                    return Some(event);
                }
            }
        };
        within("an event, or the end of the stream, beside comments", event).await
    }

    /// The next JSON-RPC message.
    pub(crate) async fn message(&mut self) -> Value {
        loop {
            let event = self.next().await.expect("a message before the end of the stream");
            if let Some(message) = event.message() {
                return message;
            }
        }
    }

    /// The method of the next message, which is a notification or a request.
    pub(crate) async fn method(&mut self) -> String {
        let message = self.message().await;
        message["method"].as_str().unwrap_or_else(|| panic!("no method in {message}")).to_owned()
    }

    /// All messages until the end.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        while let Some(event) = self.next().await {
            messages.extend(event.message());
        }
        messages
    }

    /// The id of the newest event that came.
    pub(crate) fn last_id(&self) -> String {
        self.last_id.clone().expect("an event with an id has come")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let bytes = b": keep-alive\n\nid: a-1\nretry: 500\ndata: \n\nid: a-2\ndata: {\"a\":1}\n\n";
        let mut parser = Parser::default();
        bytes.chunks(3).for_each(|chunk| parser.feed(chunk));
        let events: Vec<Event> = std::iter::from_fn(|| parser.next()).collect();
        let priming = Event { id: Some("a-1".into()), retry: Some(500), data: Some(String::new()) };
        assert!(events[0].is_comment());
        assert_eq!(events[1], priming);
        assert_eq!(events[2].message().unwrap()["a"], 1);
    }
}
