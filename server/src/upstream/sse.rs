//! Server-sent events, piece by piece: bytes in, events out.
//!
//! Lines end with LF, CR or CRLF; a mark of the byte order is dropped; comments and unknown fields are ignored. What is
//! not complete when the stream ends is no event. Never holds more than its bound.
//!
//! Source: WHATWG HTML, 9.2.6, "Interpreting an event stream".

use std::{mem, time::Duration};

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// `event`: empty where the stream does not say, which means `message`.
    pub(super) kind: String,
    /// All `data` lines, with line feeds between them.
    pub(super) data: String,
}

/// Why a stream cannot be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SseError {
    /// One line or event has more bytes than the bound.
    TooLarge,
    /// A line is no UTF-8.
    Encoding,
}

/// Reads one stream.
#[derive(Debug)]
pub(super) struct Parser {
    /// The line so far, without its end.
    line: Vec<u8>,
    /// The last byte was a CR: an LF that follows belongs to it.
    after_cr: bool,
    /// No line has ended so far.
    is_first_line: bool,
    /// The event so far; `None` for its data where no `data` line was there.
    kind: String,
    data: Option<String>,
    last_id: Option<String>,
    retry: Option<Duration>,
    /// Bytes that a line and the event before it may have together.
    max_bytes: usize,
}

impl Parser {
    /// For a stream whose events have at most `max_bytes`.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            line: Vec::new(),
            after_cr: false,
            is_first_line: true,
            kind: String::new(),
            data: None,
            last_id: None,
            retry: None,
            max_bytes,
        }
    }

    /// The `id` that counts for the events so far. Empty: none.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// How long to wait before coming back, if the stream has said so.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// The events that end within `bytes`, which follow what was pushed before.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<Event>, SseError> {
        let mut events = Vec::new();
        while let Some(&first) = bytes.first() {
            if mem::take(&mut self.after_cr) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            self.extend_line(&bytes[..end.unwrap_or(bytes.len())])?;
            let Some(end) = end else { break };
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            events.extend(self.end_line()?);
        }
        Ok(events)
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), SseError> {
        let held = self.line.len() + self.kind.len() + self.data.as_ref().map_or(0, String::len);
        if held + bytes.len() > self.max_bytes {
            return Err(SseError::TooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Event>, SseError> {
        let line = String::from_utf8(mem::take(&mut self.line)).map_err(|_| SseError::Encoding)?;
        let line =
            if mem::take(&mut self.is_first_line) { line.strip_prefix('\u{feff}').unwrap_or(&line) } else { &line };
        if line.is_empty() {
            let kind = mem::take(&mut self.kind);
            return Ok(self.data.take().map(|data| Event { kind, data }));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "event" => value.clone_into(&mut self.kind),
            "id" if !value.contains('\0') => self.last_id = Some(value.to_owned()),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok().map(Duration::from_millis);
            }
            // A comment, or a field that nobody knows.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
