//! What Kubernetes says of a managed Redis: whether its one pod runs.

use crds::conditions::Reason;

use super::super::concern::Concern;
use crate::{
    desired::redis::redis_name,
    observed::{Observed, ObservedPod, ObservedStatefulSet, Volumes},
    validate::{ManagedRedis, ValidRedis, ValidServer},
};

/// What keeps it from being used; `None`: it runs. `reached`: a gateway had it before.
pub(super) fn trouble(valid: &ValidServer, observed: &Observed, reached: bool) -> Option<Concern> {
    let Some(ValidRedis::Managed(managed)) = &valid.redis else { return None };
    let pod = observed.redis.pods.iter().find(|pod| !pod.deleting);
    if let Some(trouble) = pod.and_then(|pod| of_pod(valid, managed, pod)) {
        return Some(trouble);
    }
    if observed.redis.stateful_set.as_ref().is_some_and(ObservedStatefulSet::runs) {
        return None;
    }
    let look = format!("kubectl describe pod {}-0", redis_name(&valid.name));
    Some(if reached {
        Concern::wrong(
            Reason::RedisUnavailable,
            format!(
                "the pod of the Redis is not ready, it restarts or moves to another node; if it stays so, look at it: {look}"
            ),
        )
    } else {
        Concern::unknown(Reason::RedisProvisioning, format!("the Redis is being started; look at it: {look}"))
    })
}

/// The same words as for pods of the gateway, for the same troubles.
fn of_pod(valid: &ValidServer, managed: &ManagedRedis, pod: &ObservedPod) -> Option<Concern> {
    let name = format!("{}-0", redis_name(&valid.name));
    let image = &managed.image.reference;
    let (reason, what) = match pod.waiting_reason.as_deref() {
        // The kubelet goes back and forth between trying and backing off: one word for both.
        Some(
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable",
        ) => (
            Reason::ImagePullFailed,
            format!("cannot pull image `{image}`; check spec.redis.managed.image, and that the nodes may pull it"),
        ),
        Some("CreateContainerConfigError" | "CreateContainerError" | "RunContainerError") => (
            Reason::ContainerCannotStart,
            format!(
                "cannot start its container; image `{image}` needs a program redis-server: kubectl describe pod {name}"
            ),
        ),
        Some("CrashLoopBackOff") => (
            Reason::PodsCrashing,
            format!(
                "starts and ends again; image `{image}` must be of Redis 7.0 or newer, or of Valkey: kubectl logs {name} --previous"
            ),
        ),
        _ if pod.volumes == Volumes::Late => (
            Reason::ContainerCannotStart,
            format!("waits for its volumes or its network; look at its events: kubectl describe pod {name}"),
        ),
        _ => {
            pod.unscheduled_reason.as_ref()?;
            let volume = if managed.storage.is_some() {
                ", and that its volume can be made (spec.redis.managed.storage)"
            } else {
                ""
            };
            let fix = format!("add nodes, or ask for less in spec.redis.managed.resources{volume}");
            (Reason::Unschedulable, format!("fits on no node; {fix}"))
        }
    };
    Some(Concern::wrong(reason, format!("the pod of the Redis {what}")))
}
