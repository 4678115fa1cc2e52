//! The Deployment of the gateway.
//!
//! A rollout never takes a pod away before its successor is ready. The template holds nothing of the
//! operator's own version, so that an upgrade of the operator restarts nothing; `replicas` is always
//! set, since an apply that leaves it out resets it to 1.

mod container;
mod volumes;

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment},
        core::v1::{PodSpec, PodTemplateSpec, TopologySpreadConstraint},
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};

use super::{
    metadata::{annotation, hashed, label, labels, metadata, selector},
    pod_security::non_root,
    redis::managed,
};
use crate::{rotation, validate::ValidServer};

pub use container::CONTAINER_NAME;

/// How long endpoints need to learn that a pod goes; the pod serves on meanwhile. Source: protocol.md, section 7.
const PRE_STOP_SECONDS: i64 = 5;

/// As long as streams are drained and our own tools may take; a call of an upstream's tool may take longer. Chosen with the
/// server: 30 s.
const DRAIN_SECONDS: i64 = 30;

/// Time for idle connections to be told that they close, to flush telemetry and to exit. Source: protocol.md, section 7.
const EXIT_SECONDS: i64 = 5;

/// How long a rollout may stand still before it counts as stuck. Chosen: a slow image pull fits, a person still waits.
const PROGRESS_DEADLINE_SECONDS: i32 = 300;

/// ReplicaSets that are kept to go back to; each keeps its configuration ConfigMap. Chosen: two mistakes deep.
const REVISION_HISTORY_LIMIT: i32 = 2;

/// `<name>`.
pub(super) fn deployment(valid: &ValidServer) -> Deployment {
    let mut metadata = metadata(valid, valid.name.clone());
    metadata.annotations = Some(image_in_force(valid).into_iter().chain(secrets_in_use(valid)).collect());
    hashed(Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: Some(valid.replicas),
            selector: pod_selector(valid),
            strategy: Some(one_more_then_one_less()),
            progress_deadline_seconds: Some(PROGRESS_DEADLINE_SECONDS),
            revision_history_limit: Some(REVISION_HISTORY_LIMIT),
            template: PodTemplateSpec { metadata: Some(pod_metadata(valid)), spec: Some(pod_spec(valid)) },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    })
}

/// What the next run reads to know which image stays.
fn image_in_force(valid: &ValidServer) -> BTreeMap<String, String> {
    let image = valid.image.clone();
    [(annotation::SERVER_IMAGE, image.reference), (annotation::SERVER_IMAGE_CHOSEN_FOR, image.chosen_for)]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
}

/// Which revisions of generated Secrets pods mount: on the Deployment for the next run, on each pod for the time in which two are
/// in use. The same keys for both. Where there is only one, and always was, nothing is said: an upgrade must roll no pod.
fn secrets_in_use(valid: &ValidServer) -> Vec<(String, String)> {
    let redis = managed(valid).map(|redis| redis.credentials.gateway.to_string());
    let sealing = Some(&valid.sealing.keys).filter(|keys| **keys != [rotation::FIRST]).map(rotation::text);
    let redis = redis.map(|revision| (label::REDIS_CREDENTIALS.to_owned(), revision));
    let sealing = sealing.map(|revisions| (label::SEALING_KEYS.to_owned(), revisions));
    redis.into_iter().chain(sealing).collect()
}

fn pod_selector(valid: &ValidServer) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(&valid.name)), ..LabelSelector::default() }
}

fn one_more_then_one_less() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}

fn pod_metadata(valid: &ValidServer) -> ObjectMeta {
    let mut labels = labels(&valid.name);
    labels.insert(label::CONFIG_REVISION.to_owned(), valid.config_revision.clone());
    labels.extend(secrets_in_use(valid));
    ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }
}

fn pod_spec(valid: &ValidServer) -> PodSpec {
    PodSpec {
        service_account_name: Some(valid.name.clone()),
        automount_service_account_token: Some(false),
        // Else the address of every Service of the namespace is in the environment.
        enable_service_links: Some(false),
        security_context: Some(non_root()),
        termination_grace_period_seconds: Some(grace_period_seconds(valid)),
        topology_spread_constraints: Some(vec![spread_over_nodes(valid)]),
        containers: vec![container::gateway(valid)],
        volumes: Some(volumes::volumes(valid)),
        ..PodSpec::default()
    }
}

/// The pause before SIGTERM, the longest call that may be under way, and the exit. Source: protocol.md, section 7.
fn grace_period_seconds(valid: &ValidServer) -> i64 {
    let longest_call = valid.config.upstreams.iter().map(|upstream| i64::from(upstream.timeout_seconds)).max();
    PRE_STOP_SECONDS + longest_call.unwrap_or(0).max(DRAIN_SECONDS) + EXIT_SECONDS
}

/// Soft: one node left is better than no pod. Counted for each ReplicaSet alone, else a rollout would
/// place its pods by where the old ones are.
fn spread_over_nodes(valid: &ValidServer) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: "kubernetes.io/hostname".to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(pod_selector(valid)),
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observed::Observed,
        validate::{
            tests::{mcp_server, settings},
            validate,
        },
    };

    #[test]
    fn the_grace_period_holds_the_pre_stop_the_longest_call_and_the_exit() {
        for (upstreams, seconds) in [
            ("[]", 40),
            ("[{ name: a, url: 'https://a.example.com', timeoutSeconds: 5 }]", 40),
            ("[{ name: a, url: 'https://a.example.com', timeoutSeconds: 31 }]", 41),
            (
                "[{ name: a, url: 'https://a.example.com' }, { name: b, url: 'https://b.example.com', timeoutSeconds: 600 }]",
                610,
            ),
        ] {
            let spec = format!("{{ auth: {{ issuers: [{{ issuer: https://login }}] }}, upstreams: {upstreams} }}");
            let valid = validate(&mcp_server(&spec), &Observed::default(), &settings()).unwrap();
            assert_eq!(pod_spec(&valid).termination_grace_period_seconds, Some(seconds), "{upstreams}");
        }
    }
}
