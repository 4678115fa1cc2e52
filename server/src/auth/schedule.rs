//! When the keys of one issuer are fetched next, and what an unknown `kid` may cause. Pure: time is an argument.
//!
//! Ages run on a monotonic clock, so that a step of the time of day neither revives nor expires a key set. Pods that started
//! together do not ask together: each interval is a little off, by a seed of the process.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::FetchError;

/// How long a key set is fresh. Source: auth.md section 5, "cache".
const REFRESH_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// In so many parts the longest age of a set is divided, where that is shorter: three attempts may fail before it ends.
const ATTEMPTS_WITHIN_AGE: u32 = 4;

/// At most one refresh in this time is caused by requests. Source: auth.md section 5, "unknown-kid".
const FORCED_INTERVAL: Duration = Duration::from_secs(30);

/// After a failure: this long, then twice as long each time.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// Chosen: an issuer that comes back is noticed within a minute.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// The most unknown ids that are remembered. Source: auth.md section 5, "unknown-kid".
const MAX_UNKNOWN: usize = 1024;

/// Chosen: so long an issuer may take to publish a key that it already signs with before its tokens cost a
/// whole refresh interval.
const UNKNOWN_FOR: Duration = Duration::from_secs(5 * 60);

/// SHA-256 of a `kid`: what is remembered is small and says nothing.
pub(super) type KeyIdHash = [u8; 32];

/// Written by the refresh task after each attempt and by requests that meet an unknown `kid`.
#[derive(Debug)]
pub(super) struct Schedule {
    /// From a success to the next attempt, give or take a tenth; also the longest pause after a failure.
    interval: Duration,
    /// Differs between processes and issuers.
    seed: u64,
    successes: u64,
    next_attempt: Instant,
    failures: u32,
    last_error: Option<FetchError>,
    forced_at: Option<Instant>,
    /// A forced refresh was asked for and has not ended.
    forced_pending: bool,
    unknown: HashMap<KeyIdHash, Instant>,
}

/// What a request with an unknown `kid` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnknownKey {
    /// Nothing: the key set was fetched lately and does not have it.
    Refuse,
    /// Wake the refresh task and wait for its result.
    Refresh,
    /// Wait for the refresh that another request has caused.
    Join,
}

impl Schedule {
    /// The first attempt is due `now`.
    pub(super) fn new(interval: Duration, seed: u64, now: Instant) -> Self {
        Self {
            interval,
            seed,
            successes: 0,
            next_attempt: now,
            failures: 0,
            last_error: None,
            forced_at: None,
            forced_pending: false,
            unknown: HashMap::new(),
        }
    }

    /// How long the refresh task sleeps.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.next_attempt.saturating_duration_since(now)
    }

    /// An attempt gave a key set.
    pub(super) fn succeeded(&mut self, now: Instant) {
        self.failures = 0;
        self.last_error = None;
        self.forced_pending = false;
        self.next_attempt = now + jittered(self.interval, self.seed, self.successes);
        self.successes = self.successes.wrapping_add(1);
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self, now: Instant, error: FetchError) {
        self.failures = self.failures.saturating_add(1);
        self.last_error = Some(error);
        self.forced_pending = false;
        self.next_attempt = now + backoff(self.failures).min(self.interval);
    }

    /// Why the last attempt failed; `None` after a success and before the first.
    pub(super) fn last_error(&self) -> Option<FetchError> {
        self.last_error
    }

    /// A request brought a `kid` that the set does not have.
    pub(super) fn unknown_key(&mut self, key_id: &KeyIdHash, now: Instant) -> UnknownKey {
        let remembered = self.unknown.get(key_id).is_some_and(|since| now.duration_since(*since) < UNKNOWN_FOR);
        if remembered {
            return UnknownKey::Refuse;
        }
        if self.forced_pending {
            return UnknownKey::Join;
        }
        if self.forced_at.is_some_and(|at| now.duration_since(at) < FORCED_INTERVAL) {
            return UnknownKey::Refuse;
        }
        self.forced_at = Some(now);
        self.forced_pending = true;
        UnknownKey::Refresh
    }

    /// A fresh set does not have this `kid` either.
    pub(super) fn remember_unknown(&mut self, key_id: KeyIdHash, now: Instant) {
        if self.unknown.len() >= MAX_UNKNOWN {
            self.unknown.retain(|_, since| now.duration_since(*since) < UNKNOWN_FOR);
        }
        // Still full: one that is not remembered costs at most one refresh in 30 s.
        if self.unknown.len() < MAX_UNKNOWN {
            self.unknown.insert(key_id, now);
        }
    }
}

/// From one fetch to the next, for keys that serve for at most `max_age`.
pub(super) fn refresh_interval(max_age: Duration) -> Duration {
    REFRESH_INTERVAL.min(max_age / ATTEMPTS_WITHIN_AGE)
}

/// `interval` give or take a tenth: the same for the same `seed` and `number`, spread evenly over many.
fn jittered(interval: Duration, seed: u64, number: u64) -> Duration {
    // SplitMix64 (Steele, Lea, Flood 2014): every bit of the seed reaches every bit of the outcome.
    let mut mixed = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let share = u32::try_from(mixed % 2001).expect("a remainder by 2001 is at most 2000");
    interval * (9000 + share) / 10_000
}

fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (FIRST_BACKOFF * 2_u32.pow(doublings)).min(MAX_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::fetch::{FetchCause, FetchStep};

    const ERROR: FetchError = FetchError { step: FetchStep::KeySet, cause: FetchCause::Connect };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn schedule(now: Instant) -> Schedule {
        Schedule::new(REFRESH_INTERVAL, 7, now)
    }

    #[test]
    fn the_first_attempt_is_at_once_and_the_next_after_an_hour_or_so() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        assert_eq!(schedule.wait(start), Duration::ZERO);
        schedule.succeeded(start);
        let wait = schedule.wait(start);
        assert!((seconds(3240)..=seconds(3960)).contains(&wait), "{wait:?}");
        assert_eq!(schedule.wait(start + wait.saturating_sub(seconds(1))), seconds(1));
        assert_eq!(schedule.wait(start + seconds(4000)), Duration::ZERO);
    }

    #[test]
    fn pods_that_started_together_ask_at_moments_that_are_spread_over_a_fifth_of_the_interval() {
        let hour = REFRESH_INTERVAL;
        let waits = |seeds: std::ops::Range<u64>, number| seeds.map(move |seed| jittered(hour, seed, number).as_secs());
        let mut of_pods: Vec<u64> = waits(0..1000, 0).collect();
        of_pods.sort_unstable();
        assert!(of_pods[0] >= 3240 && of_pods[999] <= 3960, "{} {}", of_pods[0], of_pods[999]);
        assert!(of_pods[0] < 3260 && of_pods[999] > 3940, "{} {}", of_pods[0], of_pods[999]);
        let in_one_minute =
            of_pods.iter().map(|wait| of_pods.iter().filter(|other| other.abs_diff(*wait) < 30).count());
        assert!(in_one_minute.max().unwrap() < 150, "of 1,000 pods, where 83 would be even");
        // Also for one pod: two that met once part again.
        let of_one: std::collections::BTreeSet<_> = (0..10).map(|number| jittered(hour, 1, number)).collect();
        assert!(of_one.len() > 8, "{of_one:?}");
        assert_eq!(jittered(hour, 1, 2), jittered(hour, 1, 2));
    }

    #[test]
    fn keys_that_may_not_grow_old_are_asked_for_more_often() {
        for (max_age, interval) in [(60, 15), (3600, 900), (14_400, 3600), (86_400, 3600), (604_800, 3600)] {
            assert_eq!(refresh_interval(seconds(max_age)), seconds(interval), "{max_age}");
        }
        let start = Instant::now();
        let mut schedule = Schedule::new(seconds(15), 7, start);
        (0..9).for_each(|_| schedule.failed(start, ERROR));
        assert_eq!(schedule.wait(start), seconds(15), "a pause is no longer than the interval");
    }

    #[test]
    fn failures_back_off_to_a_minute_and_a_success_forgets_them() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        let mut waits = Vec::new();
        for _ in 0..9 {
            schedule.failed(start, ERROR);
            waits.push(schedule.wait(start).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(schedule.last_error(), Some(ERROR));
        schedule.failures = u32::MAX;
        schedule.failed(start, ERROR);
        assert_eq!(schedule.wait(start), MAX_BACKOFF);
        schedule.succeeded(start);
        assert_eq!(schedule.last_error(), None);
        schedule.failed(start, ERROR);
        assert_eq!(schedule.wait(start), FIRST_BACKOFF);
    }

    #[test]
    fn requests_cause_one_refresh_in_thirty_seconds_whatever_ids_they_bring() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        assert_eq!(schedule.unknown_key(&[1; 32], start), UnknownKey::Refresh);
        assert_eq!(schedule.unknown_key(&[1; 32], start), UnknownKey::Join);
        assert_eq!(schedule.unknown_key(&[2; 32], start), UnknownKey::Join);
        schedule.succeeded(start);
        assert_eq!(schedule.unknown_key(&[3; 32], start + seconds(29)), UnknownKey::Refuse);
        assert_eq!(schedule.unknown_key(&[3; 32], start + seconds(30)), UnknownKey::Refresh);
        schedule.failed(start + seconds(31), ERROR);
        assert_eq!(schedule.unknown_key(&[3; 32], start + seconds(59)), UnknownKey::Refuse);
        assert_eq!(schedule.unknown_key(&[3; 32], start + seconds(60)), UnknownKey::Refresh);
    }

    #[test]
    fn an_id_that_was_looked_for_in_vain_causes_nothing_for_five_minutes() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        schedule.remember_unknown([1; 32], start);
        assert_eq!(schedule.unknown_key(&[1; 32], start + seconds(299)), UnknownKey::Refuse);
        assert_eq!(schedule.unknown_key(&[1; 32], start + seconds(300)), UnknownKey::Refresh);
    }

    #[test]
    fn remembered_ids_are_bounded_and_old_ones_make_room() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        for number in 0..5000_u32 {
            let mut key_id = [0; 32];
            key_id[..4].copy_from_slice(&number.to_be_bytes());
            schedule.remember_unknown(key_id, start);
        }
        assert_eq!(schedule.unknown.len(), MAX_UNKNOWN);
        schedule.remember_unknown([255; 32], start + UNKNOWN_FOR);
        assert_eq!(schedule.unknown.len(), 1);
    }
}
