//! What a connection is doing, and until when it may go on doing so. Pure: time is an argument.
//!
//! Written by the connection's transport and service, read by its watchdog.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// For the head of a request, from its first byte; also for the first byte of a new connection.
/// Source: protocol.md, section 2.
const HEAD: Duration = Duration::from_secs(10);

/// Between two requests. Source: protocol.md, section 2.
const IDLE: Duration = Duration::from_secs(75);

/// For a peer that does not read what it asked for. Source: protocol.md, section 2.
const WRITE: Duration = Duration::from_secs(30);

/// Of an unfinished head, what every connection may hold whatever the others do: those of real clients mostly
/// fit. Chosen: 32 MiB for 8192 connections.
const HEAD_BYTES_FREE: usize = 4 * 1024;

/// Beyond that, what the unfinished heads of all connections may hold together. Chosen: nobody needs a token
/// for it, so it is a small part of a pod of 256 MiB.
const HEAD_BYTES_OF_ALL: usize = 32 * 1024 * 1024;

/// What unfinished heads hold together. One for each listener.
#[derive(Clone, Default)]
pub(super) struct HeadBudget(Arc<AtomicUsize>);

/// A connection's state.
pub(super) struct Activity {
    state: Mutex<State>,
    heads: HeadBudget,
}

struct State {
    phase: Phase,
    /// Since when the peer has taken no byte, while there are some for it.
    write_blocked_since: Option<Instant>,
    /// Answers of HTTP/2 that have something to send and no room for it, by their numbers, since then. A window that
    /// stays shut blocks its stream alone, so the transport does not show it.
    shut: Vec<(u64, Instant)>,
    /// Number of the next answer.
    next_answer: u64,
    /// Bytes of the head that is being read.
    head_bytes: usize,
    /// Whether any byte ever came.
    touched: bool,
    /// Frames that are no request (settings, window updates) come between requests too.
    multiplexed: bool,
}

#[derive(Clone, Copy)]
enum Phase {
    /// A head is awaited or being read, since then.
    Head(Instant),
    /// So many requests are being answered.
    Busy(usize),
    /// Nothing since then.
    Idle(Instant),
}

impl Activity {
    pub(super) fn new(now: Instant, heads: HeadBudget) -> Self {
        let phase = Phase::Head(now);
        let state = State {
            phase,
            write_blocked_since: None,
            shut: Vec::new(),
            next_answer: 0,
            head_bytes: 0,
            touched: false,
            multiplexed: false,
        };
        Self { state: Mutex::new(state), heads }
    }

    /// So many bytes came. False if heads hold too much, so that this connection is to be closed.
    #[must_use]
    pub(super) fn read(&self, bytes: usize, now: Instant) -> bool {
        let mut state = self.lock();
        state.touched = true;
        if let (Phase::Idle(_), false) = (state.phase, state.multiplexed) {
            state.phase = Phase::Head(now);
        }
        !matches!(state.phase, Phase::Head(_)) || self.heads.add(&mut state.head_bytes, bytes)
    }

    /// The peer took bytes, or would not.
    pub(super) fn wrote(&self, took_bytes: bool, now: Instant) {
        let mut state = self.lock();
        state.write_blocked_since = if took_bytes { None } else { state.write_blocked_since.or(Some(now)) };
    }

    /// A request's head is complete.
    pub(super) fn request_began(&self, multiplexed: bool) {
        let mut state = self.lock();
        state.multiplexed = multiplexed;
        self.heads.release(&mut state.head_bytes);
        state.phase = match state.phase {
            Phase::Busy(requests) => Phase::Busy(requests + 1),
            Phase::Head(_) | Phase::Idle(_) => Phase::Busy(1),
        };
    }

    /// A request's answer is handed over, or dropped.
    pub(super) fn request_ended(&self, now: Instant) {
        let mut state = self.lock();
        state.phase = match state.phase {
            Phase::Busy(requests) if requests > 1 => Phase::Busy(requests - 1),
            Phase::Busy(_) | Phase::Head(_) | Phase::Idle(_) => Phase::Idle(now),
        };
    }

