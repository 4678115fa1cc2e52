//! What the watches fill and decisions read: one set of caches for each watched scope.
//!
//! Only what is read is kept. Kinds of which only metadata matters are watched as metadata;
//! managedFields stay where the No-op check reads them, on children, and nowhere else. Never Secrets.

mod index;

use std::{fmt::Debug, hash::Hash, sync::Arc};

use crds::McpServer;
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, ReplicaSet, StatefulSet},
        core::v1::{ConfigMap, Pod, Service, ServiceAccount},
        networking::v1::{Ingress, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::{PartialObjectMeta, error_boundary::DeserializeGuard},
    runtime::{
        WatchStreamExt,
        reflector::{ObjectRef, Store},
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tracing::error;

use crate::{
    desired::{label, metadata::MANAGED_BY},
    observed::ChildKind,
};

pub use index::{Index, labelled_for, made_for};

/// How long one watch request lasts, in seconds. A connection that died silently is noticed 5 s later.
const WATCH_SECONDS: u32 = 60;

/// Objects in one page of a list. Chosen: bounds memory while a cache is filled.
const PAGE_SIZE: u32 = 50;

/// Which namespaces one set of caches covers: all of them, or one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(Option<String>);

impl Scope {
    /// A scope for each of `namespaces`; one for all when there are none.
    pub fn each(namespaces: &[String]) -> Vec<Self> {
        match namespaces {
            [] => vec![Self(None)],
            some => some.iter().map(|namespace| Self(Some(namespace.clone()))).collect(),
        }
    }

    /// The namespace, when it is only one.
    pub fn namespace(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The API of `McpServer`s, of which one that cannot be read does not hide the others.
    pub fn api_guarded(&self, client: Client) -> Api<DeserializeGuard<McpServer>> {
        self.api(client)
    }

    /// The API of `K` over this scope.
    pub fn api<K>(&self, client: Client) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        match &self.0 {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        }
    }
}

/// What is cached beside `McpServer`s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CachedKind {
    /// What we make.
    Child(ChildKind),
    /// What the Deployment makes.
    ReplicaSet,
    /// What serves.
    Pod,
}

/// The caches of one scope. Written by the watches, read by `observe`.
#[derive(Clone)]
pub struct Caches {
    /// Every `McpServer`.
    pub mcp_servers: Store<McpServer>,
    /// Ours, with status.
    pub deployments: Store<Deployment>,
    /// Ours, with status: managed Redis.
    pub stateful_sets: Store<StatefulSet>,
    /// Ours, cut to what is read.
    pub pods: Store<Pod>,
    /// Ours: which revisions they name.
    pub replica_sets: Store<PartialObjectMeta<ReplicaSet>>,
    /// All, ours and those that users refer to; of the latter only name, uid and version are kept.
    pub config_maps: Store<PartialObjectMeta<ConfigMap>>,
    /// Ours.
    pub service_accounts: Store<PartialObjectMeta<ServiceAccount>>,
    /// Ours.
    pub services: Store<PartialObjectMeta<Service>>,
    /// Ours.
    pub network_policies: Store<PartialObjectMeta<NetworkPolicy>>,
    /// Ours.
    pub ingresses: Store<PartialObjectMeta<Ingress>>,
    /// Ours.
    pub disruption_budgets: Store<PartialObjectMeta<PodDisruptionBudget>>,
    /// Which objects are made for which `McpServer`.
    pub index: Arc<Index>,
}

impl Caches {
    /// Metadata of the child `kind` `name`, as the cache has it.
    pub fn child(&self, kind: ChildKind, namespace: &str, name: &str) -> Option<ObjectMeta> {
        match kind {
            ChildKind::ServiceAccount => metadata(&self.service_accounts, namespace, name),
            ChildKind::ConfigMap => metadata(&self.config_maps, namespace, name),
            ChildKind::NetworkPolicy => metadata(&self.network_policies, namespace, name),
            ChildKind::Service => metadata(&self.services, namespace, name),
            ChildKind::Deployment => metadata(&self.deployments, namespace, name),
            ChildKind::StatefulSet => metadata(&self.stateful_sets, namespace, name),
            ChildKind::Ingress => metadata(&self.ingresses, namespace, name),
            ChildKind::PodDisruptionBudget => metadata(&self.disruption_budgets, namespace, name),
        }
    }

    /// The Deployment `name`.
    pub fn deployment(&self, namespace: &str, name: &str) -> Option<Arc<Deployment>> {
        get(&self.deployments, namespace, name)
    }

    /// The StatefulSet `name`.
    pub fn stateful_set(&self, namespace: &str, name: &str) -> Option<Arc<StatefulSet>> {
        get(&self.stateful_sets, namespace, name)
    }

    /// The pod `name`.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<Arc<Pod>> {
        get(&self.pods, namespace, name)
    }

    /// The ReplicaSet `name`.
    pub fn replica_set(&self, namespace: &str, name: &str) -> Option<Arc<PartialObjectMeta<ReplicaSet>>> {
        get(&self.replica_sets, namespace, name)
    }
}

fn get<K>(store: &Store<K>, namespace: &str, name: &str) -> Option<Arc<K>>
where
    K: Resource<DynamicType = ()> + Clone,
{
    store.get(&ObjectRef::new(name).within(namespace))
}

