//! What a request may use: configuration, policy, endpoint, authenticator, clock, metrics. Built once.
//!
//! A cheap handle. All of it is immutable but the policy, which is swapped whole, and the flag that
//! says that the process drains. Building it reads no file and asks nobody.

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use crds::gateway_config::AuthMode;
use secrecy::ExposeSecret;

use crate::{
    auth::{AuthDeps, AuthSetupError, Authenticator, IssuerSettings, KeyCache},
    clock::{Clock, SystemClock},
    config::{CaFile, Config},
    features::{Catalog, CatalogError, Change, Changes, DEFAULT_DEADLINE, Features, Provider},
    gateway::Policy,
    health::Probe,
    layers::{answer_body::AnswerBudget, body::BodyBudget},
    mcp::{Endpoint, EndpointSettings},
    metrics::Metrics,
    net::AddressPolicy,
    places::Places,
    policy_file::{LoadedPolicy, PolicyFileError, PolicySource},
    seal::{KeyRing, KeyRingError},
    store::{MemoryStore, RedisStore, Store},
    telemetry::{Telemetry, TelemetryError},
    tools::BuiltinTools,
    upstream::{Upstream, UpstreamSettings, UpstreamSetupError},
};

/// Requests that are worked on at a time. Chosen: several times what two cores can keep busy, for
/// tools that mostly wait.
const MAX_IN_FLIGHT: usize = 512;

/// Makes providers beside those of the configuration; they tell [`Changes`] what changes.
pub type MakeProviders = Box<dyn FnOnce(&Changes) -> Vec<Arc<dyn Provider>> + Send>;

/// A handle on everything that a request may use.
#[derive(Clone)]
pub struct App(Arc<AppInner>);

struct AppInner {
    /// Read by everyone.
    config: Config,
    /// Written by [`crate::policy_file::watch`], read by every request.
    policy: ArcSwap<LoadedPolicy>,
    /// Where `policy` comes from; read by [`crate::serve`], which starts the watch.
    policy_source: PolicySource,
    /// Why the policy file of this moment is not used. Written by the watch, read by the report.
    policy_problem: ArcSwapOption<String>,
    /// Answers MCP requests; owns the catalog.
    endpoint: Endpoint,
    /// What replicas share, or this process's own memory.
    store: Arc<dyn Store>,
    /// The same, if it is a Redis; read by [`crate::serve`], which runs it.
    redis: Option<Arc<RedisStore>>,
    /// In the configuration's order; read by [`crate::serve`], which runs them, and by the report.
    upstreams: Vec<Arc<Upstream>>,
    /// `None` only under `auth.mode: None`. Written by [`crate::issuers`], read by every request.
    authenticator: Option<Arc<ArcSwap<Authenticator>>>,
    /// What another authenticator would be built with; read by [`crate::issuers`].
    auth_deps: AuthDeps,
    /// The issuers' CA bundles as they were found last. Written by [`crate::issuers`], read by the report.
    cas: ArcSwap<Vec<CaFile>>,
    /// Written by layers and handlers, read by the admin listener.
    metrics: Metrics,
    /// Makes the spans of every request.
    telemetry: Telemetry,
    clock: Arc<dyn Clock>,
    /// What all bodies may take together.
    body_budget: BodyBudget,
    /// What all larger answers may take together.
    answer_budget: AnswerBudget,
    /// How many requests may be worked on.
    places: Places,
    /// Written once, by [`crate::serve`] when it is told to stop.
    draining: AtomicBool,
}

/// What the world around decides: the time, and what may be reached.
pub struct Deps {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Whether the public listener is bound to loopback. Only then may issuers and collectors be there.
    pub listens_on_loopback: bool,
    /// The Kubernetes API server, which is neither issuer nor collector. `None` outside of a cluster.
    pub api_server: Option<IpAddr>,
    /// Differs between processes: pods that started together do not ask their issuers together.
    pub jitter_seed: u64,
    /// The folder in which key sets are kept over a restart. `None`: nowhere.
    pub key_cache: Option<PathBuf>,
    /// Who issues tokens instead of the configuration's issuers: the in-process issuer of `--dev`.
    pub issuers: Option<Vec<IssuerSettings>>,
    /// What is offered besides the configuration's: nothing, but in tests.
    pub providers: MakeProviders,
}

