//! Outcome of a run + what was observed -> `McpServerStatus`.
//!
//! Pure: same world, same bytes; `now` is used for `lastTransitionTime` of what flipped, and for
//! nothing else. Never a guess: what nobody has seen is `Unknown` or `False`. Status is no input, but
//! for the transition times of the one that stands, and for what pods said of a spec that is held before
//! this process began to ask.

mod challenge;
mod change;
mod concern;
mod gateways;
mod held;
mod interrupted;
mod legacy;
mod policy;
mod progress;
mod redis;
mod secrets;
mod upstreams;
mod workload;

#[cfg(test)]
mod tests;

use crds::{
    McpServer,
    conditions::{ConditionStatus, ConditionType, Observation, Reason, set_condition},
    mcp_server::{McpServerStatus, SecretsStatus, ToolsStatus, UpstreamStatus},
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Resource, ResourceExt};

use crate::{
    desired::{annotation, selector_text},
    observed::Observed,
    validate::{Invalid, ValidServer},
};

pub use change::{Change, PROGRESS_INTERVAL, change};
pub use interrupted::interrupted;
pub use workload::children_match;

use concern::Concern;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Every object was sent, or was as desired already.
    Applied(Box<Applied>),
    /// The spec cannot be run; nothing was changed.
    Rejected(Vec<Invalid>),
    /// The world refused.
    Failed(Failed),
}

/// Every object is in the API server as desired.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// What was applied.
    pub valid: ValidServer,
}

/// A stage that did not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What was attempted: `apply Deployment`.
    pub stage: String,
    /// For condition, event and metric.
    pub reason: Reason,
    /// A sentence with the fix, without anything volatile (no resourceVersion, no time, no request id).
    pub message: String,
    /// Whether trying again can help. False: `Stalled`.
    pub retry: bool,
}

/// What a run has found out: everything that status says but times and what the object itself holds.
struct Findings {
    /// Each concern with its condition, in the order of status; `Ready` and kin are derived.
    concerns: Vec<(ConditionType, Concern)>,
    /// Why the endpoint is not ready, or `None`: it is.
    not_ready: Option<Concern>,
    /// What is less than it should be while the endpoint serves.
    degraded: Option<Concern>,
    /// Whether the operator is at work, or the cluster for it.
    at_work: bool,
    /// Message of `Ready=True`.
    ready_message: String,
    url: Option<String>,
    replicas_summary: Option<String>,
    config_revision: Option<String>,
    policy_revision: Option<String>,
    eras: Option<String>,
    tools: Option<ToolsStatus>,
    upstreams: Vec<UpstreamStatus>,
    secrets: Option<SecretsStatus>,
    /// The wish for a rotation that was taken up last.
    last_handled_rotate_at: Option<String>,
}

/// What is to be written.
pub fn status(mcp_server: &McpServer, outcome: &Outcome, observed: &Observed, now: Timestamp) -> McpServerStatus {
    let findings = match outcome {
        Outcome::Applied(applied) => progress::findings(mcp_server, &applied.valid, observed),
        Outcome::Rejected(invalid) => held::rejected(mcp_server, invalid, observed),
        Outcome::Failed(failed) => held::failed(mcp_server, failed, observed),
    };
    let generation = mcp_server.meta().generation.unwrap_or_default();
    let standing = mcp_server.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    McpServerStatus {
        conditions: conditions(observations(&findings), standing, generation, now),
        observed_generation: Some(generation),
        replicas: Some(observed.deployment.as_ref().map_or(0, |deployment| deployment.replicas)),
        selector: Some(selector_text(&mcp_server.name_any())),
        replicas_summary: findings.replicas_summary,
        url: findings.url,
        eras: findings.eras,
        tools: findings.tools,
        upstreams: findings.upstreams,
        config_revision: findings.config_revision,
        policy_revision: findings.policy_revision,
        secrets: findings.secrets,
        last_handled_rotate_at: findings.last_handled_rotate_at,
        last_handled_reconcile_at: handled(mcp_server),
    }
}

/// The annotation by which a user forces a run.
fn handled(mcp_server: &McpServer) -> Option<String> {
    Some(within_schema(mcp_server.annotations().get(annotation::RECONCILE_AT)?))
}

/// Cut to what the schema takes: a longer value must not make every write of status fail.
fn within_schema(asked: &str) -> String {
    asked.chars().take(128).collect()
}

/// `Ready` first, as people read it; then the concerns, then what kstatus reads.
fn observations(findings: &Findings) -> Vec<Observation> {
    let Findings { concerns, not_ready, degraded, .. } = findings;
    let ready = match not_ready {
        None => Concern::good(Reason::Verified, findings.ready_message.clone()),
        Some(concern) => Concern { status: ConditionStatus::False, ..concern.clone() },
    };
    let stuck = not_ready.as_ref().filter(|concern| concern.stuck);
    let working = not_ready.as_ref().filter(|concern| findings.at_work && !concern.stuck);
    let mut all = vec![ready.observation(ConditionType::Ready)];
    all.extend(concerns.iter().map(|(type_, concern)| concern.observation(*type_)));
    all.push(trouble(ConditionType::Degraded, degraded.as_ref(), "nothing that serves is less than it should be"));
    all.push(trouble(ConditionType::Reconciling, working, "nothing is under way"));
    all.push(trouble(ConditionType::Stalled, stuck, "nothing waits for a person"));
    all
}

/// A condition that speaks of trouble: `True` is bad.
fn trouble(type_: ConditionType, concern: Option<&Concern>, otherwise: &str) -> Observation {
    match concern {
        Some(concern) => Concern { status: ConditionStatus::True, ..concern.clone() }.observation(type_),
        None => Observation {
            type_,
            status: ConditionStatus::False,
            reason: Reason::AsExpected,
            message: otherwise.to_owned(),
        },
    }
}

/// In the order of `observations`, whatever order stands; of the standing ones only transition times are taken.
fn conditions(
    observations: Vec<Observation>,
    standing: &[Condition],
    generation: i64,
    now: Timestamp,
) -> Vec<Condition> {
    let now = whole_seconds(now);
    let mut conditions = Vec::new();
    for observation in observations {
        conditions.extend(standing.iter().find(|condition| condition.type_ == observation.type_.as_str()).cloned());
        set_condition(&mut conditions, observation, generation, now);
    }
    conditions
}

/// Kubernetes keeps seconds: what is written must be what is read back.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
