//! The keys of one issuer as they are now: an immutable set that is swapped whole, and the task that renews it.
//!
//! Only [`IssuerKeys::refresh`] talks to the network, and only the one task of the issuer calls it, so there is one
//! fetch at a time. Requests read; one that brings an unknown `kid` may wake the task and wait a bounded time.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use crds::gateway_report::KeySetState;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, Semaphore, watch};
use tracing::{info, warn};

use super::{
    FetchError, InvalidToken, KeyRules, KeySet, Refusal,
    fetch::KeyFetcher,
    schedule::{Schedule, UnknownKey, refresh_interval},
};
use crate::clock::Clock;

/// How long a request waits for the refresh that its unknown `kid` caused. Chosen: most issuers answer within
/// a second, and a client that is told to come back does.
const WAIT_FOR_REFRESH: Duration = Duration::from_secs(3);

/// How many requests wait at once. Chosen: a slow issuer must not hold the connections of all callers.
const MAX_WAITING: usize = 32;

/// The keys of one issuer.
pub(super) struct IssuerKeys {
    /// As configured; for logs and reports.
    issuer: Arc<str>,
    /// `None`: the keys were given at start and never change.
    fetcher: Option<KeyFetcher>,
    /// As configured; read at each attempt.
    rules: KeyRules,
    /// Written by `refresh`, read by every request.
    loaded: ArcSwapOption<LoadedKeys>,
    /// Set with the first key set and never cleared: losing the issuer later does not make a pod unready.
    ever_loaded: AtomicBool,
    /// Written by `refresh` and by requests with an unknown `kid`; never held across an await.
    schedule: Mutex<Schedule>,
    /// Requests wake the refresh task with it.
    wake: Notify,
    /// Counts attempts; the refresh task tells waiting requests with it.
    attempts: watch::Sender<u64>,
    /// One permit for each request that waits.
    waiting: Semaphore,
}

/// A key set and when it was asked for.
pub(super) struct LoadedKeys {
    pub(super) set: KeySet,
    /// `None`: it never ages.
    fetched_at: Option<Instant>,
}

impl IssuerKeys {
    /// Keys that `fetcher` will bring; none so far.
    pub(super) fn fetched(issuer: Arc<str>, fetcher: KeyFetcher, rules: KeyRules, seed: u64, now: Instant) -> Self {
        let schedule = Schedule::new(refresh_interval(rules.max_age), seed, now);
        Self::new(issuer, Some(fetcher), rules, None, schedule)
    }

    /// Keys that are known from the start and stay.
    pub(super) fn fixed(issuer: Arc<str>, set: KeySet, now: Instant) -> Self {
        let loaded = LoadedKeys { set, fetched_at: None };
        Self::new(issuer, None, KeyRules::default(), Some(loaded), never(now))
    }

    /// No keys, and nowhere to get them from.
    pub(super) fn absent(issuer: Arc<str>, now: Instant) -> Self {
        Self::new(issuer, None, KeyRules::default(), None, never(now))
    }

    fn new(
        issuer: Arc<str>,
        fetcher: Option<KeyFetcher>,
        rules: KeyRules,
        loaded: Option<LoadedKeys>,
        schedule: Schedule,
    ) -> Self {
        Self {
            issuer,
            fetcher,
            rules,
            ever_loaded: AtomicBool::new(loaded.is_some()),
            loaded: ArcSwapOption::new(loaded.map(Arc::new)),
            schedule: Mutex::new(schedule),
            wake: Notify::new(),
            attempts: watch::Sender::new(0),
            waiting: Semaphore::new(MAX_WAITING),
        }
    }

    /// Whether there was a key set once.
    pub(super) fn ever_loaded(&self) -> bool {
        self.ever_loaded.load(Ordering::Acquire)
    }

    /// The set in force; `None` before the first, after a withdrawal, and when the last is too old.
    pub(super) fn usable(&self, now: Instant) -> Option<Arc<LoadedKeys>> {
        self.loaded.load_full().filter(|loaded| loaded.age(now) <= self.rules.max_age)
    }

    /// The refusal of a request that needs keys while there are none.
    pub(super) fn unavailable(&self, now: Instant) -> Refusal {
        let seconds = self.schedule().wait(now).as_secs() + 1;
        Refusal::KeysUnavailable { retry_after: Duration::from_secs(seconds.min(60)) }
    }