impl Deps {
    /// The machine's clock, and the issuers of the configuration.
    pub fn new(listens_on_loopback: bool) -> Self {
        Self {
            clock: Arc::new(SystemClock),
            listens_on_loopback,
            api_server: None,
            jitter_seed: rand::random(),
            key_cache: None,
            issuers: None,
            providers: Box::new(|_| Vec::new()),
        }
    }
}

/// Why an [`App`] cannot be built from a checked configuration.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The policy file cannot be used.
    #[error("{file}: {problem}")]
    Policy {
        /// Name of the file.
        file: String,
        /// Names the field.
        problem: PolicyFileError,
    },
    /// The authenticator cannot be set up.
    #[error("authentication cannot be set up")]
    Auth(#[source] AuthSetupError),
    /// The tools cannot be offered.
    #[error("the tools cannot be set up")]
    Tools(#[source] CatalogError),
    /// An upstream cannot be set up.
    #[error("field `upstreams[{index}]`: the upstream cannot be set up")]
    Upstream {
        /// Its position, from 0.
        index: usize,
        /// Names what is wrong.
        #[source]
        problem: UpstreamSetupError,
    },
    /// What clients carry cannot be sealed.
    #[error("field `sealingKeyFiles`: the keys cannot be used")]
    Keys(#[source] KeyRingError),
    /// Traces cannot be exported.
    #[error("traces cannot be set up")]
    Telemetry(#[source] TelemetryError),
}

impl App {
    /// Builds everything, and starts nothing: see [`crate::serve`]. Must be called inside a Tokio runtime.
    pub fn build(config: Config, policy_source: PolicySource, deps: Deps) -> Result<Self, BuildError> {
        let policy = load_policy(&config, &policy_source)?;
        let addresses = AddressPolicy {
            allow_loopback: deps.listens_on_loopback,
            allow_private: config.gateway.allow_private_addresses,
            denied: deps.api_server,
        };
        let telemetry = Telemetry::new(&config, addresses).map_err(BuildError::Telemetry)?;
        let clock = deps.clock;
        let cas = config.read_cas();
        let issuers = deps.issuers.unwrap_or_else(|| config.issuers(&cas));
        let auth_deps = AuthDeps {
            addresses,
            clock: Arc::clone(&clock),
            jitter_seed: deps.jitter_seed,
            key_cache: deps.key_cache.map(|folder| Arc::new(KeyCache::new(folder))),
        };
        let authenticator = match config.gateway.auth.mode {
            AuthMode::None => None,
            AuthMode::OAuth => {
                let authenticator = Authenticator::new(issuers, auth_deps.clone()).map_err(BuildError::Auth)?;
                Some(Arc::new(ArcSwap::from_pointee(authenticator)))
            }
        };
        let redis = config.redis.clone().map(|settings| Arc::new(RedisStore::new(settings, addresses)));
        let store: Arc<dyn Store> = match &redis {
            Some(redis) => Arc::clone(redis) as Arc<dyn Store>,
            None => Arc::new(MemoryStore::default()),
        };
        let mut metrics = Metrics::default();
        if let Some(redis) = &redis {
            metrics.show_redis(redis.measures());
        }
        let probe =
            Probe { authenticator: authenticator.clone(), telemetry: telemetry.clone(), store: Arc::clone(&store) };
        let changes = Changes::default();
        let mut providers: Vec<Arc<dyn Provider>> =
            vec![Arc::new(BuiltinTools::new(config.gateway.builtins, Arc::new(probe)))];
        providers.extend((deps.providers)(&changes));
        let upstreams = upstreams(&config, addresses, &changes)?;
        providers.extend(upstreams.iter().map(|upstream| Arc::clone(upstream) as Arc<dyn Provider>));
        let endpoint = Endpoint::new(EndpointSettings {
            server_name: config.gateway.mcp_server.name.clone(),
            features: Features::new(providers, changes).map_err(BuildError::Tools)?,
            keys: key_ring(&config)?,
            clock: Arc::clone(&clock),
            store: Arc::clone(&store),
            shares_store: redis.is_some(),
        });
        Ok(Self(Arc::new(AppInner {
            policy: ArcSwap::from_pointee(policy),
            policy_source,
            policy_problem: ArcSwapOption::empty(),
            endpoint,
            store,
            redis,
            upstreams,
            authenticator,
            auth_deps,
            cas: ArcSwap::from_pointee(cas),
            metrics,
            telemetry,
            clock,
            body_budget: BodyBudget::default(),
            answer_budget: AnswerBudget::default(),
            places: Places::new(MAX_IN_FLIGHT),
            draining: AtomicBool::new(false),
            config,
        })))
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The policy in force at this moment; hold it for one decision, not longer than a request.
    pub fn policy(&self) -> PolicyInForce {
        PolicyInForce(self.0.policy.load_full())
    }

    /// Revision of the policy in force.
    pub fn policy_revision(&self) -> String {
        self.0.policy.load().revision.clone()
    }

    /// Tells what anybody may find in a list here: equal where another replica offers the same under the same rules.
    pub fn lists(&self) -> String {
        format!("{}.{}", self.catalog().digest(), self.0.policy.load().lists)
    }

    /// Where the policy comes from.
    pub fn policy_source(&self) -> &PolicySource {
        &self.0.policy_source
    }

    /// What exists at this moment, before any filtering by caller.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.0.endpoint.catalog()
    }

    /// What answers MCP requests.
    pub fn mcp(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// What replicas share, or this process's own memory.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The store, if it is a Redis.
    pub fn redis(&self) -> Option<&Arc<RedisStore>> {
        self.0.redis.as_ref()
    }

    /// The upstreams, in the configuration's order.
    pub fn upstreams(&self) -> &[Arc<Upstream>] {
        &self.0.upstreams
    }

    /// The longest that a call may take.
    pub fn longest_deadline(&self) -> Duration {
        let upstreams = self.0.config.gateway.upstreams.iter();
        let deadlines = upstreams.map(|upstream| Duration::from_secs(upstream.timeout_seconds.into()));
        deadlines.fold(DEFAULT_DEADLINE, Duration::max)
    }

    /// What checks tokens at this moment. `None` only under `auth.mode: None`.
    pub fn authenticator(&self) -> Option<Arc<Authenticator>> {
        self.0.authenticator.as_ref().map(|current| current.load_full())
    }

    /// Counters and histograms.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// What makes spans.
    pub fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    /// Where the time comes from.
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// What all bodies may take together.
    pub fn body_budget(&self) -> &BodyBudget {
        &self.0.body_budget
    }

    /// What all larger answers may take together.
    pub fn answer_budget(&self) -> &AnswerBudget {
        &self.0.answer_budget
    }

    /// How many requests may be worked on.
    pub fn places(&self) -> &Places {
        &self.0.places
    }

    /// Whether the process has been told to stop.
    pub fn draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// What is wrong with mounted files at this moment, one sentence each.
    pub fn file_problems(&self) -> Vec<String> {
        let cas = self.0.cas.load();
        let cas = cas.iter().enumerate().filter_map(|(index, ca)| ca.problem().map(|problem| (index, problem)));
        let mut problems: Vec<_> =
            cas.map(|(index, problem)| format!("auth.issuers[{index}].caFile {problem}")).collect();
        let key_files = self.authenticator().map(|current| current.file_problems()).unwrap_or_default();
        let problem = |(index, cause)| format!("auth.issuers[{index}].jwksFile is not used: {cause}");
        problems.extend(key_files.into_iter().map(problem));
        problems.extend(self.0.policy_problem.load().as_deref().cloned());
        problems
    }

    pub(crate) fn start_draining(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
        self.0.endpoint.stop();
    }

    pub(crate) fn auth_deps(&self) -> &AuthDeps {
        &self.0.auth_deps
    }

    /// The issuers' CA bundles as they were found last.
    pub(crate) fn cas(&self) -> Arc<Vec<CaFile>> {
        self.0.cas.load_full()
    }

    pub(crate) fn found_cas(&self, cas: Vec<CaFile>) {
        self.0.cas.store(Arc::new(cas));
    }

    pub(crate) fn put_authenticator_into_force(&self, authenticator: Arc<Authenticator>) {
        if let Some(current) = &self.0.authenticator {
            current.store(authenticator);
        }
    }

    pub(crate) fn put_policy_into_force(&self, policy: LoadedPolicy) {
        self.metrics().policy_reloaded(true);
        self.0.endpoint.judge_streams_by(Arc::clone(&policy.policy));
        let lists = policy.lists.clone();
        let before = self.0.policy.swap(Arc::new(policy));
        self.0.policy_problem.store(None);
        // Other rules, other lists.
        if before.lists != lists {
            for list in Change::LISTS {
                self.0.endpoint.changes().tell(list);
            }
        }
    }

    pub(crate) fn refuse_policy(&self, problem: &PolicyFileError) {
        self.metrics().policy_reloaded(false);
        self.0.policy_problem.store(Some(Arc::new(format!("policy file: {problem}"))));
    }
}

/// A policy that stays as it is while it is held.
pub struct PolicyInForce(Arc<LoadedPolicy>);

impl std::ops::Deref for PolicyInForce {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.0.policy
    }
}

fn load_policy(config: &Config, source: &PolicySource) -> Result<LoadedPolicy, BuildError> {
    let refused = |problem| BuildError::Policy { file: source.name(), problem };
    let bytes = source.read().map_err(refused)?;
    LoadedPolicy::compile(config, &bytes).map_err(refused)
}

fn upstreams(config: &Config, addresses: AddressPolicy, changes: &Changes) -> Result<Vec<Arc<Upstream>>, BuildError> {
    let configured = config.gateway.upstreams.iter().enumerate();
    configured
        .map(|(index, upstream)| {
            let settings = UpstreamSettings {
                name: upstream.name.clone(),
                url: upstream.url.clone(),
                deadline: Duration::from_secs(upstream.timeout_seconds.into()),
            };
            Upstream::new(settings, addresses, changes.clone())
                .map_err(|problem| BuildError::Upstream { index, problem })
        })
        .collect()
}

/// The configuration's keys; without any, one that ends with the process.
fn key_ring(config: &Config) -> Result<KeyRing, BuildError> {
    if config.sealing_keys.is_empty() {
        return Ok(KeyRing::of_process());
    }
    KeyRing::new(config.sealing_keys.iter().map(ExposeSecret::expose_secret)).map_err(BuildError::Keys)
}

#[cfg(test)]
mod tests {
    use crds::gateway_config::{GatewayPolicy, Versioned as _};

    use super::*;
    use crate::{config::testing, net::UrlError};

    #[tokio::test]
    async fn the_api_server_is_no_collector_and_its_neighbour_may_be() {
        let build = |collector: &str| {
            let mut document = testing::document();
            document.allow_private_addresses = true;
            document.observability.otlp_endpoint = Some(format!("http://{collector}:4318"));
            let config = Config::from_document(&document).unwrap();
            let policy = GatewayPolicy::parse(br#"{ "version": 1, "authorization": { "default": "Deny" } }"#).unwrap();
            let deps = Deps { api_server: "10.96.0.1".parse().ok(), ..Deps::new(false) };
            App::build(config, PolicySource::Fixed(policy), deps).map(drop)
        };
        assert!(build("10.96.0.2").is_ok());
        let refused = build("10.96.0.1").unwrap_err();
        assert!(matches!(refused, BuildError::Telemetry(TelemetryError::Endpoint(UrlError::Address(_)))));
    }
}
