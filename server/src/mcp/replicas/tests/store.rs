//! A store that lets others go first at each call, fails when it is told to, and can lose all.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::{sync::broadcast, task::yield_now};

use super::Duration;
use crate::store::{Entry, Heard, Key, MemoryStore, Standing, Store, StoreError};

#[derive(Default)]
pub(super) struct TestStore {
    inner: Mutex<Arc<MemoryStore>>,
    fails: AtomicBool,
}

impl TestStore {
    /// As if it could not be reached, or again could.
    pub(super) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    /// As if it had been started anew.
    pub(super) fn forget_all(&self) {
        *self.inner.lock().unwrap() = Arc::default();
    }

    async fn reach(&self) -> Result<Arc<MemoryStore>, StoreError> {
        yield_now().await;
        let fails = self.fails.load(Ordering::Relaxed);
        if fails { Err(StoreError::Unavailable) } else { Ok(Arc::clone(&self.inner.lock().unwrap())) }
    }
}

impl Store for TestStore {
    fn claim<'a>(&'a self, key: &'a Key, ttl: Duration) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move { self.reach().await?.claim(key, ttl).await })
    }

    fn put<'a>(&'a self, key: &'a Key, value: Bytes, ttl: Duration) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.reach().await?.put(key, value, ttl).await })
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move { self.reach().await?.get(key).await })
    }

    fn take<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move { self.reach().await?.take(key).await })
    }

    fn append<'a>(
        &'a self,
        key: &'a Key,
        entry: Entry,
        keep: usize,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move { self.reach().await?.append(key, entry, keep, ttl).await })
    }

    fn read<'a>(&'a self, key: &'a Key, from: u64) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(async move { self.reach().await?.read(key, from).await })
    }

    fn tell(&self, message: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.reach().await?.tell(message).await })
    }

    fn hear(&self) -> broadcast::Receiver<Heard> {
        self.inner.lock().unwrap().hear()
    }

    fn standing(&self) -> Standing {
        Standing::Own
    }
}
