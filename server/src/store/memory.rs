//! A store in this process's memory: for one that runs alone, and for several replicas in one test.
//!
//! Bounded: what would not fit is refused as by a Redis that is full. What is over goes when something new comes.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _, ready};
use tokio::{sync::broadcast, time::Instant};

use super::{
    Entry, Heard, Key, LISTENERS_BEHIND, MAX_ENTRIES, MAX_MESSAGE_BYTES, MAX_VALUE_BYTES, Standing, Store, StoreError,
};

/// What all values may take together, in bytes. Chosen: an eighth of a pod of 256 MiB.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// What an entry takes besides its value. Chosen: key, map and times, about.
const OVERHEAD_BYTES: usize = 128;

/// Between two looks for what is over, while the store is full. Chosen: going through all of it takes milliseconds.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The store.
pub struct MemoryStore {
    state: Mutex<State>,
    messages: broadcast::Sender<Heard>,
}

#[derive(Default)]
struct State {
    kept: HashMap<Key, Kept>,
    bytes: usize,
    /// Before then nobody looks for what is over again.
    next_sweep: Option<Instant>,
}

struct Kept {
    content: Content,
    until: Instant,
}

enum Content {
    Value(Bytes),
    Log(VecDeque<Entry>),
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { state: Mutex::default(), messages: broadcast::Sender::new(LISTENERS_BEHIND) }
    }
}

impl Store for MemoryStore {
    fn claim<'a>(&'a self, key: &'a Key, ttl: Duration) -> BoxFuture<'a, Result<bool, StoreError>> {
        let mut state = self.lock();
        let taken = state.live(key).is_some();
        let claimed =
            if taken { Ok(false) } else { state.keep(*key, Content::Value(Bytes::new()), ttl).map(|()| true) };
        ready(claimed).boxed()
    }

    fn put<'a>(&'a self, key: &'a Key, value: Bytes, ttl: Duration) -> BoxFuture<'a, Result<(), StoreError>> {
        let put = if value.len() > MAX_VALUE_BYTES {
            Err(StoreError::TooLarge)
        } else {
            self.lock().keep(*key, Content::Value(value), ttl)
        };
        ready(put).boxed()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        let mut state = self.lock();
        let found = match state.live(key) {
            Some(Kept { content: Content::Value(value), .. }) => Some(value.clone()),
            _ => None,
        };
        ready(Ok(found)).boxed()
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        let mut state = self.lock();
        let is_value = matches!(state.live(key), Some(Kept { content: Content::Value(_), .. }));
        let taken = if is_value { state.remove(key) } else { None };
        let value = taken.and_then(|kept| if let Content::Value(value) = kept.content { Some(value) } else { None });
        ready(Ok(value)).boxed()
    }

    fn append<'a>(
        &'a self,
        key: &'a Key,
        entry: Entry,
        keep: usize,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        ready(self.lock().append(*key, entry, keep, ttl)).boxed()
    }

    fn read<'a>(&'a self, key: &'a Key, from: u64) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        let mut state = self.lock();
        let entries = match state.live(key) {
            Some(Kept { content: Content::Log(log), .. }) => {
                log.iter().filter(|entry| entry.number >= from).take(MAX_ENTRIES).cloned().collect()
            }
            _ => Vec::new(),
        };
        ready(Ok(entries)).boxed()
    }

    fn tell(&self, message: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        if message.len() > MAX_MESSAGE_BYTES {
            return ready(Err(StoreError::TooLarge)).boxed();
        }
        // Nobody listens: nobody needs to know.
        let _ = self.messages.send(Heard::Message(message));
        ready(Ok(())).boxed()
    }

    fn hear(&self) -> broadcast::Receiver<Heard> {
        self.messages.subscribe()
    }

    fn standing(&self) -> Standing {
        Standing::Own
    }
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn live(&mut self, key: &Key) -> Option<&mut Kept> {
        if self.kept.get(key).is_some_and(|kept| kept.until <= Instant::now()) {
            self.remove(key);
        }
        self.kept.get_mut(key)
    }

    fn remove(&mut self, key: &Key) -> Option<Kept> {
        let kept = self.kept.remove(key)?;
        self.bytes -= kept.content.bytes();
        Some(kept)
    }

    fn keep(&mut self, key: Key, content: Content, ttl: Duration) -> Result<(), StoreError> {
        let before = |state: &Self| state.kept.get(&key).map_or(0, |kept| kept.content.bytes());
        let is_full = |state: &Self| state.bytes - before(state) + content.bytes() > MAX_BYTES;
        if is_full(self) && self.next_sweep.is_none_or(|next| Instant::now() >= next) {
            self.sweep();
        }
        if is_full(self) {
            return Err(StoreError::Full);
        }
        self.remove(&key);
        self.bytes += content.bytes();
        self.kept.insert(key, Kept { content, until: Instant::now() + ttl });
        Ok(())
    }

    fn append(&mut self, key: Key, entry: Entry, keep: usize, ttl: Duration) -> Result<bool, StoreError> {
        if entry.value.len() > MAX_VALUE_BYTES {
            return Err(StoreError::TooLarge);
        }
        let mut log = match self.live(&key).map(|kept| &mut kept.content) {
            Some(Content::Log(log)) => log.clone(),
            Some(Content::Value(_)) => return Err(StoreError::Refused),
            None => VecDeque::new(),
        };
        if log.back().is_some_and(|last| last.number >= entry.number) {
            return Ok(false);
        }
        log.push_back(entry);
        while log.len() > keep.max(1) {
            log.pop_front();
        }
        self.keep(key, Content::Log(log), ttl)?;
        Ok(true)
    }

    /// What is over goes. Only where room is needed, and not at each write then: writing stays cheap.
    fn sweep(&mut self) {
        let now = Instant::now();
        self.kept.retain(|_, kept| kept.until > now);
        self.bytes = self.kept.values().map(|kept| kept.content.bytes()).sum();
        self.next_sweep = Some(now + SWEEP_EVERY);
    }
}

