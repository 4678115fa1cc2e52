//! What a connection is doing, and until when it may go on doing so. Pure: time is an argument.
//!
//! Written by the connection's transport and service, read by its watchdog.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
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

/// A connection's state.
pub(super) struct Activity(Mutex<State>);

struct State {
    phase: Phase,
    /// Since when the peer has taken no byte, while there are some for it.
    write_blocked_since: Option<Instant>,
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
    pub(super) fn new(now: Instant) -> Self {
        let phase = Phase::Head(now);
        Self(Mutex::new(State { phase, write_blocked_since: None, touched: false, multiplexed: false }))
    }

    /// Bytes came.
    pub(super) fn read(&self, now: Instant) {
        let mut state = self.lock();
        state.touched = true;
        if let (Phase::Idle(_), false) = (state.phase, state.multiplexed) {
            state.phase = Phase::Head(now);
        }
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

    /// When the connection is to be closed if nothing changes. Bodies have deadlines of their own.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let state = self.lock();
        let of_phase = match state.phase {
            Phase::Head(since) => Some(since + HEAD),
            Phase::Busy(_) => None,
            Phase::Idle(since) => Some(since + IDLE),
        };
        let of_writing = state.write_blocked_since.map(|since| since + WRITE);
        [of_phase, of_writing].into_iter().flatten().min()
    }

    /// Whether not a byte has come: nobody would miss the connection.
    pub(super) fn is_untouched(&self) -> bool {
        !self.lock().touched
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn idle(multiplexed: bool, now: Instant) -> Activity {
        let activity = Activity::new(now);
        activity.request_began(multiplexed);
        activity.request_ended(now);
        activity
    }

    #[test]
    fn a_head_has_10_seconds_however_slowly_its_bytes_come() {
        let start = Instant::now();
        let activity = Activity::new(start);
        assert_eq!(closed_after(&activity, start, seconds(5), Activity::read), HEAD);
    }

    #[test]
    fn a_connection_may_be_silent_for_75_seconds_between_requests() {
        let start = Instant::now();
        assert_eq!(closed_after(&idle(false, start), start, seconds(999), Activity::read), IDLE);
    }

    #[test]
    fn the_next_head_has_10_seconds_from_its_first_byte() {
        let start = Instant::now();
        for first_byte in [1, 10, 33, 74].map(seconds) {
            let closed = closed_after(&idle(false, start), start, first_byte, Activity::read);
            assert_eq!(closed, first_byte + HEAD);
        }
    }

    #[test]
    fn frames_between_two_requests_of_http2_are_no_head() {
        let start = Instant::now();
        assert_eq!(closed_after(&idle(true, start), start, seconds(1), Activity::read), IDLE);
    }

    #[test]
    fn a_request_takes_as_long_as_it_takes() {
        let activity = Activity::new(Instant::now());
        activity.request_began(true);
        activity.request_began(true);
        activity.request_ended(Instant::now());
        assert_eq!(activity.deadline(), None);
    }

    #[test]
    fn a_peer_that_reads_nothing_has_30_seconds() {
        let start = Instant::now();
        let activity = Activity::new(start);
        activity.request_began(false);
        activity.wrote(false, start);
        activity.wrote(false, start + seconds(20));
        assert_eq!(activity.deadline(), Some(start + WRITE));
        activity.wrote(true, start + seconds(25));
        assert_eq!(activity.deadline(), None);
    }

    #[test]
    fn a_connection_is_untouched_until_its_first_byte() {
        let activity = Activity::new(Instant::now());
        assert!(activity.is_untouched());
        activity.read(Instant::now());
        assert!(!activity.is_untouched());
    }
}
