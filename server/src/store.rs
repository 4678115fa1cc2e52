//! What replicas share: the trait, and the two that keep it, this process's memory and a Redis.
//!
//! A store holds opaque bytes under opaque keys, each with an end, and passes messages to whoever listens at the moment.
//! It knows neither MCP nor what is in the bytes: [`crate::mcp`] seals whatever says something, and treats whatever does not
//! open as absent. Of the modern era one kind of request asks for it: a tool that may do harm twice, called again with its
//! `requestState`.

mod key;
mod memory;
mod redis;

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::broadcast;

pub use key::{Key, KeyKind};
pub use memory::MemoryStore;
pub use redis::{RedisAddress, RedisMeasures, RedisSettings, RedisStore, Topology};

/// The largest value, in bytes. Chosen: a quarter of the largest request, so that nobody fills a Redis of 64 MiB with a few.
pub const MAX_VALUE_BYTES: usize = 1024 * 1024;

/// The largest message to other replicas, in bytes. Chosen: a message says that something happened, what it was is stored.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// The most entries that one [`Store::read`] gives: whoever wants more asks again from the last.
pub const MAX_ENTRIES: usize = 64;

/// How many messages a listener may be behind.
const LISTENERS_BEHIND: usize = 1024;

/// State shared by replicas. Every method ends within its own deadline; none is tried again that would do harm twice.
pub trait Store: Send + Sync {
    /// Marks `key` as used for `ttl`: true for the one who came first.
    fn claim<'a>(&'a self, key: &'a Key, ttl: Duration) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Writes a value over whatever was there.
    fn put<'a>(&'a self, key: &'a Key, value: Bytes, ttl: Duration) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The value; `None` for one that was never written, or is over. What is no value counts as absent.
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>>;

    /// The value, for one caller alone: afterwards it is gone.
    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>>;

    /// Adds to the log `key`, which then keeps its newest `keep` entries for `ttl`. False, and no entry was written, if the log
    /// has an entry of this number or a later one: of two who write the same number one alone succeeds. What is there may be
    /// kept for `ttl` from then on all the same.
    fn append<'a>(
        &'a self,
        key: &'a Key,
        entry: Entry,
        keep: usize,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// The entries of the log `key` from number `from` on, in order, at most [`MAX_ENTRIES`]. Empty for a log that is not there.
    fn read<'a>(&'a self, key: &'a Key, from: u64) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>>;

    /// Tells every replica that listens now, this one too. Best effort: nobody learns who has heard it.
    fn tell(&self, message: Bytes) -> BoxFuture<'_, Result<(), StoreError>>;

    /// What replicas tell from now on.
    fn hear(&self) -> broadcast::Receiver<Heard>;

    /// What is known about it without asking.
    fn standing(&self) -> Standing;
}

/// An entry of a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place: greater than that of the entry before it. At least 1.
    pub number: u64,
    /// What it holds.
    pub value: Bytes,
}

impl std::fmt::Debug for Entry {
    /// Without the value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("number", &self.number).finish_non_exhaustive()
    }
}

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message of a replica. Untrusted.
    Message(Bytes),
    /// Messages may have been missed before this: whoever waits for something looks for itself.
    Gap,
}

/// Why a store did not do what was asked. Nobody knows then whether it was done.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    /// It cannot be reached, did not answer in time, or is left alone for a moment because of that.
    #[error("the shared store cannot be reached")]
    Unavailable,
    /// It takes nothing new: its memory is full.
    #[error("the shared store is full")]
    Full,
    /// It refuses us, or answers what it never should.
    #[error("the shared store refuses what is asked")]
    Refused,
    /// The value is larger than [`MAX_VALUE_BYTES`], or the message than [`MAX_MESSAGE_BYTES`].
    #[error("too large for the shared store")]
    TooLarge,
}

/// How a store stands, for reports, health and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is this process's own memory: there is nothing to say.
    Own,
    /// It is shared.
    Shared {
        /// Whether it can be used now, and for what.
        state: crds::gateway_report::RedisState,
        /// Whether it was reached since the process started.
        connected_once: bool,
        /// Why it cannot be used, one sentence without secrets and addresses; `None` while it can.
        last_error: Option<String>,
    },
}
