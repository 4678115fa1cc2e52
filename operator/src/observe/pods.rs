//! Pods as decisions see them. A pod belongs by its labels; what it says of itself is not trusted.

use std::collections::BTreeMap;

use crds::McpServer;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{ContainerStatus, Pod, PodCondition},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::runtime::reflector::ObjectRef;

use super::Sources;
use crate::{
    caches::CachedKind,
    desired::{
        CONTAINER_NAME, label,
        redis::{self, redis_selector},
        selector,
    },
    observed::{ObservedPod, VOLUMES_PATIENCE, Volumes},
    rotation,
};

/// The gateway's pods of `key` that the cache holds.
pub(super) fn pods(
    sources: &Sources<'_>,
    key: &ObjectRef<McpServer>,
    namespace: &str,
    name: &str,
    now: Timestamp,
) -> Vec<ObservedPod> {
    let mut pods = selected(sources, namespace, name, &selector(name), CONTAINER_NAME, now);
    for pod in &mut pods {
        pod.verification = sources.verifier.found(key, &pod.uid);
    }
    pods
}

/// The pods of its managed Redis. Nobody asks them.
pub(super) fn redis_pods(sources: &Sources<'_>, namespace: &str, name: &str, now: Timestamp) -> Vec<ObservedPod> {
    selected(sources, namespace, name, &redis_selector(name), redis::CONTAINER_NAME, now)
}

fn selected(
    sources: &Sources<'_>,
    namespace: &str,
    name: &str,
    selector: &BTreeMap<String, String>,
    container: &str,
    now: Timestamp,
) -> Vec<ObservedPod> {
    let labelled = sources.caches.index.of(namespace, name);
    let names = labelled.iter().filter(|(kind, _)| *kind == CachedKind::Pod);
    let pods = names.filter_map(|(_, pod)| sources.caches.pod(namespace, pod));
    pods.filter(|pod| is_selected(pod, selector)).map(|pod| observed_pod(&pod, container, now)).collect()
}

fn is_selected(pod: &Pod, selector: &BTreeMap<String, String>) -> bool {
    let labels = pod.metadata.labels.as_ref();
    selector.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
}

/// `container` is the one whose state counts.
fn observed_pod(pod: &Pod, container: &str, now: Timestamp) -> ObservedPod {
    let metadata = &pod.metadata;
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let statuses = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let state = statuses.iter().find(|status| status.name == container);
    let container = containers.iter().find(|found| found.name == container);
    ObservedPod {
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        ip: status.and_then(|status| status.pod_ip.clone()),
        ready: condition(conditions, "Ready").is_some_and(|ready| ready.status == "True"),
        config_revision: label(metadata, label::CONFIG_REVISION).map(str::to_owned),
        redis_credentials: label(metadata, label::REDIS_CREDENTIALS).and_then(|text| text.parse().ok()),
        sealing_keys: label(metadata, label::SEALING_KEYS).map_or_else(|| vec![rotation::FIRST], rotation::numbers),
        image: container.and_then(|container| container.image.clone()),
        waiting_reason: state.and_then(waiting_reason),
        restarted: state.is_some_and(|status| status.restart_count > 0),
        unscheduled_reason: condition(conditions, "PodScheduled")
            .filter(|scheduled| scheduled.status == "False")
            .and_then(|scheduled| scheduled.reason.clone()),
        volumes: volumes(pod, conditions, now),
        deleting: metadata.deletion_timestamp.is_some(),
        verification: None,
    }
}

fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// The kubelet says it with a condition since Kubernetes 1.29, which speaks of the pod's network as well; a pod that has
/// ended has it again.
fn volumes(pod: &Pod, conditions: &[PodCondition], now: Timestamp) -> Volumes {
    let starts = pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Pending"));
    let waiting = condition(conditions, "PodReadyToStartContainers").filter(|ready| ready.status == "False");
    let Some(waiting) = waiting.filter(|_| starts) else { return Volumes::Mounted };
    let since = waiting.last_transition_time.as_ref().or(pod.metadata.creation_timestamp.as_ref());
    let late =
        since.is_some_and(|since| now.duration_since(since.0).unsigned_abs() >= VOLUMES_PATIENCE && since.0 < now);
    if late { Volumes::Late } else { Volumes::OnTheWay }
}

