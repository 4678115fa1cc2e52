//! Watches, owned kinds, concurrency, shutdown: feeds the caches, queues runs, runs them.
//!
//! Every watch fills a cache and queues the `McpServer` that an object is labelled for. One queue for
//! each scope; the runtime's applier sees that an object is never reconciled twice at once. Children
//! are never filtered by generation: that would swallow their deletion.

use std::{fmt::Debug, sync::Arc, time::Duration};

use crds::McpServer;
use futures::{Stream, StreamExt, future::join_all, stream};
use kube::{
    Client, Resource, ResourceExt,
    runtime::{
        applier, controller,
        reflector::{ObjectRef, Store, store, store::Writer},
        watcher::{self, Event},
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, error, info, warn};

use crate::{
    admin::{Readiness, Stage},
    caches::{self, CachedKind, Caches, Index, Scope},
    clock::Clock,
    entropy::Entropy,
    events::Events,
    metrics::Metrics,
    neighbours::Neighbours,
    observed::ChildKind,
    reconcile::{Context, error_policy, guarded},
    references::{References, referenced},
    requests::Requests,
    service_account_issuer::ServiceAccountIssuer,
    standing_back::StandingBack,
    validate::OperatorSettings,
    verify::{Prober, Verifier},
    write_status::Unwritten,
    written::Written,
};

/// Runs that are queued and not yet in the scheduler, which merges equal ones. A full queue slows the
/// watches down, nothing is lost.
const QUEUE_LENGTH: usize = 4096;

/// Gathers the events of one change. Chosen: shorter than a person or a benchmark notices.
const DEBOUNCE: Duration = Duration::from_millis(10);

type Key = ObjectRef<McpServer>;

/// What a leadership needs.
pub struct Setup {
    /// For watches.
    pub watch_client: Client,
    /// For everything else; its fence stands while this process leads.
    pub requests: Requests,
    /// What decisions depend on.
    pub settings: OperatorSettings,
    /// What to watch.
    pub scopes: Vec<Scope>,
    /// Objects that are reconciled at once, over all scopes.
    pub concurrency: u16,
    /// Fill caches by streaming lists.
    pub streaming_lists: bool,
    /// Name of this process, for events.
    pub identity: String,
    /// Asks pods.
    pub prober: Prober,
    /// What time it is.
    pub clock: Clock,
    /// Draws keys.
    pub entropy: Entropy,
    /// Counts.
    pub metrics: Metrics,
    /// Told when the caches are full.
    pub readiness: Readiness,
}

/// Reconciles until `shutdown`; then runs under way end, and nothing is left. Returns before only when a cache would no
/// longer be filled. Dropped, it stops at once.
pub async fn run(setup: &Setup, shutdown: CancellationToken) {
    let stop = CancellationToken::new();
    let _stops_tasks = stop.clone().drop_guard();
    let tasks = TaskTracker::new();
    let (queues, receivers): (Vec<_>, Vec<_>) = setup.scopes.iter().map(|_| mpsc::channel(QUEUE_LENGTH)).unzip();
    let queues = Arc::new(Queues(setup.scopes.iter().cloned().zip(queues).collect()));
    let neighbours = Arc::new(Neighbours::default());
    let service_account_issuer = Arc::new(ServiceAccountIssuer::default());
    let mut verifiers = Vec::new();
    let mut appliers = Vec::new();
    let mut full = Vec::new();
    for (scope, receiver) in setup.scopes.iter().zip(receivers) {
        let changed = queues.sender(scope);
        let verifier = Verifier::new(setup.prober.clone(), changed, stop.clone());
        let feeder = Feeder {
            scope: scope.clone(),
            written: Arc::default(),
            index: Arc::default(),
            neighbours: Arc::clone(&neighbours),
            verifier: Arc::clone(&verifier),
            queues: Arc::clone(&queues),
            metrics: setup.metrics.clone(),
            tasks: tasks.clone(),
            stop: stop.clone(),
        };
        let caches = feeder.start(&setup.watch_client, setup.streaming_lists);
        full.push(filled(caches.clone()));
        let context = context(setup, &feeder, caches, Arc::clone(&service_account_issuer));
        appliers.push(apply_queue(setup, Arc::new(context), receiver, shutdown.clone()));
        verifiers.push(verifier);
    }
    let ready = async {
        join_all(full).await;
        info!("caches are full, {} scope(s) are reconciled", setup.scopes.len());
        setup.readiness.set(Stage::Leading);
    };
    let work = async { tokio::join!(join_all(appliers), shutdown.run_until_cancelled(ready)) };
    if stop.run_until_cancelled(work).await.is_none() {
        error!("a watch has ended for good; this process ends, so that one with whole caches takes over");
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    join_all(verifiers.iter().map(|verifier| verifier.ended())).await;
}

fn context(
    setup: &Setup,
    feeder: &Feeder,
    caches: Caches,
    service_account_issuer: Arc<ServiceAccountIssuer>,
) -> Context {
    Context {
        settings: setup.settings.clone(),
        caches,
        requests: setup.requests.clone(),
        written: Arc::clone(&feeder.written),
        verifier: Arc::clone(&feeder.verifier),
        neighbours: Arc::clone(&feeder.neighbours),
        references: References::default(),
        service_account_issuer,
        events: Events::new(setup.requests.clone(), setup.identity.clone()),
        unwritten: Unwritten::default(),
        backoff: crate::backoff::Backoff::default(),
        standing_back: StandingBack::default(),
        clock: setup.clock.clone(),
        entropy: setup.entropy.clone(),
        metrics: setup.metrics.clone(),
    }
}

/// Runs what is queued, once the caches are full: a run on half a view would create what exists.
async fn apply_queue(
    setup: &Setup,
    context: Arc<Context>,
    mut receiver: mpsc::Receiver<Key>,
    shutdown: CancellationToken,
) {
    if shutdown.run_until_cancelled(filled(context.caches.clone())).await.is_none() {
        return;
    }
    let scopes = u16::try_from(setup.scopes.len()).unwrap_or(u16::MAX).max(1);
    let config = controller::Config::default().concurrency(setup.concurrency.div_ceil(scopes)).debounce(DEBOUNCE);
    let queue = stream::poll_fn(move |cx| receiver.poll_recv(cx)).map(Ok::<_, std::convert::Infallible>);
    let queue = queue.take_until(shutdown.cancelled_owned());
    let store = context.caches.mcp_servers.clone();
    let runs = applier(|object, ctx| Box::pin(guarded(object, ctx)), error_policy, context, store, queue, config);
    runs.for_each(|run| async {
        // An object that is gone by now is no error; failures are logged by the error policy.
        match run {
            Ok((key, _)) => debug!(mcp_server = %key, "reconciled {key}"),
            Err(error) => debug!(error = &error as &dyn std::error::Error, "a run ended early"),
        }
    })
    .await;
}

async fn filled(caches: Caches) {
    // An error means that the writer is gone: then everything ends.
    let _ = tokio::join!(
        caches.mcp_servers.wait_until_ready(),
        caches.deployments.wait_until_ready(),
        caches.stateful_sets.wait_until_ready(),
        caches.pods.wait_until_ready(),
        caches.replica_sets.wait_until_ready(),
        caches.config_maps.wait_until_ready(),
        caches.service_accounts.wait_until_ready(),
        caches.services.wait_until_ready(),
        caches.network_policies.wait_until_ready(),
        caches.ingresses.wait_until_ready(),
        caches.disruption_budgets.wait_until_ready(),
    );
}

/// Runs `task` until `stop`. One that ends before has panicked, and its cache would never change again: then everything ends.
fn spawn_essential(tasks: &TaskTracker, stop: &CancellationToken, task: impl Future<Output = ()> + Send + 'static) {
    let ends_with_it = stop.clone().drop_guard();
    tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
        let _ends_with_it = ends_with_it;
        task.await;
    }));
}

