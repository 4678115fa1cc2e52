//! Whether a new status is worth a write now.

use std::time::Duration;

use crds::{conditions::ConditionType, mcp_server::McpServerStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// How much a new status differs from the one that stands: decides when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Not at all: nothing is written.
    Nothing,
    /// Only how far a rollout has come (counts, messages, concerns on the way to `Ready`). Written with the next
    /// transition, or after [`PROGRESS_INTERVAL`]: requeue after it. Keeps a transition at two writes.
    Progress,
    /// Somebody may be waiting for it: written at once.
    Transition,
}

/// How long progress may stay unwritten. Chosen: a person who watches sees movement, and a start that takes a few
/// seconds costs two writes, not ten.
pub const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// Compares the status that stands with the new one.
pub fn change(standing: Option<&McpServerStatus>, next: &McpServerStatus) -> Change {
    let Some(standing) = standing else { return Change::Transition };
    if is_same(standing, next) {
        return Change::Nothing;
    }
    let under_way = status_of(next, ConditionType::Reconciling) == Some("True");
    if under_way && summary(standing) == summary(next) { Change::Progress } else { Change::Transition }
}

/// The order of conditions means nothing: they are a map by type.
fn is_same(standing: &McpServerStatus, next: &McpServerStatus) -> bool {
    let sorted = |status: &McpServerStatus| {
        let mut status = status.clone();
        status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
        status
    };
    sorted(standing) == sorted(next)
}

/// What people and machines wait for.
fn summary(status: &McpServerStatus) -> impl PartialEq {
    let summaries = [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled, ConditionType::Degraded];
    let conditions = summaries
        .map(|type_| condition(status, type_).map(|condition| (condition.status.clone(), condition.reason.clone())));
    (conditions, status.observed_generation, status.url.clone(), status.last_handled_reconcile_at.clone())
}

fn status_of(status: &McpServerStatus, type_: ConditionType) -> Option<&str> {
    condition(status, type_).map(|condition| condition.status.as_str())
}

fn condition(status: &McpServerStatus, type_: ConditionType) -> Option<&Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_.as_str())
}
