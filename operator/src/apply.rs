//! `Desired` -> the API server: sends what differs, in a stated order, then prunes.
//!
//! A child that is as desired is not sent, so a run of an unchanged object costs nothing. What the
//! caches do not show is created by an apply that cannot match an existing object; what they show is
//! applied under its uid: nothing that belongs to somebody else is ever written to. Deletes only by
//! [`prune`]; never reads but after a create found the name taken.

mod child;
mod delete;
mod fields;
mod prune;
mod redis;
mod secrets;

use std::collections::BTreeSet;

use crate::{
    desired::Desired,
    entropy::Entropy,
    observed::{ChildKind, Observed, Volumes},
    requests::Requests,
    written::Written,
};

pub use child::ApplyError;
#[cfg(test)]
pub(crate) use fields::owned_fields;

/// Who writes children, for ever: another name would orphan every field.
pub const FIELD_MANAGER: &str = "mcp-operator";

/// What `apply` works with.
pub struct Writer<'a> {
    /// Sends, while this process leads.
    pub requests: &'a Requests,
    /// Remembers what was sent.
    pub written: &'a Written,
    /// Draws keys and passwords.
    pub entropy: &'a Entropy,
    /// uid of the `McpServer`.
    pub owner_uid: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
}

/// Brings every child to what is desired and deletes what is no longer. `revisions_in_use` are kept.
pub async fn apply(
    writer: &Writer<'_>,
    observed: &Observed,
    desired: &Desired,
    revisions_in_use: &BTreeSet<String>,
) -> Result<(), ApplyError> {
    // Without `..`: a new field does not compile until somebody applies it.
    let Desired {
        service_account,
        config_map,
        policy_config_map,
        service_account_keys,
        redis,
        network_policy,
        service,
        disruption_budget,
        sealing_secrets,
        retired_secrets,
        deployment,
        ingress,
    } = desired;
    // What a pod needs goes first, and what closes it before what opens it: the Deployment comes after all
    // that its pods use, so that none starts into an error or without its policy.
    child::apply(writer, observed, config_map).await?;
    child::apply(writer, observed, policy_config_map).await?;
    // Notes shrink only after what they name is gone, and after a tightened policy, which waits for nothing.
    for name in retired_secrets {
        secrets::delete(writer, name.clone()).await?;
    }
    child::apply(writer, observed, service_account).await?;
    if let Some(service_account_keys) = service_account_keys {
        child::apply(writer, observed, service_account_keys).await?;
    }
    let asks_for_secrets = child::must_be_sent(observed, deployment) || pods_miss_a_volume(observed);
    if let Some(redis) = redis {
        redis::close(writer, observed, redis).await?;
    }
    child::apply(writer, observed, network_policy).await?;
    if let Some(redis) = redis {
        redis::apply(writer, observed, redis, asks_for_secrets).await?;
    }
    child::apply(writer, observed, service).await?;
    child::apply(writer, observed, disruption_budget).await?;
    if let Some(ingress) = ingress {
        child::apply(writer, observed, ingress).await?;
    }
    if asks_for_secrets {
        for secret in sealing_secrets {
            secrets::create_sealing_key(writer, secret).await?;
        }
    }
    child::apply(writer, observed, deployment).await?;

    let wanted: BTreeSet<(ChildKind, &str)> =
        desired.children().into_iter().filter_map(|(kind, metadata)| Some((kind, metadata.name.as_deref()?))).collect();
    prune::prune(writer, observed, &wanted, revisions_in_use).await
}

/// What mounts Secrets is as it should be and its pods still wait: what they mount was deleted.
fn pods_miss_a_volume(observed: &Observed) -> bool {
    let pods = observed.pods.iter().chain(&observed.redis.pods);
    pods.into_iter().any(|pod| pod.volumes == Volumes::Late && !pod.deleting)
}
