//! Deletes children that are no longer desired: former configurations, and an Ingress or keys not asked for any more.
//!
//! Only what the `McpServer` controls by uid *and* carries its label, and only in the version that was
//! looked at. A configuration stays while a ReplicaSet or a pod names it, since either may start again.

use std::{collections::BTreeSet, fmt::Debug};

use k8s_openapi::{
    NamespaceResourceScope,
    api::{core::v1::ConfigMap, networking::v1::Ingress},
};
use kube::{
    Api, Resource,
    api::{DeleteParams, Preconditions},
};
use serde::de::DeserializeOwned;

use super::{ApplyError, Writer};
use crate::{
    desired::{config_map_name, service_account_keys_name},
    observed::{ChildKind, Observed, ObservedChild},
    requests::Access,
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
            // Always desired under the same name, so never doomed.
            ChildKind::ServiceAccount
            | ChildKind::NetworkPolicy
            | ChildKind::Service
            | ChildKind::Deployment
            | ChildKind::PodDisruptionBudget => {}
        }
    }
    Ok(())
}

/// The children to delete. Pure.
fn doomed<'a>(
    writer: &Writer<'_>,
    observed: &'a Observed,
    wanted: &BTreeSet<(ChildKind, &str)>,
    revisions_in_use: &BTreeSet<String>,
) -> Vec<&'a ObservedChild> {
    // Until the Deployment has been acted on, a ReplicaSet of its last revision may not be visible yet.
    let rolled =
        observed.deployment.as_ref().is_some_and(|deployment| deployment.observed_generation >= deployment.generation);
    let kept: BTreeSet<String> =
        revisions_in_use.iter().map(|revision| config_map_name(writer.name, revision)).collect();
    let keys = service_account_keys_name(writer.name);
    // Only pods that were rolled out before mount the keys, and one that goes must not lose them before it does.
    let is_current =
        |revision: &String| wanted.contains(&(ChildKind::ConfigMap, config_map_name(writer.name, revision).as_str()));
    let before_is_gone = observed.pods.iter().all(|pod| pod.config_revision.as_ref().is_some_and(is_current));
    let is_free = |child: &ObservedChild| match child.kind {
        ChildKind::Ingress => true,
        ChildKind::ConfigMap if child.name() == keys => rolled && before_is_gone,
        ChildKind::ConfigMap => rolled && !kept.contains(child.name()),
        ChildKind::ServiceAccount
        | ChildKind::NetworkPolicy
        | ChildKind::Service
        | ChildKind::Deployment
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

async fn delete<K>(writer: &Writer<'_>, child: &ObservedChild) -> Result<(), ApplyError>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(writer.requests.client.clone(), writer.namespace);
    let preconditions =
        Preconditions { uid: child.metadata.uid.clone(), resource_version: child.metadata.resource_version.clone() };
    let params = DeleteParams::background().preconditions(preconditions);
    match writer.requests.call(Access::Write, || api.delete(child.name(), &params)).await {
        Ok(_) => {}
        Err(error) if error.code() == 404 => {}
        Err(source) => {
            return Err(ApplyError::Call {
                verb: "delete",
                kind: child.kind.as_str(),
                name: child.name().to_owned(),
                source,
            });
        }
    }
    let key = (child.kind, writer.namespace.to_owned(), child.name().to_owned());
    writer.written.deleted(key, child.metadata.uid.clone().unwrap_or_default());
    Ok(())
}

#[cfg(test)]
mod tests;
