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
use bytes::Bytes;
use crds::gateway_report::KeySetState;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, Semaphore, watch};
use tracing::{info, warn};

use super::{
    AuthDeps, FetchCause, FetchError, FetchStep, InvalidToken, KeyRules, KeySet, KeySource, Refusal,
    fetch::{Fetched, KeyFetcher},
    key_cache::SnapshotFile,
    key_file::{KeyDocument, LOOK_INTERVAL, MountedKeys},
    schedule::{Schedule, UnknownKey, refresh_interval},
    snapshot::{Ignored, Origin},
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
    /// Read by `restore`, written by `keep`. `None`: these keys are not kept over a restart.
    snapshot: Option<SnapshotFile>,
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
    /// It comes from the process before this one; nobody has confirmed it since.
    restored: bool,
    /// The issuer's own metadata, byte for byte, where the keys were found through it.
    pub(super) metadata: Option<Bytes>,
}

/// What becomes of the snapshot after an attempt.
pub(super) enum Keep {
    /// It stays as it is.
    AsItIs,
    /// It is replaced.
    Set {
        /// As it was fetched.
        jwks: Vec<u8>,
        /// [`KeySet::identity`].
        identity: [u8; 32],
        /// When it was asked for, by the time of day.
        asked_at: Timestamp,
    },
    /// It goes: the issuer has withdrawn its keys.
    Nothing,
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
        let origin = match &source {
            KeySource::Discovery { .. } => Some(Origin::new(Arc::clone(&issuer), None)),
            KeySource::JwksUri { uri, .. } => Some(Origin::new(Arc::clone(&issuer), Some(uri.clone()))),
            // A file is there after a restart as it was before.
            KeySource::File { .. } | KeySource::Static(_) | KeySource::Unavailable => None,
        };
        let fetcher = |jwks_uri, ca_pem: Option<Vec<u8>>| {
            let addresses = rules.addresses(deps.addresses);
            KeyFetcher::new(issuer.to_string(), jwks_uri, ca_pem.as_deref(), addresses).map(Source::Issuer)
        };
        let source = match source {
            KeySource::Discovery { ca_pem } => fetcher(None, ca_pem)?,
            KeySource::JwksUri { uri, ca_pem } => fetcher(Some(uri), ca_pem)?,
            KeySource::File { path } => Source::File(MountedKeys::new(path)),
            KeySource::Static(set) => {
                loaded = Some(LoadedKeys { set, age: None, file: None, restored: false, metadata: None });
                Source::Nowhere
            }
            KeySource::Unavailable => Source::Nowhere,
        };
        let snapshot = match (&deps.key_cache, origin) {
            (Some(cache), Some(origin)) => Some(SnapshotFile::new(Arc::clone(cache), origin)),
            _ => None,
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
            snapshot,
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

    /// Takes over the set that the process before this one has kept, if it is good. Only the refresh task may call it, once
    /// and first.
    pub(super) async fn restore(&self, clock: &dyn Clock) {
        let Some(snapshot) = self.snapshot.as_ref().filter(|_| !self.ever_loaded()) else { return };
        let issuer = &self.issuer;
        match self.last_good(snapshot, clock).await {
            Ok(None) => {}
            Ok(Some(loaded)) => {
                let (usable, seconds) = (loaded.set.usable(), loaded.age(clock.monotonic()).as_secs());
                info!(issuer = %issuer, usable, "took over {usable} keys of {issuer} that are {seconds} s old");
                snapshot.found(loaded.set.identity());
                self.put_into_force(Arc::new(loaded));
            }
            Err(reason) => {
                warn!(issuer = %issuer, reason = %reason, "the snapshot of the keys of {issuer} is ignored: {reason}");
            }
        }
    }

    async fn last_good(&self, snapshot: &SnapshotFile, clock: &dyn Clock) -> Result<Option<LoadedKeys>, Ignored> {
        let Some(bytes) = snapshot.read().await? else { return Ok(None) };
        let at = clock.monotonic();
        let (jwks, was) = snapshot.origin.open(&bytes, clock.now(), self.rules.max_age)?;
        let set = KeySet::parse(jwks, &self.rules.algorithms).map_err(Ignored::KeySet)?;
        Ok(Some(LoadedKeys { set, age: Some(Age { at, was }), file: None, restored: true, metadata: None }))
    }

    /// One attempt to renew the set; what it says of the snapshot is for [`IssuerKeys::keep`]. Only the refresh task may
    /// call it.
    pub(super) async fn refresh(&self, clock: &dyn Clock) -> Keep {
        let attempt = match &self.source {
            Source::Issuer(fetcher) => self.fetch(fetcher, clock).await,
            Source::File(mounted) => self.read(mounted, clock).await.map(|loaded| (loaded, Keep::AsItIs)),
            Source::Nowhere => return Keep::AsItIs,
        };
        let now = clock.monotonic();
        let keep = match attempt {
            Ok((loaded, keep)) => {
                if let Some(loaded) = loaded {
                    self.accept(loaded);
                }
                self.schedule().succeeded(now);
                keep
            }
            Err(error) => {
                self.note_failure(error, now);
                if error.withdraws_keys() { Keep::Nothing } else { Keep::AsItIs }
            }
        };
        self.attempts.send_modify(|attempts| *attempts += 1);
        keep
    }

    /// Brings the snapshot up to date. Apart from the attempt: nobody who waits for keys waits for a disk.
    pub(super) async fn keep(&self, keep: Keep) {
        let Some(snapshot) = &self.snapshot else { return };
        match keep {
            Keep::AsItIs => {}
            Keep::Set { jwks, identity, asked_at } => snapshot.keep(&jwks, identity, asked_at).await,
            Keep::Nothing => snapshot.forget().await,
        }
    }

    async fn fetch(&self, fetcher: &KeyFetcher, clock: &dyn Clock) -> Result<(Option<LoadedKeys>, Keep), FetchError> {
        // The age counts from the question: the answer may be older than its arrival.
        let (age, asked_at) = (Age { at: clock.monotonic(), was: Duration::ZERO }, clock.now());
        let Fetched { jwks, metadata } = fetcher.fetch().await?;
        let set = KeySet::parse(&jwks, &self.rules.algorithms)?;
        let keep = Keep::Set { jwks, identity: set.identity(), asked_at };
        let loaded =
            LoadedKeys { set, age: Some(age), file: None, restored: false, metadata: metadata.map(Bytes::from) };
        Ok((Some(loaded), keep))
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
        Ok(Some(LoadedKeys { set, age: Some(age), file, restored: false, metadata: None }))
    }

    fn accept(&self, loaded: LoadedKeys) {
        let before = self.loaded.load().as_ref().map(|loaded| loaded.set.identity());
        let set = &loaded.set;
        if before != Some(set.identity()) {
            let (usable, skipped, issuer) = (set.usable(), set.skipped().total(), &self.issuer);
            info!(issuer = %issuer, usable, skipped, "loaded {usable} keys of {issuer}, left out {skipped}");
        }
        self.put_into_force(Arc::new(loaded));
    }

    /// Begins with what `before` has, which came from the same place in the same way. Its age goes on.
    pub(super) fn inherit(&self, before: &Self) {
        if let Some(loaded) = before.loaded.load_full() {
            self.put_into_force(loaded);
        }
    }

    fn put_into_force(&self, loaded: Arc<LoadedKeys>) {
        self.loaded.store(Some(loaded));
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
            age if failing || loaded.restored || age > self.fresh_for() => KeySetState::Stale,
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
