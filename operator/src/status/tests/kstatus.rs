//! The rules by which Flux, Argo CD and `kubectl wait`-like tools read a custom resource: kstatus's
//! generic rules, written again in a few lines.

use crds::mcp_server::McpServerStatus;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    InProgress,
    Failed,
    Current,
}

pub(super) fn compute(generation: i64, status: Option<&McpServerStatus>) -> Verdict {
    let Some(status) = status else { return Verdict::Current };
    if status.observed_generation.is_some_and(|observed| observed != generation) {
        return Verdict::InProgress;
    }
    for condition in &status.conditions {
        match (condition.type_.as_str(), condition.status.as_str()) {
            ("Reconciling", "True") => return Verdict::InProgress,
            ("Stalled", "True") => return Verdict::Failed,
            _ => {}
        }
    }
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    match ready.map(|ready| ready.status.as_str()) {
        None | Some("True") => Verdict::Current,
        Some(_) => Verdict::InProgress,
    }
}
