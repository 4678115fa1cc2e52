//! The events of one stream between who writes them and who reads them: at most one reader at a time, who may go and
//! come back.
//!
//! Bounded: events that were read are kept as far as replay needs them; events that nobody reads are dropped when they
//! are too many bytes, and the reader who was too slow for them is sent away.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::sse;

/// How much a stream keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    /// Events that were read, for whoever comes back.
    pub(super) read_events: usize,
    /// Bytes of all events but the newest.
    pub(super) bytes: usize,
}

/// A stream's events.
pub(super) struct StreamLog {
    state: Mutex<State>,
    changed: Notify,
    retention: Retention,
}

#[derive(Default)]
struct State {
    /// In order of their numbers, which may have holes: not every number is an event.
    events: VecDeque<Event>,
    bytes: usize,
    /// Number of the next event.
    next: u64,
    /// Number after the last event that was dropped: who has not come so far has missed something.
    dropped: u64,
    /// The number up to which events were handed to a reader.
    read: u64,
    /// Nothing will be appended any more.
    ended: bool,
    /// Which reader is the one; earlier ones end.
    reader: u64,
    /// The reader is to go; the stream goes on.
    released: bool,
}

struct Event {
    number: u64,
    bytes: Bytes,
}

/// Whoever reads a stream at the moment.
#[derive(Debug)]
pub(super) struct Reader {
    log: Arc<StreamLog>,
    number: u64,
    /// The next event to be read.
    next: u64,
    keep_alive: Duration,
}

impl fmt::Debug for StreamLog {
    /// Without the events, which are answers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamLog").field("retention", &self.retention).finish_non_exhaustive()
    }
}

/// What a reader finds.
enum Found {
    Event(u64, Bytes),
    Nothing,
    /// The end, another reader, or a gap.
    End,
}

impl StreamLog {
    pub(super) fn new(retention: Retention) -> Arc<Self> {
        Self::of(State::default(), retention)
    }

    /// A stream that goes on from somewhere else: with these events, of which those before `read` were read, and with
    /// `next` as the next number.
    pub(super) fn restored(
        events: impl IntoIterator<Item = (u64, Bytes)>,
        (read, next): (u64, u64),
        retention: Retention,
    ) -> Arc<Self> {
        let events: VecDeque<_> = events.into_iter().map(|(number, bytes)| Event { number, bytes }).collect();
        let bytes = events.iter().map(|event| event.bytes.len()).sum();
        Self::of(State { events, bytes, next, read, ..State::default() }, retention)
    }

    fn of(state: State, retention: Retention) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new(), retention })
    }

    /// The number that the next event gets. Stays true for whoever alone appends.
    pub(super) fn next(&self) -> u64 {
        self.lock().next
    }

    /// One more event, with the number that [`Self::next`] says.
    pub(super) fn append(&self, bytes: Bytes) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        let number = state.next;
        state.next += 1;
        state.bytes += bytes.len();
        state.events.push_back(Event { number, bytes });
        state.evict_bytes(self.retention);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Nothing more will come; what is there can still be read.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_waiters();
    }

    /// Sends the reader away after what is there.
    pub(super) fn release(&self) {
        self.lock().released = true;
        self.changed.notify_waiters();
    }

    /// Sends the reader away at once.
    pub(super) fn dismiss(&self) {
        self.lock().reader += 1;
        self.changed.notify_waiters();
    }

    /// The first event that nobody has read.
    pub(super) fn next_unread(&self) -> u64 {
        self.lock().read
    }

    /// What its events take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// A reader of everything from event `next` on that is still there. An earlier reader ends.
    pub(super) fn read_from(self: &Arc<Self>, next: u64, keep_alive: Duration) -> Reader {
        let mut state = self.lock();
        state.reader += 1;
        state.released = false;
        let number = state.reader;
        // Whoever comes back after a gap gets what is left: the answer is the last event.
        let next = next.max(state.dropped);
        drop(state);
        self.changed.notify_waiters();
        Reader { log: Arc::clone(self), number, next, keep_alive }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is too much goes, the oldest first; the newest event stays, however large.
    fn evict_bytes(&mut self, retention: Retention) {
        let newest = self.events.back().map_or(0, |event| event.bytes.len());
        while self.events.len() > 1 && self.bytes - newest > retention.bytes {
            self.drop_oldest();
        }
    }

    fn find(&mut self, reader: u64, next: u64, retention: Retention) -> Found {
        if self.reader != reader {
            return Found::End;
        }
        if next < self.dropped {
            return Found::End;
        }
        let position = self.events.partition_point(|event| event.number < next);
        let Some(event) = self.events.get(position) else { return self.nothing() };
        let (number, bytes) = (event.number, event.bytes.clone());
        self.read = self.read.max(number + 1);
        self.evict_read(retention);
        Found::Event(number, bytes)
    }

    /// What was read and need not be kept goes at once: most streams are never read twice.
    fn evict_read(&mut self, retention: Retention) {
        let read = self.events.iter().take_while(|event| event.number < self.read).count();
        for _ in retention.read_events..read {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= event.bytes.len();
            self.dropped = event.number + 1;
        }
    }

    fn nothing(&self) -> Found {
        if self.ended || self.released { Found::End } else { Found::Nothing }
    }
}

