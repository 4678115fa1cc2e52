//! The objects of a managed Redis: made before the gateway mounts their Secrets, deleted when no gateway needs them any more.

use std::collections::BTreeSet;

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Service},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};

use super::{ApplyError, Writer, child, delete::delete, secrets};
use crate::{
    desired::{
        DesiredRedis, annotation,
        redis::{credentials_name, noted_revisions, redis_name},
    },
    observed::{ChildKind, Observed, ObservedChild},
};

/// Closes the Redis to everybody but its gateway. Before anything opens.
pub(super) async fn close(writer: &Writer<'_>, observed: &Observed, redis: &DesiredRedis) -> Result<(), ApplyError> {
    child::apply(writer, observed, &redis.network_policy).await
}

/// Everything but the policy. `asks_for_secrets`: somebody who mounts them is about to be written, or misses them.
pub(super) async fn apply(
    writer: &Writer<'_>,
    observed: &Observed,
    redis: &DesiredRedis,
    asks_for_secrets: bool,
) -> Result<(), ApplyError> {
    // Without `..`: a new field does not compile until somebody applies it.
    let DesiredRedis { network_policy: _, config_map, credentials, service, disruption_budget, stateful_set } = redis;
    // It notes the Secrets before there are any, so that none is forgotten.
    child::apply(writer, observed, config_map).await?;
    if asks_for_secrets || child::must_be_sent(observed, stateful_set) {
        for credentials in credentials {
            secrets::create_credentials(writer, credentials).await?;
        }
    }
    child::apply(writer, observed, service).await?;
    child::apply(writer, observed, disruption_budget).await?;
    if let Some(left) = with_another_volume(writer, observed, stateful_set) {
        // Of a time before the mode was another: the volume of a StatefulSet does not change. The next run makes it anew.
        return delete::<StatefulSet>(writer, left).await;
    }
    child::apply(writer, observed, stateful_set).await
}

fn with_another_volume<'a>(
    writer: &Writer<'_>,
    observed: &'a Observed,
    desired: &StatefulSet,
) -> Option<&'a ObservedChild> {
    let wanted = desired.metadata.annotations.as_ref().and_then(|all| all.get(annotation::REDIS_VOLUME));
    let existing = observed.child(ChildKind::StatefulSet, desired.metadata.name.as_deref()?)?;
    let noted = observed.redis.stateful_set.as_ref().and_then(|stateful_set| stateful_set.volume.as_ref());
    (existing.is_controlled_by(writer.owner_uid) && !existing.is_deleting() && noted != wanted).then_some(existing)
}

/// Deletes what mode `Managed` has left, step by step, each known from what is observed: the StatefulSet once no pod of the
/// gateway needs it, the rest once its pod is gone, and last the ConfigMap that notes the Secrets.
pub(super) async fn prune(
    writer: &Writer<'_>,
    observed: &Observed,
    wanted: &BTreeSet<(ChildKind, &str)>,
    former_pods_are_gone: bool,
) -> Result<(), ApplyError> {
    for child in doomed(writer, observed, wanted, former_pods_are_gone) {
        match child.kind {
            ChildKind::StatefulSet => delete::<StatefulSet>(writer, child).await?,
            ChildKind::Service => delete::<Service>(writer, child).await?,
            ChildKind::PodDisruptionBudget => delete::<PodDisruptionBudget>(writer, child).await?,
            ChildKind::NetworkPolicy => delete::<NetworkPolicy>(writer, child).await?,
            ChildKind::ConfigMap => {
                for revision in noted_revisions(&child.metadata) {
                    secrets::delete(writer, credentials_name(writer.name, writer.owner_uid, revision)).await?;
                }
                delete::<ConfigMap>(writer, child).await?;
            }
            // None of them belongs to a Redis.
            ChildKind::ServiceAccount | ChildKind::Deployment | ChildKind::Ingress => {}
        }
    }
    Ok(())
}

/// The children of a Redis to delete, in their order. Pure.
pub(super) fn doomed<'a>(
    writer: &Writer<'_>,
    observed: &'a Observed,
    wanted: &BTreeSet<(ChildKind, &str)>,
    former_pods_are_gone: bool,
) -> Vec<&'a ObservedChild> {
    let name = redis_name(writer.name);
    let ours = |kind: ChildKind| {
        let child = observed.child(kind, &name).filter(|_| !wanted.contains(&(kind, name.as_str())))?;
        let is_ours = child.is_controlled_by(writer.owner_uid) && child.is_labelled_for(writer.name);
        is_ours.then_some(child)
    };
    if !observed.is_rolled() || !former_pods_are_gone {
        return Vec::new();
    }
    let first = ours(ChildKind::StatefulSet);
    // Its pod is behind the policy, and may still hold what the Secrets opened, until it has ended.
    let kinds = if first.is_some() || !observed.redis.pods.is_empty() {
        vec![ChildKind::StatefulSet]
    } else {
        vec![ChildKind::Service, ChildKind::PodDisruptionBudget, ChildKind::NetworkPolicy, ChildKind::ConfigMap]
    };
    kinds.into_iter().filter_map(ours).filter(|child| !child.is_deleting()).collect()
}
