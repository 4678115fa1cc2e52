//! An entry of a stream's log, as it is sealed: who wrote it, to which request the stream answers, and an event or the end.

use bytes::Bytes;

use crate::mcp::envelope::MAX_ID_BYTES;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogEntry {
    /// The replica that wrote it.
    pub(super) writer: u64,
    /// The id of the request that the stream answers, as JSON; empty for the standalone stream, and for one that is too long.
    pub(super) request: Box<str>,
    pub(super) what: What,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// An event, as it goes to the client.
    Event(Bytes),
    /// Nothing more comes.
    End,
    /// From here on another replica writes.
    Taken,
}

/// The id as far as it is remembered.
pub(super) fn remembered(request: &str) -> Box<str> {
    if request.len() <= MAX_ID_BYTES { request.into() } else { Box::default() }
}

impl LogEntry {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let Self { writer, request, what } = self;
        let (kind, event): (u8, &[u8]) = match what {
            What::Event(event) => (0, event),
            What::End => (1, &[]),
            What::Taken => (2, &[]),
        };
        let length = u16::try_from(request.len()).unwrap_or_default();
        let request = &request.as_bytes()[..length.into()];
        [&writer.to_be_bytes()[..], &[kind], &length.to_be_bytes(), request, event].concat()
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (writer, rest) = bytes.split_first_chunk::<8>()?;
        let (kind, rest) = rest.split_first()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (request, event) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let what = match kind {
            0 => What::Event(Bytes::copy_from_slice(event)),
            1 => What::End,
            2 => What::Taken,
            _ => return None,
        };
        let request = std::str::from_utf8(request).ok()?.into();
        Some(Self { writer: u64::from_be_bytes(*writer), request, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for what in [What::Event(Bytes::from_static(b"data: {}\n\n")), What::End, What::Taken] {
            let entry = LogEntry { writer: 7, request: "\"a-1\"".into(), what };
            assert_eq!(LogEntry::read(&entry.to_bytes()), Some(entry));
        }
        assert_eq!(LogEntry::read(b""), None);
        assert_eq!(LogEntry::read(&[0, 0, 0, 0, 0, 0, 0, 7, 3, 0, 0]), None, "a kind of another build");
        assert_eq!(LogEntry::read(&[0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 9, 1]), None, "shorter than it says");
    }

    #[test]
    fn an_id_that_no_request_can_have_is_not_remembered() {
        assert_eq!(&*remembered("1"), "1");
        assert_eq!(&*remembered(&"x".repeat(MAX_ID_BYTES + 1)), "");
    }
}
