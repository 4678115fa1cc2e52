//! The one door: headers in, principal or refusal out. Built once, shared by every request.
//!
//! The rules run in the order of auth.md section 4, the cheap ones first. A request never fetches anything; at most
//! it waits, for a bounded time, for the refresh task of its issuer.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use crds::gateway_report::{IssuerReport, KeySetState, MAX_ITEMS};
use http::HeaderMap;
use jsonwebtoken::Validation;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    AuthDeps, AuthSetupError, FetchCause, InvalidToken, IssuerSettings, KeyCache, Principal, Refusal, SkippedKeys,
    bearer, claims,
    decision_cache::{Decision, DecisionCache, TokenHash, token_hash},
    failure_budget::{FailureBudget, RETRY_AFTER},
    key_set::KeyAlgorithm,
    keys::{IssuerKeys, LoadedKeys},
    settings,
    signature::{self, SecondOpinion},
    token_form::TokenForm,
    token_rules::Rules,
};
use crate::{clock::Clock, net::ClientError};

/// The longest `kid` that a report shows: sixteen issuers with a few keys each fit its bound.
const MAX_KEY_ID_BYTES: usize = 128;

/// Turns bearer tokens into principals.
pub struct Authenticator {
    /// In the order of the configuration.
    issuers: Vec<Issuer>,
    /// Written by requests that verified a token; emptied by refresh tasks.
    pub(super) decisions: DecisionCache,
    clock: Arc<dyn Clock>,
    /// Counts what goes wrong; read for metrics.
    key_cache: Option<Arc<KeyCache>>,
    /// Whether the refresh tasks were started.
    running: AtomicBool,
}

/// One configured issuer.
struct Issuer {
    name: Arc<str>,
    audiences: Vec<String>,
    /// What its tokens must look like, and what their claims mean.
    rules: Rules,
    /// One for each algorithm that is enabled.
    validations: Vec<(KeyAlgorithm, Validation)>,
    keys: Arc<IssuerKeys>,
    /// Written by requests whose token is not remembered; never held across an await.
    budget: Mutex<FailureBudget>,
}

/// How authentication is doing; for the tool `health_check` and for metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthHealth {
    /// In the order of the configuration.
    pub issuers: Vec<IssuerHealth>,
    /// How often a key set could not be kept on disk, or removed from it.
    pub key_cache_failures: u64,
}

/// How one issuer is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerHealth {
    /// As configured.
    pub issuer: String,
    /// Whether its tokens can be checked.
    pub state: KeySetState,
    /// How long ago the keys in force were fetched; `None` without keys.
    pub key_age: Option<Duration>,
    /// How many keys of the set were left out, and why.
    pub skipped_keys: SkippedKeys,
    /// Why the last fetch failed, one sentence; `None` after a success.
    pub last_error: Option<String>,
}

impl Authenticator {
    /// Checks the settings and builds the clients. Fetches nothing yet: see [`Authenticator::run`].
    pub fn new(issuers: Vec<IssuerSettings>, deps: AuthDeps) -> Result<Self, AuthSetupError> {
        settings::check(&issuers)?;
        let issuers = issuers.into_iter().enumerate().map(|(index, settings)| {
            let rules = Rules::compile(&settings.tokens);
            let rules = rules.map_err(|problem| AuthSetupError::Tokens { index, problem })?;
            let issuer = Issuer::new(settings, rules, index, &deps);
            issuer.map_err(|source| AuthSetupError::Client { index, source })
        });
        Ok(Self {
            issuers: issuers.collect::<Result<_, _>>()?,
            decisions: DecisionCache::new(),
            clock: deps.clock,
            key_cache: deps.key_cache,
            running: AtomicBool::new(false),
        })
    }

