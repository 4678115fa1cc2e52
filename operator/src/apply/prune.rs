//! Deletes children that are no longer desired: former configurations, and an Ingress, keys or a Redis not asked for any more.
//!
//! Only what the `McpServer` controls by uid *and* carries its label, and only in the version that was
//! looked at. A configuration stays while a ReplicaSet or a pod names it, since either may start again.

use std::collections::BTreeSet;

use k8s_openapi::api::{core::v1::ConfigMap, networking::v1::Ingress};

use super::{ApplyError, Writer, delete::delete, redis};
use crate::{
    desired::{config_map_name, redis::redis_name, service_account_keys_name},
    observed::{ChildKind, Observed, ObservedChild},
};

pub(super) async fn prune(
    writer: &Writer<'_>,
    observed: &Observed,
    wanted: &BTreeSet<(ChildKind, &str)>,
    revisions_in_use: &BTreeSet<String>,
) -> Result<(), ApplyError> {
    for child in doomed(writer, observed, wanted, revisions_in_use) {
        match child.kind {
            ChildKind::ConfigMap => delete::<ConfigMap>(writer, child).await?,
            ChildKind::Ingress => delete::<Ingress>(writer, child).await?,
            // Always desired under the same name, or of a Redis, so never doomed here.
            ChildKind::ServiceAccount
            | ChildKind::NetworkPolicy
            | ChildKind::Service
            | ChildKind::Deployment
            | ChildKind::StatefulSet
            | ChildKind::PodDisruptionBudget => {}
        }
    }
    redis::prune(writer, observed, wanted, former_pods_are_gone(writer, observed, wanted)).await
}

/// Whether every pod, those on their way out included, has the configuration that is wanted: until then somebody may need what
/// a former one named.
fn former_pods_are_gone(writer: &Writer<'_>, observed: &Observed, wanted: &BTreeSet<(ChildKind, &str)>) -> bool {
    let is_current =
        |revision: &String| wanted.contains(&(ChildKind::ConfigMap, config_map_name(writer.name, revision).as_str()));
    observed.pods.iter().all(|pod| pod.config_revision.as_ref().is_some_and(is_current))
}

/// The children to delete. Pure.
fn doomed<'a>(
    writer: &Writer<'_>,
    observed: &'a Observed,
    wanted: &BTreeSet<(ChildKind, &str)>,
    revisions_in_use: &BTreeSet<String>,
) -> Vec<&'a ObservedChild> {
    let rolled = observed.is_rolled();
    let kept: BTreeSet<String> =
        revisions_in_use.iter().map(|revision| config_map_name(writer.name, revision)).collect();
    let keys = service_account_keys_name(writer.name);
    // Only pods that were rolled out before mount the keys, and one that goes must not lose them before it does.
    let before_is_gone = former_pods_are_gone(writer, observed, wanted);
    let redis = redis_name(writer.name);
    let is_free = |child: &ObservedChild| match child.kind {
        ChildKind::Ingress => true,
        ChildKind::ConfigMap if child.name() == keys => rolled && before_is_gone,
        // In an order of its own, with the rest of the Redis.
        ChildKind::ConfigMap if child.name() == redis => false,
        ChildKind::ConfigMap => rolled && !kept.contains(child.name()),
        ChildKind::ServiceAccount
        | ChildKind::NetworkPolicy
        | ChildKind::Service
        | ChildKind::Deployment
        | ChildKind::StatefulSet
        | ChildKind::PodDisruptionBudget => false,
    };
    observed
        .children
        .iter()
        .filter(|child| child.is_controlled_by(writer.owner_uid) && child.is_labelled_for(writer.name))
        .filter(|child| !child.is_deleting() && !wanted.contains(&(child.kind, child.name())))
        .filter(|child| is_free(child))
        .collect()
}

#[cfg(test)]
mod tests;
