//! The status of a run that panicked or hung: what stands stays, but for its summary.
//!
//! Does nothing that the run did, since any of it may be what broke. Same failure, same bytes, so that tries cost no write.

use crds::{
    McpServer,
    conditions::{ConditionType, Reason, set_condition},
    mcp_server::McpServerStatus,
};
use jiff::Timestamp;
use kube::Resource;

use super::{Failed, concern::Concern, trouble, whole_seconds};

/// `Ready=False` with the reason of `failed`; every other concern says what was seen last.
pub fn interrupted(mcp_server: &McpServer, failed: &Failed, now: Timestamp) -> McpServerStatus {
    let Failed { stage, reason, message, retry: _ } = failed;
    let why = Concern::wrong(*reason, format!("{stage}: {message}"));
    let generation = mcp_server.meta().generation.unwrap_or_default();
    let mut next = mcp_server.status.clone().unwrap_or_default();
    let summary = [
        why.observation(ConditionType::Ready),
        trouble(ConditionType::Reconciling, Some(&why), ""),
        trouble(ConditionType::Stalled, None, "nothing waits for a person"),
    ];
    let known = |type_: ConditionType| next.conditions.iter().any(|known| known.type_ == type_.as_str());
    let spec = (!known(ConditionType::SpecValid))
        .then(|| Concern::unknown(Reason::NotApplied, "the run ended before it could be said"));
    let spec = spec.map(|spec| spec.observation(ConditionType::SpecValid));
    for observation in summary.into_iter().chain(spec) {
        set_condition(&mut next.conditions, observation, generation, whole_seconds(now));
    }
    next.observed_generation = Some(generation);
    next
}
