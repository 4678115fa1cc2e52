//! Server-sent events as bytes. One message is one `data` line, which JSON allows: it never needs a raw line feed.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Says that the stream is alive, and is read by nobody.
pub(super) const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// An event with this message, and an id where streams can be resumed.
pub(super) fn event(id: Option<&str>, message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(message.len() + 64);
    put_id(&mut bytes, id);
    bytes.put_slice(b"data: ");
    // A definition or a result that an upstream wrote on several lines.
    if message.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.extend(message.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    } else {
        bytes.put_slice(message);
    }
    bytes.put_slice(b"\n\n");
    bytes.freeze()
}

/// The first event of a stream that can be resumed before its first message: an id, no data, and how long to wait.
/// Source: MCP 2025-11-25, basic/transports, "Sending Messages to the Server".
pub(super) fn priming(id: &str, retry_milliseconds: u64) -> Bytes {
    Bytes::from(format!("id: {id}\nretry: {retry_milliseconds}\ndata: \n\n"))
}

fn put_id(bytes: &mut BytesMut, id: Option<&str>) {
    if let Some(id) = id {
        bytes.put_slice(b"id: ");
        bytes.put_slice(id.as_bytes());
        bytes.put_slice(b"\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(event(None, b"{\"a\":1}"), "data: {\"a\":1}\n\n");
        assert_eq!(event(Some("s-1"), b"{\n\"a\":\r\n1}"), "id: s-1\ndata: { \"a\":  1}\n\n");
        assert_eq!(priming("s-0", 5), "id: s-0\nretry: 5\ndata: \n\n");
    }
}