/// The queue of each scope.
struct Queues(Vec<(Scope, mpsc::Sender<Key>)>);

impl Queues {
    fn sender(&self, scope: &Scope) -> mpsc::Sender<Key> {
        let found = self.0.iter().find(|(known, _)| known == scope);
        found.map(|(_, sender)| sender.clone()).expect("every scope has a queue, both are made together")
    }

    /// Queues a run. Does nothing for a namespace that is not watched, or once everything ends.
    async fn queue(&self, key: Key) {
        let namespace = key.namespace.as_deref();
        let found = self.0.iter().find(|(scope, _)| scope.namespace().is_none() || scope.namespace() == namespace);
        if let Some((_, sender)) = found {
            sender.send(key).await.ok();
        }
    }
}

/// Fills the caches of one scope and queues what is concerned.
#[derive(Clone)]
struct Feeder {
    scope: Scope,
    written: Arc<Written>,
    index: Arc<Index>,
    neighbours: Arc<Neighbours>,
    verifier: Arc<Verifier>,
    queues: Arc<Queues>,
    metrics: Metrics,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Feeder {
    fn start(&self, client: &Client, streaming: bool) -> Caches {
        let (mcp_servers, writer) = store();
        let events =
            caches::mcp_server_events(self.scope.api_guarded(client.clone()), caches::watch_config(streaming, false));
        self.spawn(self.clone().feed_mcp_servers(events, writer, mcp_servers.clone()));
        let all = mcp_servers.clone();
        let child = CachedKind::Child;
        Caches {
            deployments: self.feed(client, streaming, child(ChildKind::Deployment), caches::prune_deployment, &all),
            stateful_sets: self.feed(
                client,
                streaming,
                child(ChildKind::StatefulSet),
                caches::prune_stateful_set,
                &all,
            ),
            pods: self.feed(client, streaming, CachedKind::Pod, caches::prune_pod, &all),
            replica_sets: self.feed(client, streaming, CachedKind::ReplicaSet, caches::prune_replica_set, &all),
            config_maps: self.feed(client, streaming, child(ChildKind::ConfigMap), caches::prune_config_map, &all),
            service_accounts: self.feed(client, streaming, child(ChildKind::ServiceAccount), caches::keep, &all),
            services: self.feed(client, streaming, child(ChildKind::Service), caches::keep, &all),
            network_policies: self.feed(client, streaming, child(ChildKind::NetworkPolicy), caches::keep, &all),
            ingresses: self.feed(client, streaming, child(ChildKind::Ingress), caches::keep, &all),
            disruption_budgets: self.feed(client, streaming, child(ChildKind::PodDisruptionBudget), caches::keep, &all),
            index: Arc::clone(&self.index),
            mcp_servers,
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        spawn_essential(&self.tasks, &self.stop, task);
    }

    fn feed<K>(
        &self,
        client: &Client,
        streaming: bool,
        kind: CachedKind,
        prune: fn(&mut K),
        all: &Store<McpServer>,
    ) -> Store<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + Sync
            + 'static,
    {
        // ConfigMaps that users refer to carry no label of ours.
        let labelled = kind != CachedKind::Child(ChildKind::ConfigMap);
        let (reader, writer) = store();
        let events =
            caches::events(self.scope.api::<K>(client.clone()), caches::watch_config(streaming, labelled), prune);
        self.spawn(self.clone().feed_kind(kind, events, writer, all.clone()));
        reader
    }

    async fn feed_mcp_servers(
        self,
        events: impl Stream<Item = watcher::Result<Event<McpServer>>> + Send,
        mut writer: Writer<McpServer>,
        all: Store<McpServer>,
    ) {
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            let Some(event) = self.or_warn("McpServer", event) else { continue };
            writer.apply_watcher_event(&event);
            match event {
                Event::Init => {}
                // Queued with all the others at the end: nobody reads the queue before the caches are full.
                Event::InitApply(object) => {
                    self.neighbours.note(&object, false);
                }
                Event::InitDone => {
                    let exists = |key: &Key| !self.covers(key) || all.get(key).is_some();
                    self.verifier.retain(exists);
                    self.neighbours.retain(exists);
                    self.queue_all(&all).await;
                }
                Event::Apply(object) => self.queue_with_neighbours(&object, false).await,
                Event::Delete(object) => self.queue_with_neighbours(&object, true).await,
            }
        }
    }

    fn covers(&self, key: &Key) -> bool {
        self.scope.namespace().is_none_or(|namespace| key.namespace.as_deref() == Some(namespace))
    }

    async fn queue_with_neighbours(&self, mcp_server: &McpServer, gone: bool) {
        let key = Key::from_obj(mcp_server);
        for neighbour in self.neighbours.note(mcp_server, gone) {
            if neighbour != key {
                self.queues.queue(neighbour).await;
            }
        }
        if gone {
            self.verifier.forget(&key);
        } else {
            self.queues.queue(key).await;
        }
    }

    async fn feed_kind<K>(
        self,
        kind: CachedKind,
        events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
        mut writer: Writer<K>,
        all: Store<McpServer>,
    ) where
        K: Resource<DynamicType = ()> + Clone + Debug,
    {
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            let Some(event) = self.or_warn(&K::plural(&()), event) else { continue };
            writer.apply_watcher_event(&event);
            match event {
                Event::Init => {}
                // What went while nobody watched sends no event, so everybody looks again; that costs no request.
                Event::InitDone => {
                    if let CachedKind::Child(kind) = kind {
                        self.written.relisted(kind, self.scope.namespace());
                    }
                    self.queue_all(&all).await;
                }
                Event::InitApply(object) => {
                    self.index.note(kind, object.meta(), false);
                }
                Event::Apply(object) => self.queue_concerned(kind, &object, false, &all).await,
                Event::Delete(object) => self.queue_concerned(kind, &object, true, &all).await,
            }
        }
    }

