//! What refused tokens may cost, for each issuer. Pure: time is an argument.
//!
//! Before a signature is checked nobody can tell a valid new token from a forged one, so refusing tokens after many
//! failures would let an attacker lock everyone out. Two buckets instead: each failure takes from `failures`;
//! while that is empty, signature checks take from `checks`, which is wide enough for the flood that auth.md
//! section 4 names (1,000 a second) and bounds what a wider one can burn. Callers whose token was seen before are
//! answered from the decision cache and never get here.

use std::time::{Duration, Instant};

/// Failures that cost nothing. Chosen: a roll-out of a client with a wrong key stays below.
const FREE_FAILURES: f64 = 100.0;
const FREE_FAILURES_PER_SECOND: f64 = 10.0;

/// Checks in a second while failures abound. Chosen: twice the flood that must not be felt; at 30 to 100 µs for a
/// signature that is at most a fifth of one core.
const CHECKS_PER_SECOND: f64 = 2000.0;

/// When a refused caller may come again: the bucket of checks is full again after one second.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The two buckets of one issuer.
#[derive(Debug)]
pub(super) struct FailureBudget {
    failures: Bucket,
    checks: Bucket,
}

#[derive(Debug)]
struct Bucket {
    level: f64,
    capacity: f64,
    per_second: f64,
    filled_at: Instant,
}

impl FailureBudget {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            failures: Bucket::new(FREE_FAILURES, FREE_FAILURES_PER_SECOND, now),
            checks: Bucket::new(CHECKS_PER_SECOND, CHECKS_PER_SECOND, now),
        }
    }

    /// Whether a signature may be checked now.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        self.failures.has_one(now) || self.checks.take(now)
    }

    /// A signature was checked and is bad.
    pub(super) fn failed(&mut self, now: Instant) {
        self.failures.take(now);
    }
}

impl Bucket {
    fn new(capacity: f64, per_second: f64, now: Instant) -> Self {
        Self { level: capacity, capacity, per_second, filled_at: now }
    }

    fn has_one(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.level = (self.level + elapsed * self.per_second).min(self.capacity);
        self.filled_at = now.max(self.filled_at);
        self.level >= 1.0
    }

    fn take(&mut self, now: Instant) -> bool {
        let taken = self.has_one(now);
        if taken {
            self.level -= 1.0;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `per_second` bad tokens for ten seconds; how many were checked.
    fn flood(budget: &mut FailureBudget, start: Instant, per_second: u32) -> u32 {
        let interval = Duration::from_secs(1) / per_second;
        let mut checked = 0;
        for number in 0..10 * per_second {
            let now = start + interval * number;
            if budget.admits(now) {
                budget.failed(now);
                checked += 1;
            }
        }
        checked
    }

    #[test]
    fn a_thousand_bad_signatures_a_second_never_stop_a_new_valid_token() {
        let start = Instant::now();
        let mut budget = FailureBudget::new(start);
        assert_eq!(flood(&mut budget, start, 1000), 10_000);
        assert!(budget.admits(start + Duration::from_secs(10)));
    }

    #[test]
    fn a_wider_flood_is_checked_at_a_bounded_rate() {
        let start = Instant::now();
        let mut budget = FailureBudget::new(start);
        let checked = flood(&mut budget, start, 20_000);
        assert!((20_000..23_000).contains(&checked), "{checked}");
    }

    #[test]
    fn valid_tokens_alone_are_never_limited() {
        let start = Instant::now();
        let mut budget = FailureBudget::new(start);
        assert!((0..100_000).all(|_| budget.admits(start)));
    }

    #[test]
    fn the_budget_recovers_and_time_that_stands_still_fills_nothing() {
        let start = Instant::now();
        let mut budget = FailureBudget::new(start);
        let checked = (0..10_000).filter(|_| budget.admits(start)).inspect(|_| ()).count();
        assert_eq!(checked, 10_000);
        while budget.admits(start) {
            budget.failed(start);
        }
        assert!(!budget.admits(start));
        assert!(budget.admits(start + Duration::from_secs(1)));
    }
}