impl Reader {
    /// The number that the next event has at least.
    pub(super) fn next_number(&self) -> u64 {
        self.next
    }

    /// The next event, or a comment when there was none for a while; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            // Made before the look, so that nothing is missed between look and wait.
            let changed = self.log.changed.notified();
            let found = self.log.lock().find(self.number, self.next, self.log.retention);
            match found {
                Found::Event(number, bytes) => {
                    self.next = number + 1;
                    return Some(bytes);
                }
                Found::End => return None,
                Found::Nothing => {}
            }
            if tokio::time::timeout(self.keep_alive, changed).await.is_err() {
                return Some(sse::KEEP_ALIVE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const KEEP_ALIVE: Duration = Duration::from_secs(25);

    fn log(read_events: usize, bytes: usize) -> Arc<StreamLog> {
        StreamLog::new(Retention { read_events, bytes })
    }

    fn append(log: &StreamLog, texts: &[&'static str]) {
        for text in texts {
            log.append(Bytes::from_static(text.as_bytes()));
        }
    }

    /// What the reader finds at once.
    fn there(reader: &mut Reader) -> Vec<Bytes> {
        std::iter::from_fn(|| reader.next().now_or_never().flatten()).collect()
    }

    #[tokio::test]
    async fn events_come_in_order_and_then_the_end() {
        let log = log(0, 100);
        let mut reader = log.read_from(0, KEEP_ALIVE);
        append(&log, &["a", "b"]);
        assert_eq!(there(&mut reader), ["a", "b"]);
        append(&log, &["c"]);
        log.end();
        append(&log, &["too late"]);
        assert_eq!(reader.next().await.unwrap(), "c");
        assert_eq!(reader.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_broken_by_a_comment() {
        let log = log(0, 100);
        let mut reader = log.read_from(0, KEEP_ALIVE);
        assert_eq!(reader.next().await.unwrap(), sse::KEEP_ALIVE);
    }

    #[tokio::test]
    async fn who_comes_back_gets_what_it_missed_and_who_was_there_before_ends() {
        let log = log(8, 100);
        let mut first = log.read_from(0, KEEP_ALIVE);
        append(&log, &["a", "b"]);
        assert_eq!(there(&mut first), ["a", "b"]);
        append(&log, &["c"]);
        let mut second = log.read_from(1, KEEP_ALIVE);
        assert_eq!(first.next().await, None);
        assert_eq!(there(&mut second), ["b", "c"]);
    }

    #[tokio::test]
    async fn a_released_reader_goes_after_what_is_there_and_the_next_one_stays() {
        let log = log(8, 100);
        let mut first = log.read_from(0, KEEP_ALIVE);
        append(&log, &["a"]);
        log.release();
        assert_eq!(first.next().await.unwrap(), "a");
        assert_eq!(first.next().await, None);
        let mut second = log.read_from(1, KEEP_ALIVE);
        assert!(second.next().now_or_never().is_none());
        append(&log, &["b"]);
        assert_eq!(second.next().await.unwrap(), "b");
    }

    #[tokio::test]
    async fn a_reader_that_is_too_slow_is_sent_away_and_a_large_last_event_is_not_its_fault() {
        let slow = log(8, 3);
        let mut reader = slow.read_from(0, KEEP_ALIVE);
        append(&slow, &["a", "b", "c", "a large answer"]);
        assert_eq!(there(&mut reader), ["a", "b", "c", "a large answer"]);
        append(&slow, &["d", "e"]);
        assert_eq!(there(&mut reader), ["d", "e"]);
        append(&slow, &["f", "gg", "hh", "i"]);
        assert_eq!(reader.next().await, None);
        assert!(slow.bytes() <= 4);
    }

    #[tokio::test]
    async fn so_many_read_events_are_kept_and_no_more() {
        let log = log(2, 100);
        let mut reader = log.read_from(0, KEEP_ALIVE);
        append(&log, &["a", "b", "c", "d"]);
        assert_eq!(there(&mut reader).len(), 4);
        assert_eq!(there(&mut log.read_from(0, KEEP_ALIVE)), ["c", "d"]);
    }
}
