//! Pods as decisions see them. A pod belongs by its labels; what it says of itself is not trusted.

use crds::McpServer;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};
use kube::runtime::reflector::ObjectRef;

use super::Sources;
use crate::{
    caches::CachedKind,
    desired::{CONTAINER_NAME, label, selector},
    observed::ObservedPod,
};

/// The pods of `key` that the cache holds.
pub(super) fn pods(sources: &Sources<'_>, key: &ObjectRef<McpServer>, namespace: &str, name: &str) -> Vec<ObservedPod> {
    let labelled = sources.caches.index.of(namespace, name);
    let names = labelled.iter().filter(|(kind, _)| *kind == CachedKind::Pod);
    let pods = names.filter_map(|(_, pod)| sources.caches.pod(namespace, pod));
    pods.filter(|pod| is_selected(pod, name))
        .map(|pod| {
            let mut observed = observed_pod(&pod);
            observed.verification = sources.verifier.found(key, &observed.uid);
            observed
        })
        .collect()
}

fn is_selected(pod: &Pod, name: &str) -> bool {
    let labels = pod.metadata.labels.as_ref();
    selector(name).iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
}

fn observed_pod(pod: &Pod) -> ObservedPod {
    let metadata = &pod.metadata;
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let statuses = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let gateway = statuses.iter().find(|status| status.name == CONTAINER_NAME);
    let container = containers.iter().find(|container| container.name == CONTAINER_NAME);
    ObservedPod {
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        ip: status.and_then(|status| status.pod_ip.clone()),
        ready: condition(conditions, "Ready").is_some_and(|ready| ready.status == "True"),
        config_revision: metadata.labels.as_ref().and_then(|labels| labels.get(label::CONFIG_REVISION)).cloned(),
        image: container.and_then(|container| container.image.clone()),
        waiting_reason: gateway.and_then(waiting_reason),
        restarted: gateway.is_some_and(|status| status.restart_count > 0),
        unscheduled_reason: condition(conditions, "PodScheduled")
            .filter(|scheduled| scheduled.status == "False")
            .and_then(|scheduled| scheduled.reason.clone()),
        deleting: metadata.deletion_timestamp.is_some(),
        verification: None,
    }
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
            ..ObservedPod::default()
        };
        assert_eq!(observed_pod(&pod), expected);
    }
}