fn metadata<K>(store: &Store<K>, namespace: &str, name: &str) -> Option<ObjectMeta>
where
    K: Resource<DynamicType = ()> + Clone,
{
    get(store, namespace, name).map(|object| object.meta().clone())
}

/// How a kind is watched.
pub fn watch_config(streaming: bool, labelled: bool) -> watcher::Config {
    let mut config = watcher::Config::default().timeout(WATCH_SECONDS);
    if labelled {
        config = config.labels(&format!("{}={MANAGED_BY}", label::MANAGED_BY));
    }
    if streaming { config.streaming_lists() } else { config.page_size(PAGE_SIZE) }
}

/// Watch events of `K`, cut by `prune`, with a pause that grows while it fails.
pub fn events<K>(
    api: Api<K>,
    config: watcher::Config,
    prune: fn(&mut K),
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    K::DynamicType: Hash + Eq,
{
    watcher(api, config).default_backoff().modify(prune)
}

/// Watch events of `McpServer`s. A document that cannot be read is left out and logged: it must not
/// stop the others, and what it runs stays as it is.
pub fn mcp_server_events(
    api: Api<DeserializeGuard<McpServer>>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<Event<McpServer>>> + Send {
    watcher(api, config)
        .default_backoff()
        .try_filter_map(|event| async move {
            Ok(match event {
                Event::Init => Some(Event::Init),
                Event::InitDone => Some(Event::InitDone),
                Event::InitApply(guard) => readable(guard).map(Event::InitApply),
                Event::Apply(guard) => readable(guard).map(Event::Apply),
                Event::Delete(guard) => readable(guard).map(Event::Delete),
            })
        })
        .boxed()
}

fn readable(guard: DeserializeGuard<McpServer>) -> Option<McpServer> {
    match guard.0 {
        Ok(mut mcp_server) => {
            mcp_server.metadata.managed_fields = None;
            Some(mcp_server)
        }
        Err(invalid) => {
            let name = invalid.metadata.name.as_deref().unwrap_or_default();
            let namespace = invalid.metadata.namespace.as_deref().unwrap_or_default();
            error!(
                mcp_server.name = name,
                mcp_server.namespace = namespace,
                error = invalid.error,
                "McpServer {namespace}/{name} cannot be read and is left as it is; apply the CRD of this operator's version"
            );
            None
        }
    }
}

/// A child's metadata is kept whole.
pub fn keep<K>(_: &mut K) {}

/// Of a ConfigMap that is not ours only what tells versions apart is kept.
pub fn prune_config_map(config_map: &mut PartialObjectMeta<ConfigMap>) {
    if made_for(config_map.meta()).is_some() {
        return;
    }
    let metadata = std::mem::take(&mut config_map.metadata);
    config_map.metadata = ObjectMeta {
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        ..ObjectMeta::default()
    };
}

/// Of a ReplicaSet only the labels are read.
pub fn prune_replica_set(replica_set: &mut PartialObjectMeta<ReplicaSet>) {
    replica_set.metadata.managed_fields = None;
    replica_set.metadata.annotations = None;
}

/// Of a Deployment's spec nothing is read: what it should be is known, and the metadata says whether it still is.
pub fn prune_deployment(deployment: &mut Deployment) {
    deployment.spec = None;
}

/// The same of a StatefulSet.
pub fn prune_stateful_set(stateful_set: &mut StatefulSet) {
    stateful_set.spec = None;
}

/// Of a pod: identity, labels, images of containers, and status.
pub fn prune_pod(pod: &mut Pod) {
    pod.managed_fields_mut().clear();
    pod.metadata.annotations = None;
    if let Some(spec) = &mut pod.spec {
        let containers = std::mem::take(&mut spec.containers);
        *spec = k8s_openapi::api::core::v1::PodSpec::default();
        spec.containers = containers
            .into_iter()
            .map(|container| k8s_openapi::api::core::v1::Container {
                name: container.name,
                image: container.image,
                ..Default::default()
            })
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_list_of_namespaces_is_one_scope_for_all() {
        assert_eq!(Scope::each(&[]), [Scope(None)]);
        assert_eq!(Scope::each(&["a".to_owned(), "b".to_owned()]).len(), 2);
    }

    #[test]
    fn a_foreign_config_map_keeps_only_what_tells_versions_apart() {
        let mut foreign: PartialObjectMeta<ConfigMap> = serde_json::from_value(json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": { "name": "ca", "namespace": "demo", "uid": "u", "resourceVersion": "3", "annotations": { "a": "b" } },
        }))
        .unwrap();
        prune_config_map(&mut foreign);
        assert_eq!(foreign.metadata.annotations, None);
        assert_eq!(foreign.metadata.resource_version.as_deref(), Some("3"));

        let mut ours = foreign.clone();
        ours.metadata.labels = Some([(label::MCP_SERVER.to_owned(), "tools".to_owned())].into());
        ours.metadata.annotations = Some([("a".to_owned(), "b".to_owned())].into());
        let whole = ours.clone();
        prune_config_map(&mut ours);
        assert_eq!(ours.metadata, whole.metadata);
    }
}
