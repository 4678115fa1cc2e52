//! Caches, our own unseen writes and what pods answered -> `Observed`. No request to the API.
//!
//! A child is the newer of what the cache holds and what our own write answered, so that nothing is
//! decided on a view from before that write.

mod pods;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};

use crds::McpServer;
use jiff::Timestamp;
use kube::{ResourceExt, runtime::reflector::ObjectRef};

use crate::{
    caches::{CachedKind, Caches},
    desired::{annotation, label, policy_config_map_name, redis::redis_name, service_account_keys_name},
    host_policy::HostPolicy,
    neighbours::Neighbours,
    observed::{
        ChildKind, DeploymentCondition, KeysUnavailable, Observed, ObservedChild, ObservedDeployment, ObservedRedis,
        ObservedStatefulSet, ReferencedConfigMap, ServiceAccountKeys,
    },
    rotation::Wish,
    route::route_owner,
    validate::Image,
    verify::Verifier,
    written::Written,
};

/// The conditions of a Deployment that decisions read.
const READ_CONDITIONS: &[&str] = &["Available", "Progressing", "ReplicaFailure"];

/// The kinds whose child has the name of the `McpServer`.
const NAMED_ALIKE: [ChildKind; 6] = [
    ChildKind::ServiceAccount,
    ChildKind::NetworkPolicy,
    ChildKind::Service,
    ChildKind::Deployment,
    ChildKind::Ingress,
    ChildKind::PodDisruptionBudget,
];

/// The kinds of a managed Redis.
const OF_A_REDIS: [ChildKind; 5] = [
    ChildKind::NetworkPolicy,
    ChildKind::ConfigMap,
    ChildKind::Service,
    ChildKind::PodDisruptionBudget,
    ChildKind::StatefulSet,
];

/// Where `observe` looks.
pub struct Sources<'a> {
    /// The caches of the scope of the `McpServer`.
    pub caches: &'a Caches,
    /// Our own writes.
    pub written: &'a Written,
    /// What pods answered.
    pub verifier: &'a Verifier,
    /// `McpServer`s of all scopes, by host.
    pub neighbours: &'a Neighbours,
    /// Whose routes count.
    pub host_policy: &'a HostPolicy,
}

/// What no cache has, and was fetched for this run.
#[derive(Default)]
pub struct Fetched {
    /// The ConfigMaps that the spec refers to.
    pub config_maps: BTreeMap<String, ReferencedConfigMap>,
    /// The API server's keys, when the spec uses them.
    pub service_account_keys: Option<Result<ServiceAccountKeys, KeysUnavailable>>,
}

/// Everything that decisions about `mcp_server` may know. `now` tells which pods have waited too long.
pub fn observe(sources: &Sources<'_>, mcp_server: &McpServer, fetched: Fetched, now: Timestamp) -> Observed {
    let namespace = mcp_server.namespace().unwrap_or_default();
    let name = mcp_server.name_any();
    let uid = mcp_server.uid().unwrap_or_default();
    let children = children(sources, &namespace, &name, &uid);
    let own = |kind: ChildKind, name: &str| {
        children.iter().find(|child| child.kind == kind && child.name() == name && child.is_controlled_by(&uid))
    };
    let deployment = own(ChildKind::Deployment, &name);
    let stateful_set = own(ChildKind::StatefulSet, &redis_name(&name));
    let others = sources.neighbours.of(mcp_server);
    let Fetched { config_maps, service_account_keys } = fetched;
    let mut observed = Observed {
        config_maps,
        service_account_keys,
        deployment: deployment.map(|child| observed_deployment(sources.caches, &namespace, child)),
        pods: pods::pods(sources, &ObjectRef::from_obj(mcp_server), &namespace, &name, now),
        redis: ObservedRedis {
            stateful_set: stateful_set.map(|child| observed_stateful_set(sources.caches, &namespace, child)),
            pods: pods::redis_pods(sources, &namespace, &name, now),
            ..ObservedRedis::default()
        },
        wish: Wish::of(mcp_server),
        now,
        route_owner: route_owner(mcp_server, others.iter().map(AsRef::as_ref), sources.host_policy),
        ..Observed::default()
    };
    observed.sealing =
        secrets::sealing_keys(own(ChildKind::ServiceAccount, &name), own(ChildKind::Deployment, &name), &observed);
    observed.redis.credentials = secrets::redis_credentials(
        own(ChildKind::ConfigMap, &redis_name(&name)),
        own(ChildKind::StatefulSet, &redis_name(&name)),
        own(ChildKind::Deployment, &name),
        &observed,
    );
    observed.children = children;
    observed
}

