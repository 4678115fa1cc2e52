//! When to leave a Redis alone. Pure: the time comes in as an argument.
//!
//! Callers never try whether it works again: the background task does, so nobody waits for that.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// So many failures within [`WINDOW`] open it. Source: redis-and-degradation.md, section 5.
const FAILURES: usize = 5;
const WINDOW: Duration = Duration::from_secs(1);

/// How long it stays open before one probe. Source: as above.
const OPEN: Duration = Duration::from_secs(1);

/// The breaker.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Of the last second, the oldest first; at most [`FAILURES`].
    failures: VecDeque<Instant>,
    state: BreakerState,
}

/// Whether requests are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum BreakerState {
    /// They are.
    #[default]
    Closed,
    /// They fail at once, until a probe that is due at this time.
    Open {
        /// When.
        probe_at: Instant,
    },
    /// They fail at once while the probe is under way.
    HalfOpen,
}

impl BreakerState {
    /// Every [`Self::as_str`].
    pub(super) const NAMES: [&str; 3] = ["closed", "open", "half_open"];

    /// For metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl Breaker {
    pub(super) fn state(&self) -> BreakerState {
        self.state
    }

    /// One more failure; true if it is the one that opens it.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        if self.state != BreakerState::Closed {
            return false;
        }
        self.failures.retain(|failure| now.duration_since(*failure) < WINDOW);
        self.failures.push_back(now);
        if self.failures.len() < FAILURES {
            return false;
        }
        self.open(now);
        true
    }

    /// The probe is on its way.
    pub(super) fn probing(&mut self) {
        self.state = BreakerState::HalfOpen;
    }

    /// The probe has failed.
    pub(super) fn open(&mut self, now: Instant) {
        self.failures.clear();
        self.state = BreakerState::Open { probe_at: now + OPEN };
    }

    /// The probe has succeeded, or there is a new connection.
    pub(super) fn close(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(breaker: &mut Breaker, now: Instant, times: usize) -> Vec<bool> {
        (0..times).map(|_| breaker.failed(now)).collect()
    }

    #[test]
    fn five_failures_in_a_second_open_it_for_a_second() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        assert_eq!(failing(&mut breaker, now, 6), [false, false, false, false, true, false]);
        assert_eq!(breaker.state(), BreakerState::Open { probe_at: now + OPEN });
    }

    #[test]
    fn failures_that_are_spread_do_not() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for second in 0..20 {
            assert_eq!(failing(&mut breaker, now + WINDOW * second, 4), [false; 4]);
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn after_a_probe_that_succeeds_it_counts_from_zero() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        failing(&mut breaker, now, 5);
        breaker.probing();
        assert!(!breaker.failed(now), "what was under way before is not counted");
        breaker.close();
        assert_eq!(failing(&mut breaker, now, 4), [false; 4]);
        breaker.probing();
        breaker.open(now);
        assert_eq!(breaker.state(), BreakerState::Open { probe_at: now + OPEN });
    }
}
