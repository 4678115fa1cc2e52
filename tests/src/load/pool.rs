//! The connections of one client, used as ordinary HTTP clients use theirs: the one used last is used next.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;
use tokio_util::task::TaskTracker;

use super::{
    connection::{Connection, Reached, Trouble, is_last},
    door::Door,
    record::Record,
    report::Kind,
};

/// Of an answer; far more than one of `echo` has.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// One client's connections.
pub(super) struct Pool {
    door: Door,
    /// Whether a connection serves more than one request.
    reuse: bool,
    idle: Mutex<Vec<Connection>>,
    record: Arc<Record>,
    tasks: TaskTracker,
}

/// An answer whose body is still to be read, with the connection that it comes by.
pub(super) struct Arriving {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Incoming,
    connection: Connection,
}

impl Pool {
    pub(super) fn new(door: Door, reuse: bool, record: Arc<Record>, tasks: TaskTracker) -> Self {
        Self { door, reuse, idle: Mutex::default(), record, tasks }
    }

    /// Sends what `request` makes, and waits for the head of the answer.
    pub(super) async fn send(&self, request: impl Fn() -> Request<Body>) -> Result<Arriving, Trouble> {
        while let Some(connection) = self.take().await {
            match self.exchange(connection, request()).await {
                Err(trouble) if trouble.reached == Reached::Nothing => self.record.found_closed(),
                // The server closed an idle connection just when a request was on its way. Who knows that the request
                // may be sent twice sends it again; who does not has lost it, so it is counted by itself.
                Err(trouble) if trouble.reached == Reached::Sent && trouble.kind != Kind::Timeout => {
                    self.record.unanswered(&trouble);
                    break;
                }
                result => return result,
            }
        }
        let connection = Connection::open(&self.door, &self.tasks).await?;
        self.exchange(connection, request()).await
    }

    /// The whole body; the connection may serve again.
    pub(super) async fn read(&self, arriving: Arriving) -> Result<(StatusCode, HeaderMap, Vec<u8>), Trouble> {
        let Arriving { status, headers, body, connection } = arriving;
        let bytes = to_bytes(Body::new(body), MAX_ANSWER_BYTES)
            .await
            .map_err(|error| Trouble::new(Kind::Closed, Reached::Answer, error.to_string()))?;
        self.give_back(&headers, connection);
        Ok((status, headers, bytes.into()))
    }

    async fn exchange(&self, mut connection: Connection, request: Request<Body>) -> Result<Arriving, Trouble> {
        let (parts, body) = connection.send(request).await?.into_parts();
        Ok(Arriving { status: parts.status, headers: parts.headers, body, connection })
    }

    /// One that was used before and is still open, as far as one can know.
    async fn take(&self) -> Option<Connection> {
        loop {
            let mut connection = self.lock().pop()?;
            if connection.is_usable().await {
                return Some(connection);
            }
            self.record.found_closed();
        }
    }

    /// To be called after the end of a body.
    pub(super) fn give_back(&self, headers: &HeaderMap, connection: Connection) {
        if is_last(headers) {
            self.record.told_to_close();
        } else if self.reuse {
            self.lock().push(connection);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arriving {
    /// For whoever reads the body as it comes.
    pub(super) fn into_parts(self) -> (StatusCode, HeaderMap, Incoming, Connection) {
        (self.status, self.headers, self.body, self.connection)
    }
}
