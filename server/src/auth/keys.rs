//! The keys of one issuer as they are now: an immutable set that is swapped whole, and the task that renews it.
//!
//! Only [`IssuerKeys::refresh`] talks to the network or to the disk, and only the one task of the issuer calls it, so there
//! is one attempt at a time. Requests read; one that brings an unknown `kid` may wake the task and wait a bounded time.

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
    AuthDeps, FetchCause, FetchError, FetchStep, InvalidToken, KeyRules, KeySet, KeySource, Refusal,
    fetch::KeyFetcher,
    key_file::{KeyDocument, LOOK_INTERVAL, MountedKeys},
    schedule::{Schedule, UnknownKey, refresh_interval},
};
use crate::{clock::Clock, net::ClientError};

/// How long a request waits for the refresh that its unknown `kid` caused. Chosen: most issuers answer within
/// a second, and a client that is told to come back does.
const WAIT_FOR_REFRESH: Duration = Duration::from_secs(3);

/// How many requests wait at once. Chosen: a slow issuer must not hold the connections of all callers.
const MAX_WAITING: usize = 32;

/// The keys of one issuer.
pub(super) struct IssuerKeys {
    /// As configured; for logs and reports.
    issuer: Arc<str>,
    /// Asked by `refresh` alone.
    source: Source,
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

/// Where the keys of an issuer come from.
enum Source {
    /// From the issuer.
    Issuer(KeyFetcher),
    /// From the operator.
    File(MountedKeys),
    /// They were given at start, or not, and never change.
    Nowhere,
}

/// A key set and how old it is.
pub(super) struct LoadedKeys {
    pub(super) set: KeySet,
    /// `None`: it never ages.
    age: Option<Age>,
    /// SHA-256 of the mounted file that it was read from, to tell a changed one.
    file: Option<[u8; 32]>,
}

/// How old something was at some moment; it ages on the monotonic clock from then on.
#[derive(Clone, Copy)]
struct Age {
    at: Instant,
    was: Duration,
}

impl IssuerKeys {
    /// The keys of the issuer at `index` of the configuration. Asks nobody yet: see [`IssuerKeys::refresh`].
    pub(super) fn new(
        issuer: Arc<str>,
        source: KeySource,
        rules: KeyRules,
        index: usize,
        deps: &AuthDeps,
    ) -> Result<Self, ClientError> {
        let mut loaded = None;
        let fetcher = |jwks_uri, ca_pem: Option<Vec<u8>>| {
            let addresses = rules.addresses(deps.addresses);
            KeyFetcher::new(issuer.to_string(), jwks_uri, ca_pem.as_deref(), addresses).map(Source::Issuer)
        };
        let source = match source {
            KeySource::Discovery { ca_pem } => fetcher(None, ca_pem)?,
            KeySource::JwksUri { uri, ca_pem } => fetcher(Some(uri), ca_pem)?,
            KeySource::File { path } => Source::File(MountedKeys::new(path)),
            KeySource::Static(set) => {
                loaded = Some(LoadedKeys { set, age: None, file: None });
                Source::Nowhere
            }
            KeySource::Unavailable => Source::Nowhere,
        };
        let interval = match source {
            Source::Issuer(_) => refresh_interval(rules.max_age),
            Source::File(_) | Source::Nowhere => LOOK_INTERVAL,
        };
        // Issuers of one pod do not ask together either.
        let seed = deps.jitter_seed.wrapping_add(index as u64);
        Ok(Self {
            issuer,
            source,
            rules,
            ever_loaded: AtomicBool::new(loaded.is_some()),
            loaded: ArcSwapOption::new(loaded.map(Arc::new)),
            schedule: Mutex::new(Schedule::new(interval, seed, deps.clock.monotonic())),
            wake: Notify::new(),
            attempts: watch::Sender::new(0),
            waiting: Semaphore::new(MAX_WAITING),
        })
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
        if matches!(self.source, Source::Nowhere) {
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
        if matches!(self.source, Source::Nowhere) {
            return std::future::pending().await;
        }
        let wait = self.schedule().wait(clock.monotonic());
        // Whichever comes first; both are answered alike.
        let _ = tokio::time::timeout(wait, self.wake.notified()).await;
    }

    /// One attempt to renew the set. Only the refresh task may call it.
    pub(super) async fn refresh(&self, clock: &dyn Clock) {
        let attempt = match &self.source {
            Source::Issuer(fetcher) => self.fetch(fetcher, clock).await.map(Some),
            Source::File(mounted) => self.read(mounted, clock).await,
            Source::Nowhere => return,
        };
        let now = clock.monotonic();
        match attempt {
            Ok(loaded) => {
                if let Some(loaded) = loaded {
                    self.accept(loaded);
                }
                self.schedule().succeeded(now);
            }
            Err(error) => self.note_failure(error, now),
        }
        self.attempts.send_modify(|attempts| *attempts += 1);
    }

    async fn fetch(&self, fetcher: &KeyFetcher, clock: &dyn Clock) -> Result<LoadedKeys, FetchError> {
        // The age counts from the question: the answer may be older than its arrival.
        let age = Age { at: clock.monotonic(), was: Duration::ZERO };
        let jwks = fetcher.fetch().await?.jwks;
        let set = KeySet::parse(&jwks, &self.rules.algorithms)?;
        Ok(LoadedKeys { set, age: Some(age), file: None })
    }

    /// `None`: the file is the one whose keys are in force.
    async fn read(&self, mounted: &MountedKeys, clock: &dyn Clock) -> Result<Option<LoadedKeys>, FetchError> {
        let refused = |cause| FetchError { step: FetchStep::KeyFile, cause };
        let bytes = mounted.read().await.map_err(refused)?;
        let file = Some(Sha256::digest(&bytes).into());
        if self.loaded.load().as_ref().is_some_and(|loaded| loaded.file == file) {
            return Ok(None);
        }
        let document = KeyDocument::open(&bytes, clock.now(), self.rules.max_age).map_err(refused)?;
        let age = Age { at: clock.monotonic(), was: document.age };
        let set = KeySet::parse(&document.jwks, &self.rules.algorithms);
        let set = set.map_err(|problem| refused(FetchCause::KeySet(problem)))?;
        Ok(Some(LoadedKeys { set, age: Some(age), file }))
    }

    fn accept(&self, loaded: LoadedKeys) {
        let before = self.loaded.load().as_ref().map(|loaded| loaded.set.identity());
        let set = &loaded.set;
        if before != Some(set.identity()) {
            let (usable, skipped, issuer) = (set.usable(), set.skipped().total(), &self.issuer);
            info!(issuer = %issuer, usable, skipped, "loaded {usable} keys of {issuer}, left out {skipped}");
        }
        self.loaded.store(Some(Arc::new(loaded)));
        self.ever_loaded.store(true, Ordering::Release);
    }

    /// The last good set stays, unless the issuer says that none of its keys is valid.
    fn note_failure(&self, error: FetchError, now: Instant) {
        // A file is looked at every few seconds: the same line each time would drown the others.
        if error.step != FetchStep::KeyFile || self.last_error() != Some(error) {
            warn!(issuer = %self.issuer, reason = %error, "no new keys from {}: {error}", self.issuer);
        }
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
            age if failing || age > self.fresh_for() => KeySetState::Stale,
            _ => KeySetState::Ready,
        }
    }

    /// How old keys are before something must be wrong, whatever the attempts say.
    fn fresh_for(&self) -> Duration {
        match self.source {
            // Twice the interval without an attempt: the task does not run, which is no better than failing.
            Source::Issuer(_) => 2 * refresh_interval(self.rules.max_age),
            // Chosen: whoever renews the file does so well before half of what its keys may live.
            Source::File(_) | Source::Nowhere => self.rules.max_age / 2,
        }
    }

    /// Why the mounted file cannot be used, if there is one and it cannot.
    pub(super) fn file_problem(&self) -> Option<FetchCause> {
        let is_file = matches!(self.source, Source::File(_));
        self.last_error().filter(|_| is_file).map(|error| error.cause)
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

impl LoadedKeys {
    /// How long ago the set was asked for; zero for a fixed one.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.age.map_or(Duration::ZERO, |age| age.was.saturating_add(now.saturating_duration_since(age.at)))
    }
}
