//! Outcome of a run + what was observed -> `McpServerStatus`.
//!
//! Pure: same world, same bytes; `now` is used for `lastTransitionTime` of what flipped, and for
//! nothing else. Never a guess: what nobody has seen is `Unknown` or `False`.

use crds::{McpServer, conditions::Reason, mcp_server::McpServerStatus};
use jiff::Timestamp;

use crate::{observed::Observed, validate::{Invalid, ValidServer}};

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Every object was sent, or was as desired already.
    Applied(Applied),
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

/// What is to be written.
pub fn status(_mcp_server: &McpServer, _outcome: &Outcome, _observed: &Observed, _now: Timestamp) -> McpServerStatus {
    McpServerStatus::default()
}

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
pub const PROGRESS_INTERVAL: std::time::Duration = std::time::Duration::from_secs(10);

/// Compares the status that stands with the new one.
pub fn change(_standing: Option<&McpServerStatus>, _next: &McpServerStatus) -> Change {
    Change::Transition
}
