//! An answer, read message by message: JSON or an event stream, in bounded memory.

use std::{collections::VecDeque, mem, time::Duration};

use http::{HeaderMap, StatusCode};
use reqwest::Response;

use super::{
    document::document,
    failure::Failure,
    headers::media_type,
    inbox::Inbox,
    limits::{MAX_MESSAGES, MAX_SMALL_BYTES},
    message::{Message, Reply, RpcError, messages},
    sse,
    transport::Transport,
};
use crate::net::read_bounded;

/// What came back for a POST or GET.
pub(super) enum Opened {
    /// 2xx with JSON or a stream.
    Messages(Box<Messages>),
    /// Another status, and the JSON-RPC error in its body if there is one.
    Refused(StatusCode, Option<RpcError>),
}

/// The messages of one answer.
pub(super) struct Messages {
    response: Response,
    transport: Transport,
    framing: Framing,
    is_ended: bool,
    left: Budget,
    /// Read, but not asked for so far.
    ready: VecDeque<Message>,
}

enum Framing {
    Json(Vec<u8>),
    Events(sse::Parser),
}

/// What may still come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    bytes: usize,
    messages: usize,
}

/// How the reading of an answer ended.
pub(super) enum Ended {
    /// With the answer.
    Answered(Reply),
    /// Without it.
    Unanswered(Option<Position>),
}

/// Where to go on in a stream that has ended.
pub(super) struct Position {
    pub(super) last_event_id: String,
    /// After how long, if the stream has said so.
    pub(super) retry: Option<Duration>,
}

impl Budget {
    /// For an answer of at most `bytes`.
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes, messages: MAX_MESSAGES }
    }

    fn take_bytes(&mut self, count: usize) -> Result<(), Failure> {
        self.bytes = self.bytes.checked_sub(count).ok_or(Failure::TooLarge)?;
        Ok(())
    }

    fn take_messages(&mut self, count: usize) -> Result<(), Failure> {
        self.messages = self.messages.checked_sub(count).ok_or(Failure::TooLarge)?;
        Ok(())
    }
}

impl Opened {
    /// Reads the head of `response`, whose messages may take what is `left`.
    pub(super) async fn from(response: Response, transport: &Transport, left: Budget) -> Result<Self, Failure> {
        let status = response.status();
        if !status.is_success() {
            return Ok(Self::Refused(status, error_of(response).await));
        }
        let framing = match media_type(response.headers()).as_str() {
            "application/json" => Framing::Json(Vec::new()),
            "text/event-stream" => Framing::Events(sse::Parser::new(left.bytes)),
            _ => return Err(Failure::Malformed),
        };
        if response.content_length().is_some_and(|length| length > left.bytes as u64) {
            return Err(Failure::TooLarge);
        }
        Ok(Self::Messages(Box::new(Messages {
            response,
            transport: transport.clone(),
            framing,
            is_ended: false,
            left,
            ready: VecDeque::new(),
        })))
    }
}

/// The JSON-RPC error in the body of a refusal.
async fn error_of(response: Response) -> Option<RpcError> {
    let body = read_bounded(response, MAX_SMALL_BYTES).await.ok()?;
    let found = messages(&document(body)?).ok()?;
    found.into_iter().find_map(|message| match message {
        Message::Answer { reply: Err(error), .. } => Some(error),
        _ => None,
    })
}

impl Messages {
    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    pub(super) fn left(&self) -> Budget {
        self.left
    }

    pub(super) fn is_stream(&self) -> bool {
        matches!(self.framing, Framing::Events(_))
    }

    /// What is left of it, where something may be: the rest of a stream.
    pub(super) fn rest(self) -> Option<Response> {
        (self.is_stream() && !self.is_ended).then_some(self.response)
    }

    /// The next message; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, Failure> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            if self.is_ended {
                return Ok(None);
            }
            match self.response.chunk().await.map_err(|problem| self.transport.broken(problem))? {
                Some(chunk) => self.take(&chunk)?,
                None => self.end()?,
            }
        }
    }

    /// Reads up to the answer to the request `id`; whatever else comes goes to `inbox`. Answers to others are dropped.
    pub(super) async fn answer(&mut self, id: u64, inbox: &mut Inbox<'_>) -> Result<Ended, Failure> {
        let id = id.to_string();
        while let Some(message) = self.next().await? {
            match message {
                // Without an id it can only be about our request: nothing else was asked here.
                Message::Answer { id: None, reply: Err(error) } => return Ok(Ended::Answered(Err(error))),
                Message::Answer { id: Some(found), reply } if found.get() == id => return Ok(Ended::Answered(reply)),
                Message::Answer { .. } => {}
                other => inbox.take(other),
            }
        }
        Ok(Ended::Unanswered(self.position()))
    }

    fn position(&self) -> Option<Position> {
        let Framing::Events(parser) = &self.framing else { return None };
        let last_event_id = parser.last_id().filter(|id| !id.is_empty())?.to_owned();
        Some(Position { last_event_id, retry: parser.retry() })
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        self.left.take_bytes(chunk.len())?;
        match &mut self.framing {
            Framing::Json(body) => body.extend_from_slice(chunk),
            Framing::Events(parser) => {
                let events = parser.push(chunk).map_err(|problem| match problem {
                    sse::SseError::TooLarge => Failure::TooLarge,
                    sse::SseError::Encoding => Failure::Malformed,
                })?;
                events.into_iter().try_for_each(|event| self.event(event))?;
            }
        }
        Ok(())
    }

    fn event(&mut self, event: sse::Event) -> Result<(), Failure> {
        // An event without data only marks a position; one of another kind is not ours.
        if event.data.is_empty() || !(event.kind.is_empty() || event.kind == "message") {
            return self.left.take_messages(1);
        }
        self.document(event.data.into_bytes())
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.is_ended = true;
        match &mut self.framing {
            Framing::Json(body) => {
                let body = mem::take(body);
                self.document(body)
            }
            Framing::Events(_) => Ok(()),
        }
    }

    fn document(&mut self, bytes: Vec<u8>) -> Result<(), Failure> {
        let text = document(bytes).ok_or(Failure::Malformed)?;
        let found = messages(&text).map_err(|_| Failure::Malformed)?;
        self.left.take_messages(found.len().max(1))?;
        self.ready.extend(found);
        Ok(())
    }
}