/// The revisions of the configuration that a ReplicaSet or a pod names.
pub fn revisions_in_use(caches: &Caches, namespace: &str, name: &str) -> BTreeSet<String> {
    let labels = |kind, found: &str| match kind {
        CachedKind::ReplicaSet => caches.replica_set(namespace, found)?.metadata.labels.clone(),
        CachedKind::Pod => caches.pod(namespace, found)?.metadata.labels.clone(),
        CachedKind::Child(_) => None,
    };
    let labelled = caches.index.of(namespace, name);
    labelled.iter().filter_map(|(kind, found)| labels(*kind, found)?.remove(label::CONFIG_REVISION)).collect()
}

fn children(sources: &Sources<'_>, namespace: &str, name: &str, uid: &str) -> Vec<ObservedChild> {
    let labelled = sources.caches.index.of(namespace, name);
    let mut names: BTreeSet<(ChildKind, String)> = labelled.into_iter().filter_map(child).collect();
    names.extend(sources.written.unseen(namespace, uid));
    // What has the name of a child without our label is only found by asking for it.
    names.extend(NAMED_ALIKE.map(|kind| (kind, name.to_owned())));
    names.extend(
        [policy_config_map_name(name), service_account_keys_name(name)].map(|name| (ChildKind::ConfigMap, name)),
    );
    names.extend(OF_A_REDIS.map(|kind| (kind, redis_name(name))));
    names
        .into_iter()
        .filter_map(|(kind, name)| {
            let cached = sources.caches.child(kind, namespace, &name);
            let key = (kind, namespace.to_owned(), name);
            let metadata = sources.written.newest(&key, cached.as_ref())?;
            Some(ObservedChild { kind, metadata })
        })
        .collect()
}

fn child((kind, name): (CachedKind, String)) -> Option<(ChildKind, String)> {
    match kind {
        CachedKind::Child(kind) => Some((kind, name)),
        CachedKind::ReplicaSet | CachedKind::Pod => None,
    }
}

/// Status comes from the cache, as far as it speaks of this object; the rest from the newest metadata.
fn observed_deployment(caches: &Caches, namespace: &str, child: &ObservedChild) -> ObservedDeployment {
    let shown = caches.deployment(namespace, child.name());
    let same = shown.filter(|shown| shown.metadata.uid == child.metadata.uid);
    let status = same.and_then(|shown| shown.status.clone()).unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default().into_iter();
    ObservedDeployment {
        server_image: image(child, annotation::SERVER_IMAGE, annotation::SERVER_IMAGE_CHOSEN_FOR),
        desired_hash: noted(child, annotation::DESIRED_HASH),
        generation: child.metadata.generation.unwrap_or(0),
        observed_generation: status.observed_generation.unwrap_or(0),
        replicas: status.replicas.unwrap_or(0),
        updated_replicas: status.updated_replicas.unwrap_or(0),
        available_replicas: status.available_replicas.unwrap_or(0),
        conditions: conditions
            .filter(|condition| READ_CONDITIONS.contains(&condition.type_.as_str()))
            .map(|condition| DeploymentCondition {
                holds: condition.status == "True",
                reason: condition.reason.unwrap_or_default(),
                message: condition.message.unwrap_or_default(),
                type_: condition.type_,
            })
            .collect(),
    }
}

/// The same of the StatefulSet of a managed Redis.
fn observed_stateful_set(caches: &Caches, namespace: &str, child: &ObservedChild) -> ObservedStatefulSet {
    let shown = caches.stateful_set(namespace, child.name());
    let same = shown.filter(|shown| shown.metadata.uid == child.metadata.uid);
    let status = same.and_then(|shown| shown.status.clone()).unwrap_or_default();
    ObservedStatefulSet {
        image: image(child, annotation::REDIS_IMAGE, annotation::REDIS_IMAGE_CHOSEN_FOR),
        volume: noted(child, annotation::REDIS_VOLUME),
        generation: child.metadata.generation.unwrap_or(0),
        observed_generation: status.observed_generation.unwrap_or(0),
        updated_replicas: status.updated_replicas.unwrap_or(0),
        ready_replicas: status.ready_replicas.unwrap_or(0),
    }
}

fn image(child: &ObservedChild, reference: &str, chosen_for: &str) -> Option<Image> {
    Some(Image { reference: noted(child, reference)?, chosen_for: noted(child, chosen_for)? })
}

/// An annotation.
fn noted(child: &ObservedChild, key: &str) -> Option<String> {
    child.metadata.annotations.as_ref()?.get(key).cloned()
}