    /// An answer is there; its number. `None` where the transport shows all that is to be seen.
    pub(super) fn answer_began(&self, now: Instant) -> Option<u64> {
        let mut state = self.lock();
        if !state.multiplexed {
            return None;
        }
        let answer = state.next_answer;
        state.next_answer += 1;
        state.shut.push((answer, now));
        Some(answer)
    }

    /// An answer has handed over a part, and waits for room for the next one.
    pub(super) fn answer_waits(&self, answer: u64, now: Instant) {
        self.lock().shut.push((answer, now));
    }

    /// An answer is asked for its next part, so there is room; or it has come to its end.
    pub(super) fn answer_moves(&self, answer: u64) {
        self.lock().shut.retain(|(shut, _)| *shut != answer);
    }

    /// When the connection is to be closed if nothing changes. Bodies have deadlines of their own.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let state = self.lock();
        let of_phase = match state.phase {
            Phase::Head(since) => Some(since + HEAD),
            Phase::Busy(_) => None,
            Phase::Idle(since) => Some(since + IDLE),
        };
        let of_writing = state.write_blocked_since.map(|since| since + WRITE);
        let of_answers = state.shut.iter().map(|(_, since)| *since + WRITE).min();
        [of_phase, of_writing, of_answers].into_iter().flatten().min()
    }

    /// Since when nothing is under way: no request, and no byte of one. `None` while something is.
    pub(super) fn quiet_since(&self) -> Option<Instant> {
        let state = self.lock();
        match state.phase {
            Phase::Idle(since) => Some(since),
            Phase::Head(since) => (!state.touched).then_some(since),
            Phase::Busy(_) => None,
        }
    }

    /// Whether its requests are streams of HTTP/2.
    pub(super) fn is_multiplexed(&self) -> bool {
        self.lock().multiplexed
    }

    /// Whether not a byte has come: nobody would miss the connection.
    pub(super) fn is_untouched(&self) -> bool {
        !self.lock().touched
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.heads.release(&mut self.lock().head_bytes);
    }
}

impl HeadBudget {
    /// Counts `more` bytes of a head that has `held`; false if all heads together have too many.
    fn add(&self, held: &mut usize, more: usize) -> bool {
        let before = held.saturating_sub(HEAD_BYTES_FREE);
        *held += more;
        let counted = held.saturating_sub(HEAD_BYTES_FREE) - before;
        counted == 0 || self.0.fetch_add(counted, Ordering::Relaxed) + counted <= HEAD_BYTES_OF_ALL
    }

    fn release(&self, held: &mut usize) {
        self.0.fetch_sub(held.saturating_sub(HEAD_BYTES_FREE), Ordering::Relaxed);
        *held = 0;
    }
}

/// Ends when the connection is to be closed.
pub(super) async fn watch(activity: &Activity) {
    while let Some(next_look) = next_look(activity.deadline(), Instant::now()) {
        tokio::time::sleep_until(next_look).await;
    }
}

