//! Findings after a run that applied everything: how far this spec has come.

use crds::{
    McpServer,
    conditions::{ConditionType, Reason},
    gateway_report::GatewayReport,
    mcp_server::ToolsStatus,
};

use super::{
    Findings,
    concern::Concern,
    gateways::{auth, file_problem, is_verified, reports},
    legacy::legacy_streams,
    policy::{Scales, policy},
    redis::{first_contacts, redis},
    secrets::{rotation_begun, secrets},
    upstreams::{first_handshakes, upstream_statuses, upstreams},
    workload::workload,
};
use crate::{
    observed::{Observed, ObservedPod},
    validate::ValidServer,
};

pub(super) fn findings(mcp_server: &McpServer, valid: &ValidServer, observed: &Observed) -> Findings {
    let revision = Some(valid.config_revision.as_str());
    let staying: Vec<&ObservedPod> = observed.pods.iter().filter(|pod| !pod.deleting).collect();
    let current: Vec<&ObservedPod> =
        staying.iter().copied().filter(|pod| pod.config_revision.as_deref() == revision).collect();
    let scales = Scales::of(valid);
    let verified: Vec<&ObservedPod> = current.iter().copied().filter(|pod| is_verified(valid, &scales, pod)).collect();

    let workload = workload(valid, observed, &current);
    let auth = auth(valid, &current);
    let policy = policy(valid, &scales, &staying);
    let upstreams = upstreams(valid, &current);
    let handshakes = first_handshakes(valid, &current);
    let redis = redis(valid, observed, &current);
    let contacts = first_contacts(valid, &current);
    let not_ready = not_ready(valid, [&workload, &auth, &policy, &handshakes, &contacts], verified.len());
    // Of a revision that nobody has yet, the pods that serve say what is there.
    let speaking = if verified.is_empty() { &staying } else { &verified };
    Findings {
        degraded: degraded(observed, not_ready.as_ref(), [upstreams.as_ref(), redis.as_ref()], &auth, &current),
        at_work: at_work(valid, observed, &workload),
        not_ready,
        ready_message: format!("{0} of {0} pods serve {1}, and each was asked", valid.replicas, valid.endpoint.url),
        url: Some(valid.endpoint.url.clone()),
        replicas_summary: Some(format!("{}/{}", verified.len(), valid.replicas)),
        config_revision: Some(valid.config_revision.clone()),
        policy_revision: agreed(speaking, |report| bounded(&report.policy_revision, 64)),
        eras: agreed(speaking, |report| bounded(&report.eras.join(","), 512)),
        tools: agreed(speaking, tools),
        upstreams: upstream_statuses(valid, speaking),
        secrets: Some(secrets(valid)),
        last_handled_rotate_at: rotation_begun(mcp_server, valid, observed),
        concerns: concerns(valid, workload, auth, policy, [upstreams, redis]),
    }
}

fn concerns(
    valid: &ValidServer,
    workload: Concern,
    auth: Concern,
    policy: Concern,
    [upstreams, redis]: [Option<Concern>; 2],
) -> Vec<(ConditionType, Concern)> {
    let mut concerns = vec![
        (ConditionType::SpecValid, Concern::good(Reason::Valid, "the spec can be run")),
        (ConditionType::WorkloadAvailable, workload),
        (ConditionType::AuthReady, auth),
        (ConditionType::PolicyInForce, policy),
    ];
    concerns.extend(upstreams.map(|upstreams| (ConditionType::UpstreamsReady, upstreams)));
    concerns.extend(redis.map(|redis| (ConditionType::RedisReady, redis)));
    if valid.ingress.is_some() {
        let message = format!("an Ingress cannot say whether it works; try: curl -i {}", valid.endpoint.url);
        concerns.push((ConditionType::IngressReady, Concern::unknown(Reason::Applied, message)));
    }
    concerns.push((ConditionType::LegacyStreams, legacy_streams(valid)));
    concerns
}

/// The hop that is missing: what is wrong before what is unfinished, and the cause before its effect.
fn not_ready(
    valid: &ValidServer,
    [workload, auth, policy, handshakes, contacts]: [&Concern; 5],
    verified: usize,
) -> Option<Concern> {
    if workload.reason == Reason::ScaledToZero {
        return Some(workload.clone());
    }
    let alarm = Some(auth).filter(|auth| auth.reason == Reason::AuthenticationNotEnforced);
    // That a rollout stands still is the effect of what a pod complains about.
    let effect = Some(workload).filter(|workload| workload.reason == Reason::ProgressDeadlineExceeded);
    let cause = Some(workload).filter(|_| effect.is_none());
    let by_weight = [alarm, cause, Some(auth), Some(policy), Some(handshakes), Some(contacts), effect];
    let wrong = by_weight.into_iter().flatten().find(|concern| concern.wrong);
    let first =
        wrong.or_else(|| [workload, policy, auth, handshakes, contacts].into_iter().find(|concern| !concern.holds()));
    match first {
        // The rollout is over time: whatever the cause, Kubernetes has given up on it.
        Some(concern) => Some(Concern { stuck: concern.stuck || workload.stuck, ..concern.clone() }),
        None if i32::try_from(verified) == Ok(valid.replicas) => None,
        None => Some(Concern::waiting("not every pod of this revision has answered yet")),
    }
    .map(|concern| if concern.wrong { concern } else { Concern { reason: Reason::Progressing, ..concern } })
}

/// Something serves, and something is wrong.
fn degraded(
    observed: &Observed,
    not_ready: Option<&Concern>,
    others: [Option<&Concern>; 2],
    auth: &Concern,
    current: &[&ObservedPod],
) -> Option<Concern> {
    let serves = observed.pods.iter().any(|pod| pod.ready && !pod.deleting);
    let wrong = not_ready.filter(|concern| concern.wrong).cloned();
    let stale = Some(auth).filter(|auth| auth.reason == Reason::StaleKeys).cloned();
    // What was lost after it had been there once takes nothing from `Ready`.
    let lost = others.into_iter().flatten().find(|other| other.wrong).cloned();
    wrong.or(lost).or(stale).or_else(|| file_problem(current)).filter(|_| serves)
}

/// With 0 replicas there is an end to work; else somebody works until the endpoint is ready.
fn at_work(valid: &ValidServer, observed: &Observed, workload: &Concern) -> bool {
    let gone = observed.deployment.as_ref().is_some_and(|deployment| deployment.replicas == 0);
    valid.replicas > 0 || workload.reason != Reason::ScaledToZero || !gone
}

/// What all reports say, when they say the same.
pub(super) fn agreed<T: PartialEq>(pods: &[&ObservedPod], read: impl Fn(&GatewayReport) -> Option<T>) -> Option<T> {
    let mut values = reports(pods).map(read);
    let first = values.next()??;
    values.all(|value| value.as_ref() == Some(&first)).then_some(first)
}

pub(super) fn tools(report: &GatewayReport) -> Option<ToolsStatus> {
    Some(ToolsStatus { count: i64::from(report.tools.count), digest: bounded(&report.tools.digest, 64)? })
}

/// Nothing longer than the schema takes: one odd pod must not make every write of status fail.
pub(super) fn bounded(text: &str, max_chars: usize) -> Option<String> {
    (!text.is_empty() && text.chars().count() <= max_chars).then(|| text.to_owned())
}
