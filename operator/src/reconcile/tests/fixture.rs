//! One `McpServer`, an operator whose caches show it, and how to compare worlds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::Arc,
};

use kube::{
    Resource,
    runtime::{
        reflector::{Store, store, store::Writer},
        watcher::Event,
    },
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    caches::{CachedKind, Index, labelled_for},
    leader::Fence,
    observed::ChildKind,
    status::PROGRESS_INTERVAL,
    validate::tests::{mcp_server, settings},
    verify::Prober,
};

/// An API that holds one exposed `McpServer`, `tools` in `demo`.
pub(super) fn api() -> FakeApi {
    let api = FakeApi::default();
    let spec = "{ publicUrl: https://mcp.example.com/mcp, expose: { ingress: {} }, auth: { issuers: [{ issuer: https://login }] } }";
    let object = serde_json::to_value(mcp_server(spec)).unwrap();
    api.edit("mcpservers/tools", |mcp_server| *mcp_server = object);
    api
}

/// Runs until nothing is sent any more.
pub(super) async fn converge(operator: &Operator) {
    for _ in 0..4 {
        operator.sync();
        operator.run().await.unwrap();
        // What is held back is written now.
        tokio::time::advance(PROGRESS_INTERVAL).await;
    }
    operator.sync();
    operator.api.take_requests();
    operator.run().await.unwrap();
    assert_eq!(operator.api.take_requests(), Vec::<String>::new());
}

/// Each way in which a request breaks.
pub(super) const FAULTS: [Fault; 4] =
    [Fault::Rejected(500), Fault::Rejected(403), Fault::Rejected(409), Fault::AnswerLost];

/// Breaks each of the first `requests` of a create in turn, in each way, and runs again, with the same operator and with another: the
/// end is always that of an undisturbed run.
pub(super) async fn whichever_request_breaks(api: impl Fn() -> FakeApi, requests: usize) {
    let reference = api();
    converge(&Operator::new(&reference)).await;
    for index in 0..requests {
        for fault in FAULTS {
            for restarts in [false, true] {
                let api = api();
                api.break_request(index, fault);
                let mut operator = Operator::new(&api);
                operator.run().await.ok();
                if restarts {
                    operator = Operator::new(&api);
                }
                converge(&operator).await;
                let differences = differences(&api, &reference);
                assert!(differences.is_empty(), "request {index} {fault:?}, restarted {restarts}: {differences:?}");
            }
        }
    }
}

/// Which objects are not equal, but for their versions.
pub(super) fn differences(one: &FakeApi, other: &FakeApi) -> Vec<String> {
    let (one, other) = (masked(one), masked(other));
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    keys.into_iter().filter(|key| one.get(*key) != other.get(*key)).cloned().collect()
}

fn masked(api: &FakeApi) -> BTreeMap<String, Value> {
    let mut objects = api.objects();
    for object in objects.values_mut() {
        for volatile in ["resourceVersion", "generation"] {
            object["metadata"][volatile] = Value::Null;
        }
    }
    objects
}

