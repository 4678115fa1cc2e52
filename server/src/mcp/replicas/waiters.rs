//! Who reads streams that other replicas write, and which of our own streams are read elsewhere.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// Streams that are known to be read elsewhere. Beyond it readers find events by themselves, a little later.
const MAX_ELSEWHERE: usize = 4096;

/// A session's name and the number of a stream of it.
pub(super) type Stream = ([u8; 16], u64);

/// All of them. A cheap handle.
#[derive(Clone, Default)]
pub(super) struct Waiters(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    here: HashMap<Stream, Readers>,
    elsewhere: HashSet<Stream>,
}

#[derive(Default)]
struct Readers {
    /// How many [`Waiter`]s there are.
    count: usize,
    called: watch::Sender<Called>,
}

/// How often somebody was called, and which reader is the one.
#[derive(Clone, Copy, Default)]
struct Called {
    wrote: u64,
    reader: u64,
}

/// One who waits. Forgotten when it is dropped.
pub(super) struct Waiter {
    stream: Stream,
    /// 0 until it is the one reader.
    number: u64,
    called: watch::Receiver<Called>,
    waiters: Waiters,
}

impl Waiters {
    /// Is called from now on, beside an earlier reader.
    pub(super) fn wait_for(&self, stream: Stream) -> Waiter {
        let mut state = self.lock();
        let readers = state.here.entry(stream).or_default();
        readers.count += 1;
        let called = readers.called.subscribe();
        Waiter { stream, number: 0, called, waiters: self.clone() }
    }

    /// Something was written to `stream`, here or elsewhere.
    pub(super) fn wrote(&self, stream: Stream) {
        if let Some(readers) = self.lock().here.get(&stream) {
            readers.called.send_modify(|called| called.wrote += 1);
        }
    }

    /// `stream`, which is written here, is read at another replica: that is told of what is written.
    pub(super) fn read_elsewhere(&self, stream: Stream) {
        let mut state = self.lock();
        if state.elsewhere.len() < MAX_ELSEWHERE {
            state.elsewhere.insert(stream);
        }
    }

    /// `stream` is read at another replica: readers here end.
    pub(super) fn displace(&self, stream: Stream) {
        if let Some(readers) = self.lock().here.get(&stream) {
            readers.called.send_modify(|called| called.reader += 1);
        }
    }

    /// Whether another replica is to be told of what is written to `stream`.
    pub(super) fn is_read_elsewhere(&self, stream: Stream) -> bool {
        self.lock().elsewhere.contains(&stream)
    }

    /// Nothing more is written to `stream`.
    pub(super) fn ended(&self, stream: Stream) {
        self.lock().elsewhere.remove(&stream);
    }

    /// Messages may have been missed.
    pub(super) fn all_wrote(&self) {
        for readers in self.lock().here.values() {
            readers.called.send_modify(|called| called.wrote += 1);
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().here.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// The one reader at this replica: an earlier one ends.
    pub(super) fn take_over(&mut self) {
        let state = self.waiters.lock();
        if let Some(readers) = state.here.get(&self.stream) {
            readers.called.send_modify(|called| called.reader += 1);
        }
        self.number = self.called.borrow_and_update().reader;
    }

    /// Until something was written, or, with false, until the stream is read by another.
    pub(super) async fn called(&mut self) -> bool {
        self.called.changed().await.is_ok() && self.called.borrow_and_update().reader == self.number
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut state = self.waiters.lock();
        let Some(readers) = state.here.get_mut(&self.stream) else { return };
        readers.count -= 1;
        if readers.count == 0 {
            state.here.remove(&self.stream);
        }
    }
}
