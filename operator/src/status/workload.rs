//! Whether the objects are as desired, and whether their pods run.
//!
//! A Deployment that has not seen its last change yet speaks of another spec: it is evidence only when
//! its hash and its observed generation are the current ones.

use crds::conditions::{ConditionStatus, Reason};

use super::concern::{Concern, foreign};
use crate::{
    desired::{Desired, annotation, desired, redis::credentials_name, sealing_secret_name, selector_text},
    observed::{Observed, ObservedDeployment, ObservedPod, Volumes},
    rotation,
    validate::{ValidRedis, ValidServer},
};

/// Whether every object of `desired` was seen, ours and with its hash; then status may speak of this spec.
pub fn children_match(desired: &Desired, owner_uid: &str, observed: &Observed) -> bool {
    desired.children().into_iter().all(|(kind, metadata)| {
        let hash = metadata.annotations.as_ref().and_then(|all| all.get(annotation::DESIRED_HASH));
        let child = observed.child(kind, metadata.name.as_deref().unwrap_or_default());
        child.is_some_and(|child| {
            child.is_controlled_by(owner_uid)
                && !child.is_deleting()
                && child.desired_hash() == hash.map(String::as_str)
        })
    })
}

/// `WorkloadAvailable`. `current` are the pods of this revision, without those on their way out.
pub(super) fn workload(valid: &ValidServer, observed: &Observed, current: &[&ObservedPod]) -> Concern {
    if !children_match(&desired(valid), &valid.owner.uid, observed) {
        return not_yet("the objects of this spec are written, and not seen yet");
    }
    let Some(deployment) = &observed.deployment else {
        return not_yet("the Deployment is written, and not seen yet");
    };
    if deployment.observed_generation < deployment.generation {
        return not_yet("the Deployment is written, and Kubernetes has not looked at it yet");
    }
    if valid.replicas == 0 {
        return zero();
    }
    let overdue =
        condition(deployment, "Progressing", false).is_some_and(|reason| reason == "ProgressDeadlineExceeded");
    if let Some(trouble) = pods_in_trouble(valid, deployment, current) {
        return Concern { stuck: overdue, ..trouble };
    }
    if overdue {
        return Concern::stuck(
            Reason::ProgressDeadlineExceeded,
            format!("the rollout stands still; look at the pods' events: {}", describe(&valid.name)),
        );
    }
    let ObservedDeployment { replicas, updated_replicas, available_replicas, .. } = deployment;
    let wanted = valid.replicas;
    if *replicas == wanted && *updated_replicas == wanted && *available_replicas >= wanted {
        return Concern::good(Reason::Available, format!("{wanted} of {wanted} pods of this revision are available"));
    }
    let available = (*available_replicas).min(*updated_replicas).clamp(0, wanted);
    not_yet(format!("{available} of {wanted} pods of this revision are available; the others are on their way"))
}

/// `spec.replicas` is 0.
pub(super) fn zero() -> Concern {
    Concern {
        status: ConditionStatus::False,
        ..Concern::unknown(Reason::ScaledToZero, "spec.replicas is 0, so that nobody is served; scale it up")
    }
}

fn not_yet(message: impl Into<String>) -> Concern {
    Concern { status: ConditionStatus::False, ..Concern::waiting(message) }
}

/// The reason of a condition of the Deployment with this status.
fn condition<'a>(deployment: &'a ObservedDeployment, type_: &str, holds: bool) -> Option<&'a str> {
    let condition = deployment.conditions.iter().find(|condition| condition.type_ == type_ && condition.holds == holds);
    condition.map(|condition| condition.reason.as_str())
}

/// What most pods that do not run are in trouble with; ties go to the first reason.
fn pods_in_trouble(valid: &ValidServer, deployment: &ObservedDeployment, current: &[&ObservedPod]) -> Option<Concern> {
    let refused = deployment.conditions.iter().find(|condition| condition.type_ == "ReplicaFailure" && condition.holds);
    if let Some(refused) = refused {
        let why = foreign(&refused.message);
        let message = format!("Kubernetes refuses pods; look at quotas and admission of the namespace: {why}");
        return Some(Concern::wrong(Reason::PodsCannotBeCreated, message));
    }
    let mut troubles: Vec<(Reason, String)> = current.iter().filter_map(|pod| trouble(valid, pod)).collect();
    troubles.sort();
    let (reason, what) = troubles.first()?.clone();
    let count = troubles.iter().filter(|trouble| trouble.0 == reason).count();
    Some(Concern::wrong(reason, format!("{count} of {} pods {what}", valid.replicas)))
}

fn trouble(valid: &ValidServer, pod: &ObservedPod) -> Option<(Reason, String)> {
    let name = &valid.name;
    let answers = pod.verification.as_ref().is_some_and(|verification| verification.report.is_ok());
    match pod.waiting_reason.as_deref() {
        // The kubelet goes back and forth between trying and backing off: one word for both.
        Some("ErrImagePull" | "ImagePullBackOff") => Some(image_pull(valid, "ImagePullBackOff")),
        Some(why @ ("InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" | "RegistryUnavailable")) => {
            Some(image_pull(valid, why))
        }
        Some(why @ ("CreateContainerConfigError" | "CreateContainerError" | "RunContainerError")) => Some((
            Reason::ContainerCannotStart,
            format!("cannot start their container ({why}); look at their events: {}", describe(name)),
        )),
        Some("CrashLoopBackOff") => Some(crashing(name)),
        _ if pod.restarted && !pod.ready && !answers => Some(crashing(name)),
        _ if pod.volumes == Volumes::Late => Some(no_volumes(valid)),
        _ => pod.unscheduled_reason.as_ref().map(|_| {
            let fix = "add nodes, or ask for less in spec.pod.resources";
            (Reason::Unschedulable, format!("fit on no node; {fix}"))
        }),
    }
}

fn no_volumes(valid: &ValidServer) -> (Reason, String) {
    let ValidServer { name, owner, redis, sealing, .. } = valid;
    let look = describe(name);
    let secret = sealing_secret_name(name, &owner.uid, sealing.keys.first().copied().unwrap_or(rotation::FIRST));
    let credentials = match redis {
        Some(ValidRedis::Managed(managed)) => {
            format!(" or `{}`", credentials_name(name, &owner.uid, managed.credentials.gateway))
        }
        Some(ValidRedis::External(_)) | None => String::new(),
    };
    let why = format!("if the Secret `{secret}`{credentials} was deleted, the operator makes a new one");
    (
        Reason::ContainerCannotStart,
        format!("wait for their volumes or their network; {why}; look at their events: {look}"),
    )
}

fn image_pull(valid: &ValidServer, why: &str) -> (Reason, String) {
    let image = &valid.image.reference;
    let fix = "check its name, and that the nodes may pull it";
    (Reason::ImagePullFailed, format!("cannot pull image `{image}` ({why}); {fix}"))
}

/// Of the gateway's pods alone.
fn describe(name: &str) -> String {
    format!("kubectl describe pods -l {}", selector_text(name))
}

fn crashing(name: &str) -> (Reason, String) {
    let look = format!("kubectl logs -l {} --previous", selector_text(name));
    (Reason::PodsCrashing, format!("start and end again; look at what they say: {look}"))
}