/// One request a line, with the hash of the configuration taken out.
pub(super) fn without_revision(requests: &[String]) -> String {
    let line = |request: &String| match request.split_once("tools-config-") {
        Some((before, after)) => format!("{before}tools-config-REVISION{}", &after[crds::revision::REVISION_LENGTH..]),
        None => request.clone(),
    };
    requests.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// An operator that has just started, with full caches.
pub(super) struct Operator {
    pub(super) api: FakeApi,
    ctx: Arc<Context>,
    writers: std::sync::Mutex<Writers>,
}

struct Writers {
    mcp_servers: Writer<McpServer>,
    fill: Vec<Fill>,
}

impl Operator {
    pub(super) fn new(api: &FakeApi) -> Self {
        Self::with(api, Fence::open(), Clock::fixed(jiff::Timestamp::UNIX_EPOCH))
    }

    pub(super) fn without_lease(api: &FakeApi) -> Self {
        Self::with(api, Fence::default(), Clock::fixed(jiff::Timestamp::UNIX_EPOCH))
    }

    pub(super) fn with_clock(api: &FakeApi, clock: Clock) -> Self {
        Self::with(api, Fence::open(), clock)
    }

    fn with(api: &FakeApi, fence: Fence, clock: Clock) -> Self {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let (mcp_servers, mcp_server_writer) = store();
        let index = Arc::new(Index::default());
        let mut fill = Vec::new();
        let caches = Caches {
            mcp_servers,
            deployments: cache(&mut fill, CachedKind::Child(ChildKind::Deployment), "deployments"),
            stateful_sets: cache(&mut fill, CachedKind::Child(ChildKind::StatefulSet), "statefulsets"),
            pods: cache(&mut fill, CachedKind::Pod, "pods"),
            replica_sets: cache(&mut fill, CachedKind::ReplicaSet, "replicasets"),
            config_maps: cache(&mut fill, CachedKind::Child(ChildKind::ConfigMap), "configmaps"),
            service_accounts: cache(&mut fill, CachedKind::Child(ChildKind::ServiceAccount), "serviceaccounts"),
            services: cache(&mut fill, CachedKind::Child(ChildKind::Service), "services"),
            network_policies: cache(&mut fill, CachedKind::Child(ChildKind::NetworkPolicy), "networkpolicies"),
            ingresses: cache(&mut fill, CachedKind::Child(ChildKind::Ingress), "ingresses"),
            disruption_budgets: cache(
                &mut fill,
                CachedKind::Child(ChildKind::PodDisruptionBudget),
                "poddisruptionbudgets",
            ),
            index,
        };
        let requests = Requests::new(api.client(), fence);
        let (changed, _) = mpsc::channel(1);
        let ctx = Context {
            settings: settings(),
            caches,
            written: Arc::default(),
            verifier: Verifier::new(Prober::new().unwrap(), changed, CancellationToken::new()),
            neighbours: Arc::default(),
            references: References::default(),
            service_account_issuer: Arc::default(),
            events: Events::new(requests.clone(), "test".to_owned()),
            unwritten: Unwritten::default(),
            backoff: Backoff::default(),
            standing_back: StandingBack::default(),
            clock,
            entropy: Entropy::fixed(7),
            metrics: Metrics::default(),
            requests,
        };
        let writers = std::sync::Mutex::new(Writers { mcp_servers: mcp_server_writer, fill });
        let operator = Self { api: api.clone(), ctx: Arc::new(ctx), writers };
        operator.sync();
        operator
    }

    /// An operator whose caches show nothing but the `McpServer`.
    pub(super) fn blind(api: &FakeApi) -> Self {
        let before = FakeApi::default();
        let mcp_server = api.objects()["mcpservers/tools"].clone();
        before.edit("mcpservers/tools", |object| *object = mcp_server);
        let operator = Self::new(api);
        operator.show(&before);
        operator
    }

    /// Shows the caches the world as it is, as a watch does in its own time.
    pub(super) fn sync(&self) {
        self.show(&self.api);
    }

    fn show(&self, api: &FakeApi) {
        let mut writers = self.writers.lock().unwrap();
        let objects = api.objects();
        writers.mcp_servers.apply_watcher_event(&Event::Init);
        let mcp_server = serde_json::from_value(objects["mcpservers/tools"].clone()).unwrap();
        writers.mcp_servers.apply_watcher_event(&Event::InitApply(mcp_server));
        writers.mcp_servers.apply_watcher_event(&Event::InitDone);
        for fill in &mut writers.fill {
            fill(api, &self.ctx.caches.index);
        }
        drop(writers);
        for kind in [
            ChildKind::ServiceAccount,
            ChildKind::ConfigMap,
            ChildKind::NetworkPolicy,
            ChildKind::Service,
            ChildKind::Deployment,
            ChildKind::StatefulSet,
            ChildKind::Ingress,
            ChildKind::PodDisruptionBudget,
        ] {
            self.ctx.written.relisted(kind, None);
        }
    }

    /// One run for the object as the cache has it.
    pub(super) async fn run(&self) -> Result<Action, Error> {
        let cached = self.ctx.caches.mcp_servers.state().pop().unwrap();
        guarded(cached, Arc::clone(&self.ctx)).await
    }

    pub(super) fn metrics(&self) -> String {
        self.ctx.metrics.text().unwrap()
    }
}

type Fill = Box<dyn FnMut(&FakeApi, &Index) + Send>;

fn cache<K>(fills: &mut Vec<Fill>, kind: CachedKind, resource: &'static str) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (reader, mut writer) = store::<K>();
    fills.push(Box::new(move |api, index| {
        writer.apply_watcher_event(&Event::Init);
        for (_, object) in api.objects().into_iter().filter(|(key, _)| key.starts_with(&format!("{resource}/"))) {
            let object: K = serde_json::from_value(object).unwrap();
            // As the label selectors of the watches have it.
            if labelled_for(object.meta()).is_none() && resource != "configmaps" {
                continue;
            }
            index.note(kind, object.meta(), false);
            writer.apply_watcher_event(&Event::InitApply(object));
        }
        writer.apply_watcher_event(&Event::InitDone);
    }));
    reader
}

/// The Secret with the sealing key.
pub(super) const SECRET: &str = "secrets/tools-sealing-1-11111111";

/// Status, reason and message of a condition, as it stands.
pub(super) fn condition(api: &FakeApi, type_: &str) -> String {
    let conditions = api.objects()["mcpservers/tools"]["status"]["conditions"].clone();
    let found = conditions.as_array().unwrap().iter().find(|condition| condition["type"] == type_).unwrap().clone();
    ["status", "reason", "message"].map(|member| found[member].as_str().unwrap().to_owned()).join(" ")
}
