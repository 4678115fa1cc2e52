//! What a Redis may send us: a filter on the bytes that it answers with.
//!
//! The library reads a reply whole, whatever its size. Here a string that is larger than any value of ours becomes "nothing"
//! before it is held, and what is no reply ends the connection. It knows the framing of RESP and nothing else.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::store::MAX_VALUE_BYTES;

/// The longest line: an error, a number, the length of something. Chosen: several times what Redis says at most.
const MAX_LINE_BYTES: usize = 4096;

/// The most members of an array or a map. Chosen: several times what the largest reply to us has.
const MAX_MEMBERS: i64 = 1024;

/// How much is taken from the connection at a time.
const CHUNK_BYTES: usize = 16 * 1024;

/// A connection whose replies are bounded.
pub(super) struct ReplyBounds<S> {
    connection: S,
    filter: Filter,
    /// Filtered, and not handed out yet.
    ready: BytesMut,
}

impl<S> ReplyBounds<S> {
    pub(super) fn new(connection: S) -> Self {
        Self { connection, filter: Filter::default(), ready: BytesMut::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReplyBounds<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.ready.is_empty() {
            let mut chunk = [0; CHUNK_BYTES];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.connection).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.filter.pass(chunk.filled(), &mut this.ready)?;
        }
        let length = this.ready.len().min(buffer.remaining());
        buffer.put_slice(&this.ready[..length]);
        this.ready.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReplyBounds<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}

/// Where in the replies we are.
#[derive(Default)]
struct Filter {
    /// Of a line that has not ended.
    line: Vec<u8>,
    /// Bytes of a string, with its line break, that are still to come.
    payload: usize,
    /// Whether they are left out.
    is_left_out: bool,
}

impl Filter {
    /// Appends to `out` what of `bytes` may pass.
    fn pass(&mut self, mut bytes: &[u8], out: &mut BytesMut) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let (payload, rest) = bytes.split_at(self.payload.min(bytes.len()));
                if !self.is_left_out {
                    out.extend_from_slice(payload);
                }
                self.payload -= payload.len();
                bytes = rest;
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
            let (part, rest) = bytes.split_at(end);
            self.line.extend_from_slice(part);
            bytes = rest;
            if self.line.len() > MAX_LINE_BYTES {
                return Err(no_reply());
            }
            if self.line.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.end_line(&line, out)?;
            }
        }
        Ok(())
    }

    fn end_line(&mut self, line: &[u8], out: &mut BytesMut) -> io::Result<()> {
        let number = || std::str::from_utf8(&line[1..]).ok().and_then(|text| text.trim_end().parse::<i64>().ok());
        match line[0] {
            b'$' | b'=' | b'!' => {
                let length = number().ok_or_else(no_reply)?;
                // Less than nothing is how "nothing" is written.
                let Ok(length) = usize::try_from(length) else {
                    out.extend_from_slice(line);
                    return Ok(());
                };
                self.is_left_out = length > MAX_VALUE_BYTES;
                self.payload = length.checked_add(2).ok_or_else(no_reply)?;
                out.extend_from_slice(if self.is_left_out { b"$-1\r\n" } else { line });
            }
            b'*' | b'%' | b'~' | b'>' | b'|' => {
                if number().is_none_or(|members| members > MAX_MEMBERS) {
                    return Err(no_reply());
                }
                out.extend_from_slice(line);
            }
            _ => out.extend_from_slice(line),
        }
        Ok(())
    }
}

/// Not of the kind that TLS has, which would be taken for a wrong certificate.
fn no_reply() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of `bytes` that come `at_a_time`.
    fn passed(bytes: &[u8], at_a_time: usize) -> io::Result<Vec<u8>> {
        let (mut filter, mut out) = (Filter::default(), BytesMut::new());
        for chunk in bytes.chunks(at_a_time) {
            filter.pass(chunk, &mut out)?;
        }
        Ok(out.to_vec())
    }

    #[test]
    fn what_is_small_passes_as_it_is_in_whatever_pieces_it_comes() {
        let replies = b"+OK\r\n:1\r\n$3\r\na\nb\r\n$-1\r\n_\r\n*2\r\n$1\r\nx\r\n*-1\r\n-ERR no\r\n%1\r\n+a\r\n:1\r\n";
        for at_a_time in [1, 2, 3, 7, 1000] {
            assert_eq!(passed(replies, at_a_time).unwrap(), replies, "{at_a_time}");
        }
    }

    #[test]
    fn a_string_of_the_largest_size_passes_and_a_larger_one_becomes_nothing() {
        let string = |length: usize| [format!("${length}\r\n").as_bytes(), &vec![b'x'; length], b"\r\n"].concat();
        let largest = string(MAX_VALUE_BYTES);
        assert_eq!(passed(&largest, 5000).unwrap(), largest);
        let giant = [string(MAX_VALUE_BYTES + 1), b"+OK\r\n".to_vec()].concat();
        assert_eq!(passed(&giant, 5000).unwrap(), b"$-1\r\n+OK\r\n");
    }

    #[test]
    fn what_is_no_reply_ends_the_connection() {
        let endless = [b"+".to_vec(), vec![b'x'; MAX_LINE_BYTES]].concat();
        for bytes in [&b"$x\r\n"[..], b"*1025\r\n", b"%\r\n", b"$9223372036854775808\r\n", &endless] {
            assert!(passed(bytes, 100).is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