    /// Who sent a request with these headers.
    ///
    /// Before every issuer has given a key set once, everyone is told to come back: a 401 would send clients off to
    /// get another token that cannot be checked either.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Principal>, Refusal> {
        if let Some(pending) = self.issuers.iter().find(|issuer| !issuer.keys.ever_loaded()) {
            return Err(pending.keys.unavailable(self.clock.monotonic()));
        }
        let token = bearer::token(headers)?;
        let hash = token_hash(token);
        match self.remembered(&hash) {
            Some(principal) => Ok(principal),
            None => self.judge(token, hash).await,
        }
    }

    /// The decision about this token, if a fresh one would be the same.
    fn remembered(&self, hash: &TokenHash) -> Option<Arc<Principal>> {
        let decision = self.decisions.get(hash)?;
        let keys = self.issuers[decision.issuer].keys.usable(self.clock.monotonic());
        let same_keys = keys.is_some_and(|loaded| loaded.set.identity() == decision.key_set);
        if same_keys && decision.times.check(self.now()).is_ok() {
            return Some(Arc::clone(&decision.principal));
        }
        self.decisions.remove(hash);
        None
    }

    async fn judge(&self, token: &str, hash: TokenHash) -> Result<Arc<Principal>, Refusal> {
        let form = TokenForm::parse(token)?;
        let (index, issuer) = self.issuer(&form)?;
        form.check_type(issuer.rules.token_type)?;
        let loaded = issuer.keys_for(&form, &*self.clock).await?;
        let opinion = issuer.verify(&form, &loaded, self.clock.monotonic())?;
        let now = self.now();
        let judged = claims::principal(&form.payload, &issuer.name, &issuer.audiences, &issuer.rules, now);
        // It has cost a signature, and is not remembered: a flood of expired tokens is one of bad signatures.
        let (principal, times) = judged.inspect_err(|_| issuer.budget().failed(self.clock.monotonic()))?;
        if opinion == SecondOpinion::DislikesClaims {
            return Err(InvalidToken::Malformed.into());
        }
        let principal = Arc::new(principal);
        let decision = Decision {
            principal: Arc::clone(&principal),
            times,
            issuer: index,
            key_set: loaded.set.identity(),
            lifetime: times.remaining(now),
        };
        self.decisions.insert(hash, decision);
        Ok(principal)
    }

    /// The issuer that the token names, if it takes the token's algorithm; the keys of others are never tried.
    fn issuer(&self, form: &TokenForm<'_>) -> Result<(usize, &Issuer), InvalidToken> {
        let named = form.issuer().ok_or(InvalidToken::Issuer)?;
        let mut issuers = self.issuers.iter().enumerate();
        let (index, issuer) = issuers.find(|(_, issuer)| *issuer.name == *named).ok_or(InvalidToken::Issuer)?;
        // Before any key is looked for: a token of a foreign algorithm wakes no refresh.
        issuer.validation(form.algorithm)?;
        Ok((index, issuer))
    }

    /// Takes over the keys that `from` has; both have the same configuration. They were good before a CA bundle changed, and
    /// go on to age; what is fetched from now on must come under the new one.
    pub fn inherit(&self, from: &Self) {
        self.issuers.iter().zip(&from.issuers).for_each(|(own, before)| own.keys.inherit(&before.keys));
    }

    /// Starts one refresh task for each issuer, which begins with the keys that were kept on disk if it has none; a second
    /// call does nothing.
    #[expect(clippy::needless_pass_by_value, reason = "the tasks own the token from here on")]
    pub fn run(&self, tasks: &TaskTracker, shutdown: CancellationToken) {
        if self.running.swap(true, Ordering::AcqRel) {
            return;
        }
        for (index, issuer) in self.issuers.iter().enumerate() {
            let (keys, decisions) = (Arc::clone(&issuer.keys), self.decisions.clone());
            let clock = Arc::clone(&self.clock);
            let work = async move {
                keys.restore(&*clock).await;
                loop {
                    keys.due(&*clock).await;
                    renew(&keys, &decisions, index, &*clock).await;
                }
            };
            let shutdown = shutdown.clone();
            tasks.spawn(async move { shutdown.run_until_cancelled_owned(work).await });
        }
    }

    /// Whether every issuer has given one usable key set once. Never becomes false again.
    pub fn ready(&self) -> bool {
        self.issuers.iter().all(|issuer| issuer.keys.ever_loaded())
    }

    /// The metadata of the first issuer, byte for byte as it was fetched last; `None` before that, and where its keys are
    /// not found through it.
    pub fn issuer_metadata(&self) -> Option<Bytes> {
        self.issuers.first()?.keys.loaded()?.metadata.clone()
    }

    /// What is wrong with mounted files of keys at this moment: the issuer's position, and why.
    pub fn file_problems(&self) -> Vec<(usize, FetchCause)> {
        let issuers = self.issuers.iter().enumerate();
        issuers.filter_map(|(index, issuer)| Some((index, issuer.keys.file_problem()?))).collect()
    }

    /// What the operator is told about each issuer; within the bounds of a report.
    pub fn reports(&self) -> Vec<IssuerReport> {
        let now = self.clock.monotonic();
        self.issuers.iter().map(|issuer| issuer.report(now)).collect()
    }

    /// Age and state of each issuer's keys.
    pub fn health(&self) -> AuthHealth {
        let now = self.clock.monotonic();
        AuthHealth {
            issuers: self.issuers.iter().map(|issuer| issuer.health(now)).collect(),
            key_cache_failures: self.key_cache.as_ref().map_or(0, |cache| cache.failures()),
        }
    }

    fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    /// One attempt for the issuer at `index`, as its task would make it.
    #[cfg(test)]
    pub(super) async fn refresh(&self, index: usize) {
        renew(&self.issuers[index].keys, &self.decisions, index, &*self.clock).await;
    }

    /// What the task of the issuer at `index` does first.
    #[cfg(test)]
    pub(super) async fn restore(&self, index: usize) {
        self.issuers[index].keys.restore(&*self.clock).await;
    }
}