fn condition<'a>(conditions: &'a [PodCondition], type_: &str) -> Option<&'a PodCondition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

fn waiting_reason(status: &ContainerStatus) -> Option<String> {
    status.state.as_ref()?.waiting.as_ref()?.reason.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_cannot_pull_its_image_says_so() {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": { "name": "tools-1", "uid": "p", "labels": { "mcpfoundry.dev/config-revision": "abc" } },
            "spec": { "containers": [{ "name": CONTAINER_NAME, "image": "server:1" }] },
            "status": {
                "podIP": "10.0.0.7",
                "conditions": [{ "type": "Ready", "status": "False" }],
                "containerStatuses": [{
                    "name": CONTAINER_NAME, "image": "", "imageID": "", "ready": false, "restartCount": 0,
                    "state": { "waiting": { "reason": "ImagePullBackOff" } },
                }],
            },
        }))
        .unwrap();
        let expected = ObservedPod {
            name: "tools-1".to_owned(),
            uid: "p".to_owned(),
            ip: Some("10.0.0.7".to_owned()),
            config_revision: Some("abc".to_owned()),
            image: Some("server:1".to_owned()),
            waiting_reason: Some("ImagePullBackOff".to_owned()),
            sealing_keys: vec![rotation::FIRST],
            ..ObservedPod::default()
        };
        assert_eq!(observed_pod(&pod, CONTAINER_NAME, Timestamp::UNIX_EPOCH), expected);
    }
    #[test]
    fn volumes_that_do_not_come_are_late_after_a_minute() {
        let pod = |phase: &str, status: &str| -> Pod {
            serde_json::from_value(serde_json::json!({
                "metadata": { "name": "tools-1" },
                "status": { "phase": phase, "conditions": [{
                    "type": "PodReadyToStartContainers", "status": status, "lastTransitionTime": "2026-11-22T10:00:00Z",
                }] },
            }))
            .unwrap()
        };
        let at = |time: &str| format!("2026-11-22T{time}Z").parse::<Timestamp>().unwrap();
        for (phase, status, now, expected) in [
            ("Pending", "False", "10:00:59", Volumes::OnTheWay),
            ("Pending", "False", "10:01:00", Volumes::Late),
            // A clock that is behind the node's.
            ("Pending", "False", "09:00:00", Volumes::OnTheWay),
            ("Pending", "True", "10:30:00", Volumes::Mounted),
            ("Succeeded", "False", "10:30:00", Volumes::Mounted),
        ] {
            assert_eq!(
                observed_pod(&pod(phase, status), CONTAINER_NAME, at(now)).volumes,
                expected,
                "{phase} {status} {now}"
            );
        }
    }

    /// A Redis carries our labels too: it must never be asked for a report, counted as a replica, or hold a configuration.
    #[test]
    fn a_pod_of_the_redis_is_no_gateway_and_the_gateway_no_redis() {
        let labelled = |labels: BTreeMap<String, String>| -> Pod {
            serde_json::from_value(serde_json::json!({ "metadata": { "name": "p", "labels": labels } })).unwrap()
        };
        let (gateway, redis) = (labelled(selector("tools")), labelled(redis_selector("tools")));
        assert!(is_selected(&gateway, &selector("tools")) && is_selected(&redis, &redis_selector("tools")));
        assert!(!is_selected(&redis, &selector("tools")) && !is_selected(&gateway, &redis_selector("tools")));
        assert!(!is_selected(&redis, &redis_selector("other")));
    }
}
