//! The store in a Redis.
//!
//! ```text
//! caller -> RedisStore (sizes, meaning of replies: wire) -> link (deadline, breaker, one repetition)
//!        -> nodes (who has the key) -> dial::Connection
//! run    -> connects (mounted files, dial, sentinels), probes, connects again; listening does so for messages
//! ```
//!
//! Callers never connect, but for a node of a cluster that nobody has met, and never wait longer than the deadline of a
//! command. Nothing here logs an address, a key or a value. The library brings the protocol alone: which address is really
//! connected to is checked by us, and no command is sent that our user could be forbidden.

mod address;
mod backoff;
mod breaker;
mod conditions;
mod dial;
mod fault;
mod link;
mod listening;
mod measures;
mod mounted;
mod nodes;
mod reply_bounds;
mod run;
mod sentinels;
mod settings;
mod slot;
mod wire;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use tokio::{
    sync::{Notify, broadcast, watch},
    time::Instant,
};
use tokio_util::task::TaskTracker;

pub use address::RedisAddress;
pub use measures::RedisMeasures;
pub use settings::{RedisSettings, Topology};

use self::{
    breaker::Breaker,
    conditions::Conditions,
    dial::Dialer,
    fault::Fault,
    link::Link,
    wire::{Names, Operation},
};
use super::{Entry, Heard, Key, LISTENERS_BEHIND, MAX_MESSAGE_BYTES, MAX_VALUE_BYTES, Standing, Store, StoreError};
use crate::net::AddressPolicy;

/// The store. Does nothing before [`RedisStore::run`] runs.
pub struct RedisStore {
    settings: Arc<RedisSettings>,
    names: Names,
    dialer: Arc<Dialer>,
    /// Written by [`run`] and by whoever finds a connection lost; read by every request.
    link: watch::Sender<Link>,
    /// Written by every request and by [`run`].
    breaker: Mutex<Breaker>,
    /// Written by every request, by [`run`] and by [`listening`]; read by reports.
    conditions: Mutex<Conditions>,
    /// Wakes [`run`]: a connection is lost, or the breaker has opened.
    attention: Notify,
    /// Written by the connection that listens.
    heard: broadcast::Sender<Heard>,
    measures: RedisMeasures,
}

impl RedisStore {
    /// A store that connects to addresses that `policy` permits, and to private ones.
    pub fn new(settings: RedisSettings, policy: AddressPolicy) -> Self {
        // The specification of the `McpServer` names the host, and most are inside the cluster.
        let policy = AddressPolicy { allow_private: true, ..policy };
        Self {
            names: Names::new(&settings.key_prefix),
            settings: Arc::new(settings),
            dialer: Arc::new(Dialer { policy, tasks: TaskTracker::new() }),
            link: watch::Sender::new(Link::Connecting),
            breaker: Mutex::default(),
            conditions: Mutex::default(),
            attention: Notify::new(),
            heard: broadcast::Sender::new(LISTENERS_BEHIND),
            measures: RedisMeasures::default(),
        }
    }

    /// What is counted.
    pub fn measures(&self) -> &RedisMeasures {
        &self.measures
    }

    /// Whether readiness waits for the first contact.
    pub fn required(&self) -> bool {
        self.settings.required
    }
}

impl Store for RedisStore {
    fn claim<'a>(&'a self, key: &'a Key, ttl: Duration) -> BoxFuture<'a, Result<bool, StoreError>> {
        let request = self.names.claim(key, ttl);
        async move { told(self.ask(&request, |reply| wire::claimed(&reply)).await) }.boxed()
    }

    fn put<'a>(&'a self, key: &'a Key, value: Bytes, ttl: Duration) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            within(value.len(), MAX_VALUE_BYTES)?;
            let request = self.names.put(Operation::Put, key, &value, ttl);
            told(self.ask(&request, |reply| wire::done(&reply)).await)
        }
        .boxed()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        let request = self.names.get(key);
        async move { told(absent_if_foreign(self.ask(&request, |reply| Ok(wire::value(reply))).await)) }.boxed()
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        let request = self.names.take(key);
        async move { told(absent_if_foreign(self.ask(&request, |reply| Ok(wire::value(reply))).await)) }.boxed()
    }

    fn append<'a>(
        &'a self,
        key: &'a Key,
        entry: Entry,
        keep: usize,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        async move {
            within(entry.value.len(), MAX_VALUE_BYTES)?;
            let request = self.names.append(key, &entry, keep, ttl);
            told(self.ask(&request, |reply| wire::appended(&reply)).await)
        }
        .boxed()
    }

    fn read<'a>(&'a self, key: &'a Key, from: u64) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        let request = self.names.read(key, from);
        async move { told(absent_if_foreign(self.ask(&request, |reply| Ok(wire::entries(reply))).await)) }.boxed()
    }

    fn tell(&self, message: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            within(message.len(), MAX_MESSAGE_BYTES)?;
            // How many have heard it, among the connections of one node: says nothing.
            told(self.ask(&self.names.tell(&message), |_| Ok(())).await)
        }
        .boxed()
    }

    fn hear(&self) -> broadcast::Receiver<Heard> {
        self.heard.subscribe()
    }

    fn standing(&self) -> Standing {
        self.conditions().standing(Instant::now())
    }
}

fn within(length: usize, most: usize) -> Result<(), StoreError> {
    if length > most { Err(StoreError::TooLarge) } else { Ok(()) }
}

fn told<T>(outcome: Result<T, Fault>) -> Result<T, StoreError> {
    outcome.map_err(Fault::to_store_error)
}

/// What somebody else wrote under a key of ours is not what we look for.
fn absent_if_foreign<T: Default>(outcome: Result<T, Fault>) -> Result<T, Fault> {
    match outcome {
        Err(Fault::WrongType) => Ok(T::default()),
        outcome => outcome,
    }
}