/// One attempt, and the end of every decision that was made with keys which are no longer in force.
async fn renew(keys: &IssuerKeys, decisions: &DecisionCache, index: usize, clock: &dyn Clock) {
    let keep = keys.refresh(clock).await;
    let in_force = keys.usable(clock.monotonic());
    decisions.keep_only(index, in_force.map(|loaded| loaded.set.identity()));
    keys.keep(keep).await;
}

impl Issuer {
    fn new(settings: IssuerSettings, rules: Rules, index: usize, deps: &AuthDeps) -> Result<Self, ClientError> {
        let now = deps.clock.monotonic();
        let IssuerSettings { issuer, audiences, keys, key_rules, tokens: _ } = settings;
        let name: Arc<str> = issuer.as_str().into();
        let validation = |algorithm: KeyAlgorithm| {
            (algorithm, signature::validation(algorithm, &issuer, &audiences, rules.needs_subject()))
        };
        let validations = key_rules.algorithms.iter().copied().map(KeyAlgorithm::from).map(validation).collect();
        let keys = IssuerKeys::new(Arc::clone(&name), keys, key_rules, index, deps)?;
        let (keys, budget) = (Arc::new(keys), Mutex::new(FailureBudget::new(now)));
        Ok(Self { name, audiences, rules, validations, keys, budget })
    }

    /// How tokens of this algorithm are validated, if it is enabled.
    fn validation(&self, algorithm: KeyAlgorithm) -> Result<&Validation, InvalidToken> {
        let mut validations = self.validations.iter();
        let found = validations.find(|(enabled, _)| *enabled == algorithm);
        found.map(|(_, validation)| validation).ok_or(InvalidToken::Algorithm)
    }

    /// The set in force; after one look at the issuer when it lacks the `kid` of the token.
    async fn keys_for(&self, form: &TokenForm<'_>, clock: &dyn Clock) -> Result<Arc<LoadedKeys>, Refusal> {
        let usable = || {
            let now = clock.monotonic();
            self.keys.usable(now).ok_or_else(|| self.keys.unavailable(now))
        };
        let loaded = usable()?;
        match &form.key_id {
            Some(key_id) if !loaded.set.knows(key_id) => {
                self.keys.look_for(key_id, clock).await?;
                usable()
            }
            _ => Ok(loaded),
        }
    }

    /// Whether a key of the issuer signed the token.
    fn verify(&self, form: &TokenForm<'_>, loaded: &LoadedKeys, now: Instant) -> Result<SecondOpinion, Refusal> {
        let keys = loaded.set.candidates(form.key_id.as_deref(), form.algorithm)?;
        if !self.budget().admits(now) {
            return Err(Refusal::TooManyFailures { retry_after: RETRY_AFTER });
        }
        let validation = self.validation(form.algorithm)?;
        // The lock is free meanwhile: signatures are checked on all cores.
        let opinion = signature::verify(form.text, &keys, validation);
        opinion.map_err(|reason| {
            self.budget().failed(now);
            reason.into()
        })
    }

    /// A budget is whole after every statement, so a panic elsewhere leaves nothing half done.
    fn budget(&self) -> MutexGuard<'_, FailureBudget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, now: Instant) -> IssuerReport {
        let key_ids = self.keys.usable(now).map(|loaded| loaded.set.key_ids()).unwrap_or_default();
        IssuerReport {
            issuer: self.name.to_string(),
            state: self.keys.state(now),
            // A `kid` may be as long as its set; a report may not.
            key_ids: key_ids.into_iter().filter(|id| id.len() <= MAX_KEY_ID_BYTES).take(MAX_ITEMS).collect(),
            last_error: self.keys.last_error().map(|error| error.to_string()),
        }
    }

    fn health(&self, now: Instant) -> IssuerHealth {
        let loaded = self.keys.loaded();
        IssuerHealth {
            issuer: self.name.to_string(),
            state: self.keys.state(now),
            key_age: loaded.as_ref().map(|loaded| loaded.age(now)),
            skipped_keys: loaded.as_ref().map(|loaded| loaded.set.skipped()).unwrap_or_default(),
            last_error: self.keys.last_error().map(|error| error.to_string()),
        }
    }
}
