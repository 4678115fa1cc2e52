//! What is noted and mounted of generated Secrets. No Secret is looked at: what is known of them stands on what mounts them.

use crate::{
    desired::annotation,
    observed::{Observed, ObservedChild, ObservedStatefulSet},
    rotation::{self, FIRST, Record, numbers},
};

/// Of the sealing keys. A Deployment that says nothing mounts the first alone.
pub(super) fn sealing_keys(
    service_account: Option<&ObservedChild>,
    deployment: Option<&ObservedChild>,
    observed: &Observed,
) -> rotation::sealing::Seen {
    let retire_at = service_account.and_then(|child| noted(child, annotation::SEALING_RETIRE_AT));
    let keys = deployment.map(|child| noted(child, annotation::SEALING_KEYS).map_or_else(|| vec![FIRST], numbers));
    rotation::sealing::Seen {
        record: record(service_account, annotation::SEALING_KEYS),
        retire_at: retire_at.and_then(|time| time.parse().ok()),
        keys: keys.unwrap_or_default(),
        pods: observed.pods.iter().map(|pod| pod.sealing_keys.clone()).collect(),
        rolled_out: observed.is_rolled_out(),
    }
}

/// Of the credentials of a managed Redis.
pub(super) fn redis_credentials(
    config_map: Option<&ObservedChild>,
    stateful_set: Option<&ObservedChild>,
    deployment: Option<&ObservedChild>,
    observed: &Observed,
) -> rotation::redis::Seen {
    let lines = stateful_set.and_then(|child| noted(child, annotation::REDIS_CREDENTIALS)).map(numbers);
    let gateway = deployment.and_then(|child| noted(child, annotation::REDIS_CREDENTIALS));
    rotation::redis::Seen {
        record: record(config_map, annotation::REDIS_CREDENTIALS),
        lines: lines.map(|lines| lines.into_iter().collect()),
        runs: observed.redis.stateful_set.as_ref().is_some_and(ObservedStatefulSet::runs),
        gateway: gateway.and_then(|gateway| gateway.parse().ok()),
        pods: observed.pods.iter().map(|pod| pod.redis_credentials).collect(),
        rolled_out: observed.is_rolled_out(),
    }
}

fn record(child: Option<&ObservedChild>, revisions_key: &str) -> Record {
    child.map(|child| Record::read(&child.metadata, revisions_key)).unwrap_or_default()
}

fn noted<'a>(child: &'a ObservedChild, key: &str) -> Option<&'a str> {
    child.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}