    async fn queue_concerned<K>(&self, kind: CachedKind, object: &K, gone: bool, all: &Store<McpServer>)
    where
        K: Resource<DynamicType = ()>,
    {
        if let CachedKind::Child(kind) = kind {
            let key = (kind, object.namespace().unwrap_or_default(), object.name_any());
            self.written.seen(&key, object.meta(), gone);
        }
        if let Some(key) = self.index.note(kind, object.meta(), gone) {
            self.queues.queue(key).await;
        } else if kind == CachedKind::Child(ChildKind::ConfigMap) {
            self.queue_referrers(object, all).await;
        }
    }

    /// Queues the `McpServer`s that refer to a ConfigMap of a user.
    async fn queue_referrers<K: Resource>(&self, config_map: &K, all: &Store<McpServer>) {
        let (namespace, name) = (config_map.namespace(), config_map.name_any());
        let referrers = all.state_filter(|mcp_server| {
            mcp_server.metadata.namespace == namespace && referenced(mcp_server).contains(name.as_str())
        });
        for mcp_server in referrers {
            self.queues.queue(Key::from_obj(mcp_server.as_ref())).await;
        }
    }

    async fn queue_all(&self, all: &Store<McpServer>) {
        for mcp_server in all.state() {
            self.queues.queue(Key::from_obj(mcp_server.as_ref())).await;
        }
    }

    fn or_warn<K>(&self, kind: &str, event: watcher::Result<Event<K>>) -> Option<Event<K>> {
        event
            .inspect_err(|error| {
                self.metrics.watch_failed(kind);
                warn!(kind, error = error as &dyn std::error::Error, "the watch of {kind} ended, it starts again");
            })
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_feeder_that_panics_ends_everything() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        spawn_essential(&tasks, &stop, async { panic!("broken on purpose") });
        tokio::time::timeout(Duration::from_secs(1), stop.cancelled()).await.unwrap();
    }
}