/// When to look again; `None` when the deadline has passed.
///
/// At least as often as the shortest limit is long, so that a limit that begins between two looks is
/// seen before it ends; a request then costs the watchdog nothing.
fn next_look(deadline: Option<Instant>, now: Instant) -> Option<Instant> {
    let at_the_latest = now + HEAD;
    match deadline {
        Some(deadline) if deadline <= now => None,
        Some(deadline) => Some(deadline.min(at_the_latest)),
        None => Some(at_the_latest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// When the watchdog closes the connection, if `event` happens at `at`.
    fn closed_after(activity: &Activity, start: Instant, at: Duration, event: impl Fn(&Activity, Instant)) -> Duration {
        let (mut now, mut happened) = (start, false);
        while let Some(look) = next_look(activity.deadline(), now) {
            if !happened && look > start + at {
                happened = true;
                event(activity, start + at);
            }
            now = look;
        }
        now - start
    }

    fn one_byte(activity: &Activity, now: Instant) {
        assert!(activity.read(1, now));
    }

    #[test]
    fn unfinished_heads_hold_a_bounded_amount_and_leave_room_for_small_ones() {
        let (heads, now) = (HeadBudget::default(), Instant::now());
        let new = || Activity::new(now, heads.clone());
        let full = HEAD_BYTES_OF_ALL / (60 * 1024);
        let held: Vec<_> = (0..full).map(|_| new()).collect();
        assert!(held.iter().all(|activity| activity.read(64 * 1024, now)));
        assert!(!new().read(64 * 1024, now));
        assert!(new().read(HEAD_BYTES_FREE, now));
        held[0].request_began(false);
        // What comes now is a body.
        assert!(held[0].read(HEAD_BYTES_OF_ALL, now));
        assert!(new().read(64 * 1024, now));
        drop(held);
        assert_eq!(heads.0.load(Ordering::Relaxed), 0);
    }

    fn idle(multiplexed: bool, now: Instant) -> Activity {
        let activity = Activity::new(now, HeadBudget::default());
        activity.request_began(multiplexed);
        activity.request_ended(now);
        activity
    }

    #[test]
    fn a_head_has_10_seconds_however_slowly_its_bytes_come() {
        let start = Instant::now();
        let activity = Activity::new(start, HeadBudget::default());
        assert_eq!(closed_after(&activity, start, seconds(5), one_byte), HEAD);
    }

    #[test]
    fn a_connection_may_be_silent_for_75_seconds_between_requests() {
        let start = Instant::now();
        assert_eq!(closed_after(&idle(false, start), start, seconds(999), one_byte), IDLE);
    }

    #[test]
    fn the_next_head_has_10_seconds_from_its_first_byte() {
        let start = Instant::now();
        for first_byte in [1, 10, 33, 74].map(seconds) {
            let closed = closed_after(&idle(false, start), start, first_byte, one_byte);
            assert_eq!(closed, first_byte + HEAD);
        }
    }

    #[test]
    fn frames_between_two_requests_of_http2_are_no_head() {
        let start = Instant::now();
        assert_eq!(closed_after(&idle(true, start), start, seconds(1), one_byte), IDLE);
    }

    #[test]
    fn a_request_takes_as_long_as_it_takes() {
        let activity = Activity::new(Instant::now(), HeadBudget::default());
        activity.request_began(true);
        activity.request_began(true);
        activity.request_ended(Instant::now());
        assert_eq!(activity.deadline(), None);
    }

    #[test]
    fn a_peer_that_reads_nothing_has_30_seconds() {
        let start = Instant::now();
        let activity = Activity::new(start, HeadBudget::default());
        activity.request_began(false);
        activity.wrote(false, start);
        activity.wrote(false, start + seconds(20));
        assert_eq!(activity.deadline(), Some(start + WRITE));
        activity.wrote(true, start + seconds(25));
        assert_eq!(activity.deadline(), None);
    }

    #[test]
    fn an_answer_that_finds_no_room_for_30_seconds_ends_its_connection() {
        let start = Instant::now();
        let activity = Activity::new(start, HeadBudget::default());
        activity.request_began(true);
        let first = activity.answer_began(start).unwrap();
        let second = activity.answer_began(start + seconds(1)).unwrap();
        assert_eq!(activity.deadline(), Some(start + WRITE));
        activity.answer_moves(first);
        activity.answer_waits(first, start + seconds(5));
        assert_eq!(activity.deadline(), Some(start + seconds(1) + WRITE));
        activity.answer_moves(second);
        assert_eq!(activity.deadline(), Some(start + seconds(5) + WRITE));
        activity.answer_moves(first);
        assert_eq!(activity.deadline(), None);
    }

    #[test]
    fn without_streams_the_transport_shows_what_blocks() {
        let activity = Activity::new(Instant::now(), HeadBudget::default());
        activity.request_began(false);
        assert_eq!(activity.answer_began(Instant::now()), None);
    }

    #[test]
    fn a_connection_is_untouched_until_its_first_byte() {
        let activity = Activity::new(Instant::now(), HeadBudget::default());
        assert!(activity.is_untouched());
        assert!(activity.read(1, Instant::now()));
        assert!(!activity.is_untouched());
    }
}
