//! One HTTP/1.1 connection, and what became of a request on it: never sent, sent and not answered, or broken off.

use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::body::Body;
use http::{HeaderMap, Request, Response, header::CONNECTION};
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use tokio_util::task::TaskTracker;

use super::{door::Door, report::Kind};

/// A connection that is idle, or answers one request.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Body>,
    /// Bytes that came, also those of a head that is not complete.
    came: Arc<AtomicU64>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) kind: Kind,
    pub(super) words: String,
    /// How far it got.
    pub(super) reached: Reached,
}

/// How far a request got before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// Not a byte of it left: anybody may send it again.
    Nothing,
    /// It was sent, and not a byte came back.
    Sent,
    /// A part of the answer came.
    Answer,
}

impl Connection {
    /// A new one; `tasks` own its work.
    pub(super) async fn open(door: &Door, tasks: &TaskTracker) -> Result<Self, Trouble> {
        let (transport, came) = door.open().await.map_err(|error| Trouble::connecting(&error))?;
        let (sender, connection) =
            handshake(TokioIo::new(transport)).await.map_err(|error| Trouble::of(&error, Reached::Nothing))?;
        // How it ends is told to whoever waits for an answer on it.
        tasks.spawn(async move { drop(connection.await) });
        Ok(Self { sender, came })
    }

    /// Whether it can take a request: the server has not closed it, as far as one can know.
    pub(super) async fn is_usable(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends, and waits for the head of the answer.
    pub(super) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, Trouble> {
        let before = self.came.load(Ordering::Relaxed);
        self.sender.try_send_request(request).await.map_err(|mut failed| {
            let reached = if failed.take_message().is_some() {
                Reached::Nothing
            } else if self.came.load(Ordering::Relaxed) == before {
                Reached::Sent
            } else {
                Reached::Answer
            };
            Trouble::of(failed.error(), reached)
        })
    }
}

/// Whether the server said that it closes the connection after this answer.
pub(super) fn is_last(headers: &HeaderMap) -> bool {
    let said = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    said.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case("close"))
}

impl Trouble {
    pub(super) fn new(kind: Kind, reached: Reached, words: impl Into<String>) -> Self {
        Self { kind, words: words.into(), reached }
    }

    fn connecting(error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => Kind::Refused,
            io::ErrorKind::ConnectionReset => Kind::Reset,
            _ => Kind::Unreachable,
        };
        Self::new(kind, Reached::Nothing, error.to_string())
    }

    /// In the words of hyper, and of the system where it has some.
    pub(super) fn of(error: &hyper::Error, reached: Reached) -> Self {
        let source = error.source();
        let is_reset = source
            .and_then(|source| source.downcast_ref::<io::Error>())
            .is_some_and(|error| matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe));
        let kind = if is_reset { Kind::Reset } else { Kind::Closed };
        Self::new(kind, reached, chain(error))
    }
}

/// An error with its sources, the innermost last.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_words = inner.to_string();
        // Some errors repeat their source.
        if !words.contains(&inner_words) {
            words = format!("{words}: {inner_words}");
        }
        source = inner.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_last_answer_on_a_connection_says_so_in_any_spelling() {
        for (value, expected) in
            [("close", true), ("Close", true), ("te, close", true), ("keep-alive", false), ("closed", false)]
        {
            let headers = HeaderMap::from_iter([(CONNECTION, HeaderValue::from_static(value))]);
            assert_eq!(is_last(&headers), expected, "{value}");
        }
    }
}