impl Content {
    fn bytes(&self) -> usize {
        match self {
            Self::Value(value) => value.len() + OVERHEAD_BYTES,
            Self::Log(log) => log.iter().map(|entry| entry.value.len() + OVERHEAD_BYTES).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::KeyKind;

    const TTL: Duration = Duration::from_secs(60);

    fn key(name: &str) -> Key {
        Key::new(KeyKind::Mark, &[name.as_bytes()])
    }

    fn entry(number: u64, value: &'static str) -> Entry {
        Entry { number, value: Bytes::from_static(value.as_bytes()) }
    }

    #[tokio::test(start_paused = true)]
    async fn everything_has_an_end() {
        let store = MemoryStore::default();
        assert_eq!(store.claim(&key("a"), TTL).await, Ok(true));
        assert_eq!(store.claim(&key("a"), TTL).await, Ok(false));
        store.put(&key("b"), Bytes::from_static(b"value"), TTL).await.unwrap();
        store.append(&key("c"), entry(1, "one"), 8, TTL).await.unwrap();
        tokio::time::advance(TTL).await;
        assert_eq!(store.claim(&key("a"), TTL).await, Ok(true));
        assert_eq!(store.get(&key("b")).await, Ok(None));
        assert_eq!(store.read(&key("c"), 0).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_value_is_taken_once() {
        let store = MemoryStore::default();
        store.put(&key("a"), Bytes::from_static(b"value"), TTL).await.unwrap();
        assert_eq!(store.take(&key("a")).await, Ok(Some(Bytes::from_static(b"value"))));
        assert_eq!(store.take(&key("a")).await, Ok(None));
    }

    #[tokio::test]
    async fn of_two_who_write_the_same_number_one_succeeds_and_the_newest_are_kept() {
        let store = MemoryStore::default();
        let log = key("log");
        assert_eq!(store.append(&log, entry(5, "five"), 2, TTL).await, Ok(true));
        assert_eq!(store.append(&log, entry(5, "other"), 2, TTL).await, Ok(false));
        assert_eq!(store.append(&log, entry(4, "late"), 2, TTL).await, Ok(false));
        for number in 6..9 {
            assert_eq!(store.append(&log, entry(number, "more"), 2, TTL).await, Ok(true));
        }
        let numbers = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.number).collect::<Vec<_>>();
        assert_eq!(numbers(store.read(&log, 0).await.unwrap()), [7, 8]);
        assert_eq!(numbers(store.read(&log, 8).await.unwrap()), [8]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_refused_until_there_is_room() {
        let store = MemoryStore::default();
        let large = Bytes::from(vec![0; MAX_VALUE_BYTES]);
        let mut kept = 0;
        while store.put(&key(&kept.to_string()), large.clone(), TTL).await.is_ok() {
            kept += 1;
        }
        assert_eq!(kept, MAX_BYTES / (MAX_VALUE_BYTES + OVERHEAD_BYTES));
        assert_eq!(store.claim(&key("small"), TTL).await, Ok(true));
        assert_eq!(
            store.put(&key("more"), Bytes::from(vec![0; MAX_VALUE_BYTES + 1]), TTL).await,
            Err(StoreError::TooLarge)
        );
        store.take(&key("0")).await.unwrap();
        assert_eq!(store.put(&key("more"), large, TTL).await, Ok(()));
    }

    #[tokio::test]
    async fn all_who_listen_hear() {
        let store = MemoryStore::default();
        let (mut one, mut two) = (store.hear(), store.hear());
        store.tell(Bytes::from_static(b"hello")).await.unwrap();
        for listener in [&mut one, &mut two] {
            assert_eq!(listener.recv().await.unwrap(), Heard::Message(Bytes::from_static(b"hello")));
        }
        assert_eq!(store.tell(Bytes::from(vec![0; MAX_MESSAGE_BYTES + 1])).await, Err(StoreError::TooLarge));
    }
}
