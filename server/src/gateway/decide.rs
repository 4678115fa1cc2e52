//! The one decision: may this principal use this tool?
//!
//! Lists are filtered and calls are guarded by this same function, so a caller can call exactly what
//! the list shows. It never asks whether the tool exists; the catalog knows that.

use crds::gateway_config::AuthMode;

use super::policy::{Policy, Requirement};
use crate::auth::Principal;

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Listed, and the call may run.
    Allow,
    /// Listed, but the call needs scopes that the token lacks. All scopes that the tool needs, those
    /// that the token has included: the challenge names them all.
    MissingScopes(Vec<String>),
    /// Not listed, and a call is answered as for a tool that does not exist.
    Hidden,
}

/// Decides for lists and for calls. Pure.
pub fn decide(policy: &Policy, principal: &Principal, tool: &str) -> Decision {
    match (policy.requirement(tool), policy.mode) {
        (Requirement::Hidden, _) => Decision::Hidden,
        (Requirement::Scopes(_), AuthMode::None) => Decision::Allow,
        // Whoever was not authenticated where everyone must be has come past a check: show nothing.
        (Requirement::Scopes(_), AuthMode::OAuth) if principal.is_anonymous() => Decision::Hidden,
        (Requirement::Scopes(scopes), AuthMode::OAuth) => {
            if scopes.iter().all(|scope| principal.has_scope(scope)) {
                Decision::Allow
            } else {
                Decision::MissingScopes(scopes.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests;