    /// A request brought a `kid` that the set in force does not have. `Ok`: look again.
    pub(super) async fn look_for(&self, key_id: &str, clock: &dyn Clock) -> Result<(), Refusal> {
        let hash = Sha256::digest(key_id).into();
        // Subscribed before the task is woken: its answer cannot be missed.
        let mut attempts = self.attempts.subscribe();
        let refused = || Refusal::Invalid(InvalidToken::UnknownKey);
        if self.fetcher.is_none() {
            return Err(refused());
        }
        match self.schedule().unknown_key(&hash, clock.monotonic()) {
            UnknownKey::Refuse => return Err(refused()),
            UnknownKey::Refresh => self.wake.notify_one(),
            UnknownKey::Join => {}
        }
        let come_back = Refusal::KeysUnavailable { retry_after: Duration::from_secs(1) };
        let _permit = self.waiting.try_acquire().map_err(|_| come_back)?;
        let attempt = tokio::time::timeout(WAIT_FOR_REFRESH, attempts.changed()).await;
        attempt.map_err(|_| come_back)?.map_err(|_| come_back)?;
        let now = clock.monotonic();
        let found = self.usable(now).is_some_and(|loaded| loaded.set.knows(key_id));
        let mut schedule = self.schedule();
        if !found && schedule.last_error().is_none() {
            schedule.remember_unknown(hash, now);
        }
        if found { Ok(()) } else { Err(refused()) }
    }

    /// Sleeps until the next attempt is due or a request asks for one. For ever, when the keys are fixed.
    pub(super) async fn due(&self, clock: &dyn Clock) {
        if self.fetcher.is_none() {
            return std::future::pending().await;
        }
        let wait = self.schedule().wait(clock.monotonic());
        // Whichever comes first; both are answered alike.
        let _ = tokio::time::timeout(wait, self.wake.notified()).await;
    }

    /// One attempt to renew the set. Only the refresh task may call it.
    pub(super) async fn refresh(&self, clock: &dyn Clock) {
        let Some(fetcher) = &self.fetcher else { return };
        // The age counts from the question: the answer may be older than its arrival.
        let asked_at = clock.monotonic();
        let answer = fetcher.fetch().await;
        match answer.and_then(|fetched| Ok(KeySet::parse(&fetched.jwks, &self.rules.algorithms)?)) {
            Ok(set) => self.accept(set, asked_at, clock.monotonic()),
            Err(error) => self.note_failure(error, clock.monotonic()),
        }
        self.attempts.send_modify(|attempts| *attempts += 1);
    }

    fn accept(&self, set: KeySet, asked_at: Instant, now: Instant) {
        let before = self.loaded.load().as_ref().map(|loaded| loaded.set.identity());
        if before != Some(set.identity()) {
            let (usable, skipped, issuer) = (set.usable(), set.skipped().total(), &self.issuer);
            info!(issuer = %issuer, usable, skipped, "loaded {usable} keys of {issuer}, left out {skipped}");
        }
        self.loaded.store(Some(Arc::new(LoadedKeys { set, fetched_at: Some(asked_at) })));
        self.ever_loaded.store(true, Ordering::Release);
        self.schedule().succeeded(now);
    }

    /// The last good set stays, unless the issuer says that none of its keys is valid.
    fn note_failure(&self, error: FetchError, now: Instant) {
        warn!(issuer = %self.issuer, reason = %error, "no new keys from {}: {error}", self.issuer);
        if error.withdraws_keys() {
            self.loaded.store(None);
        }
        self.schedule().failed(now, error);
    }

    /// Whether tokens of the issuer can be checked.
    pub(super) fn state(&self, now: Instant) -> KeySetState {
        let Some(loaded) = self.loaded.load_full() else {
            return KeySetState::Pending;
        };
        let failing = self.last_error().is_some();
        match loaded.age(now) {
            age if age > self.rules.max_age => KeySetState::Expired,
            // Twice the interval without an attempt: the task does not run, which is no better than failing.
            age if failing || age > 2 * refresh_interval(self.rules.max_age) => KeySetState::Stale,
            _ => KeySetState::Ready,
        }
    }

    /// Why the last attempt failed; `None` after a success.
    pub(super) fn last_error(&self) -> Option<FetchError> {
        self.schedule().last_error()
    }

    /// The last good set, also when it is too old to be used.
    pub(super) fn loaded(&self) -> Option<Arc<LoadedKeys>> {
        self.loaded.load_full()
    }

    /// The schedule is whole after every statement, so a panic elsewhere leaves nothing half done.
    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The schedule of keys that nobody renews.
fn never(now: Instant) -> Schedule {
    Schedule::new(Duration::ZERO, 0, now)
}

impl LoadedKeys {
    /// How long ago the set was asked for; zero for a fixed one.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.fetched_at.map_or(Duration::ZERO, |fetched_at| now.saturating_duration_since(fetched_at))
    }
}
