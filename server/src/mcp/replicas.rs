//! What the replicas of one endpoint share, so that any of them serves any session of the older era.
//!
//! Nothing here is needed to open a session or to answer a call: the sealed id says who it belongs to. What is shared is what
//! only one process would know otherwise.
//!
//! ```text
//! state      ended, logging level, subscriptions: one record, read with each request of the session
//! recorder   a stream's events go to the store on their way to the client; tail and standalone bring them back elsewhere
//! questions  a request to the client may be answered at any replica
//! hearing    what replicas tell each other: best effort, whoever misses it finds out later
//! ```
//!
//! Values are sealed (but for marks, which say nothing, and that a replica lives), bound to their key and to whose session it is, and whatever does not open counts as absent. A store
//! that fails never makes a session unknown: what can be served without it is served, the rest is 503.

mod budget;
mod entry;
mod hearing;
mod log;
mod message;
mod questions;
mod recorder;
mod standalone;
mod state;
mod tail;
mod waiters;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;

pub(super) use hearing::hear;
pub(super) use questions::Passed;
pub(super) use recorder::{Recorded, Recorder};
pub(super) use standalone::Takeover;
pub(super) use state::CaughtUp;

use self::{budget::Budget, message::Message, waiters::Waiters};
use super::session::Session;
use crate::{
    seal::{KeyRing, Purpose},
    store::{Key, KeyKind, Store, StoreError},
};

#[cfg(test)]
mod tests;

/// How long a replica counts as alive after it last said so, and how long it must be silent besides to count as gone. Chosen:
/// four times [`ALIVE_EVERY`], so that a store that was away or has lost its data does no harm.
const ALIVE: Duration = Duration::from_secs(8);

/// How often a replica says that it lives.
const ALIVE_EVERY: Duration = Duration::from_secs(2);

/// How often whoever waits for another replica looks by itself, since messages may be lost. Chosen: a lost one delays an event or
/// an answer by so much at most.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How long a stream is kept after its end, for a client that comes back. Chosen: longer than clients wait between tries.
const AFTER_END: Duration = Duration::from_secs(300);

/// How long the stream of a call is kept that nothing is written to. Chosen: longer than any call takes.
const SILENT: Duration = Duration::from_secs(3600);

/// The store that replicas share, as `mcp` uses it.
pub(super) struct Replicas {
    store: Arc<dyn Store>,
    keys: Arc<KeyRing>,
    /// Tells this process from the others. Random, so that a restart is another one.
    me: u64,
    /// Who waits for something to be written by another replica.
    waiters: Waiters,
    budget: Budget,
    /// Something could not be told: others are to look for themselves.
    untold: AtomicBool,
}

impl Replicas {
    pub(super) fn new(store: Arc<dyn Store>, keys: Arc<KeyRing>) -> Self {
        Self {
            store,
            keys,
            me: rand::random(),
            waiters: Waiters::default(),
            budget: Budget::default(),
            untold: AtomicBool::new(false),
        }
    }

    fn seal(&self, place: &Place<'_>, content: &[u8]) -> Bytes {
        self.keys.seal_bytes(Purpose::Store, &place.binding(), content).into()
    }

    /// `None` for what is not ours, was moved or was altered.
    fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
        self.keys.open_bytes(Purpose::Store, &place.binding(), sealed)
    }

    /// Best effort: whoever misses it looks for itself, later.
    async fn tell(&self, message: &Message) {
        self.make_up_for_the_untold().await;
        self.publish(message).await;
    }

    /// Whoever was not told something learns that there was something.
    async fn make_up_for_the_untold(&self) {
        if self.untold.swap(false, Ordering::Relaxed) {
            self.publish(&Message::Missed).await;
        }
    }

    async fn publish(&self, message: &Message) {
        let sealed = self.keys.seal_bytes(Purpose::Store, MESSAGE, &message.told_by(self.me));
        match self.store.tell(sealed.into()).await {
            Ok(()) => {}
            // Nobody is helped by trying again.
            Err(StoreError::TooLarge) => tracing::debug!("other replicas were not told: the message is too large"),
            Err(problem) => {
                tracing::debug!("other replicas were not told: {problem}");
                self.untold.store(true, Ordering::Relaxed);
            }
        }
    }

    fn opened_message(&self, sealed: &[u8]) -> Option<Message> {
        let (from, message) = Message::read(&self.keys.open_bytes(Purpose::Store, MESSAGE, sealed)?)?;
        (from != self.me).then_some(message)
    }

    /// `notifications/cancelled`, for whichever replica works on it.
    pub(super) async fn cancel(&self, session: &Session, request: &str) {
        self.tell(&Message::Cancel { session: session.record.name, request: request.into() }).await;
    }

    /// This replica answers no more; `lists` as in [`Message::Left`].
    pub(super) async fn leave(&self, lists: &str) {
        self.tell(&Message::Left { lists: lists.into() }).await;
    }

    /// A stream is read at this replica from now on; `number` as in [`Message::Reads`].
    pub(super) async fn reads(&self, session: &Session, stream: u64, number: u64) {
        self.tell(&Message::Reads { session: session.record.name, stream, number }).await;
    }

    async fn say_alive(&self) -> Result<(), StoreError> {
        self.store.put(&alive_key(self.me), Bytes::new(), ALIVE).await
    }

    /// Whether the process that calls itself `replica` still lives, as far as the store knows.
    async fn is_alive(&self, replica: u64) -> Result<bool, StoreError> {
        Ok(replica == self.me || self.store.get(&alive_key(replica)).await?.is_some())
    }
}

/// What messages are sealed for.
const MESSAGE: &[u8] = b"message";

fn alive_key(replica: u64) -> Key {
    Key::new(KeyKind::Replica, &[&replica.to_be_bytes()])
}

fn stream_key(session: &Session, stream: u64) -> Key {
    Key::new(KeyKind::Stream, &[&session.record.name, &stream.to_be_bytes()])
}

/// Where a value belongs. A value that somebody moves to another place does not open there.
struct Place<'a> {
    key: &'a Key,
    /// [`Session::owner`].
    owner: &'a [u8; 32],
    /// Of an entry in a log; else 0.
    number: u64,
}

impl Place<'_> {
    fn binding(&self) -> Vec<u8> {
        [&self.key.as_bytes()[..], &self.owner[..], &self.number.to_be_bytes()[..]].concat()
    }
}

fn milliseconds(now: Timestamp) -> u64 {
    u64::try_from(now.as_millisecond()).unwrap_or_default()
}

/// Until the session's id is over, and a second at least.
fn remaining(session: &Session, now: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(session.record.expires - now.as_second()).unwrap_or_default().max(1))
}
