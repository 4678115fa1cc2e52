//! Retry delay for each object: doubles to a cap, forgets on success. Pure; chance comes in as an argument.
//!
//! The runtime brings none: without this every failing object is retried at one fixed pace.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The first delay.
pub const FIRST: Duration = Duration::from_secs(1);

/// The longest delay before jitter. Chosen: a person who repairs the cause waits at most this long.
pub const CAP: Duration = Duration::from_secs(300);

/// How long a permanent failure (403, 422) waits: nothing will change until somebody acts, and a
/// change of the object or its children triggers a run anyway.
pub const PERMANENT: Duration = Duration::from_secs(375);

/// Objects that are remembered at once; beyond it the map is emptied, which only makes retries faster.
const MAX_OBJECTS: usize = 100_000;

/// How often each object has failed in a row.
pub struct Backoff<K> {
    failures: Mutex<HashMap<K, u32>>,
}

impl<K: Hash + Eq> Default for Backoff<K> {
    fn default() -> Self {
        Self { failures: Mutex::default() }
    }
}

impl<K: Hash + Eq> Backoff<K> {
    /// Counts a failure of `key` and says how long to wait. `chance` in `0.0..1.0` spreads by ±20 %.
    pub fn after_failure(&self, key: K, permanent: bool, chance: f64) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MAX_OBJECTS {
            failures.clear();
        }
        let count = failures.entry(key).or_insert(0);
        let delay = if permanent { PERMANENT } else { doubled(*count) };
        *count = count.saturating_add(1);
        jittered(delay, chance)
    }

    /// Forgets the failures of `key`.
    pub fn forget(&self, key: &K) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

fn doubled(failures: u32) -> Duration {
    FIRST.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX)).min(CAP)
}

/// `delay` ± 20 %.
pub fn jittered(delay: Duration, chance: f64) -> Duration {
    delay.mul_f64(0.8 + 0.4 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;

    #[test]
    fn delays_double_to_the_cap_and_forget_on_success() {
        let backoff = Backoff::default();
        let delays: Vec<u128> = (0..11).map(|_| backoff.after_failure("a", false, MIDDLE).as_millis()).collect();
        let seconds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
        assert_eq!(delays, seconds.map(|seconds| seconds * 1000));
        backoff.forget(&"a");
        assert_eq!(backoff.after_failure("a", false, MIDDLE), FIRST);
    }

    #[test]
    fn objects_do_not_share_their_failures() {
        let backoff = Backoff::default();
        backoff.after_failure("a", false, MIDDLE);
        assert_eq!(backoff.after_failure("b", false, MIDDLE), FIRST);
    }

    #[test]
    fn a_permanent_failure_waits_at_least_five_minutes_whatever_the_jitter() {
        let backoff = Backoff::default();
        assert!(backoff.after_failure("a", true, 0.0) >= Duration::from_secs(300));
    }

    #[test]
    fn jitter_is_twenty_percent_each_way() {
        assert_eq!(jittered(Duration::from_secs(10), 0.0), Duration::from_secs(8));
        assert_eq!(jittered(Duration::from_secs(10), 1.0), Duration::from_secs(12));
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let backoff = Backoff::default();
        for _ in 0..1000 {
            assert!(backoff.after_failure("a", false, 1.0) <= CAP.mul_f64(1.2));
        }
    }
}
