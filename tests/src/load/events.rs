//! Server-sent events out of bytes that come in any pieces.

use serde_json::Value;

/// More than any event here has; a stream that never ends an event is no stream of ours.
const MAX_EVENT_BYTES: usize = 256 * 1024;

/// One event; comments are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: Option<String>,
    pub(super) data: String,
}

/// Bytes in, events out.
#[derive(Debug, Default)]
pub(super) struct Parser {
    buffer: Vec<u8>,
}

impl Event {
    /// The JSON-RPC message; `None` for the event with which a stream begins, which has no data.
    pub(super) fn message(&self) -> Option<Value> {
        serde_json::from_str(&self.data).ok()
    }
}

impl Parser {
    /// The events that are complete with these bytes. `None` when one is larger than any may be.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<Vec<Event>> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            events.extend(event(&String::from_utf8_lossy(&block)));
        }
        (self.buffer.len() <= MAX_EVENT_BYTES).then_some(events)
    }
}

fn event(block: &str) -> Option<Event> {
    let (mut event, mut is_comment) = (Event::default(), true);
    for line in block.lines() {
        match line.split_once(": ").unwrap_or((line.trim_end_matches(':'), "")) {
            ("id", id) => event.id = Some(id.to_owned()),
            ("data", data) => event.data.push_str(data),
            _ => continue,
        }
        is_comment = false;
    }
    (!is_comment).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let bytes = b": keep-alive\n\nid: a-1\nretry: 500\ndata: \n\nid: a-2\ndata: {\"a\":1}\n\n";
        let mut parser = Parser::default();
        let events: Vec<Event> = bytes.chunks(3).flat_map(|chunk| parser.feed(chunk).unwrap()).collect();
        let event = |id: &str, data: &str| Event { id: Some(id.to_owned()), data: data.to_owned() };
        assert_eq!(events, [event("a-1", ""), event("a-2", r#"{"a":1}"#)]);
        assert_eq!(events[0].message(), None);
        assert_eq!(events[1].message().unwrap()["a"], 1);
    }

    #[test]
    fn an_event_without_an_end_is_given_up() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(&vec![b'x'; MAX_EVENT_BYTES]), Some(Vec::new()));
        assert_eq!(parser.feed(b"x"), None);
    }
}
