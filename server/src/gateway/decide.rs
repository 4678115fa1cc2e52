//! The one decision: may this principal use this?
//!
//! Lists are filtered, and calls, reads, completions and subscriptions are guarded, by this same function, so a caller
//! can use exactly what the lists show. It never asks whether the target exists; the catalog knows that.

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

/// What is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// The tool with this public name.
    Tool(&'a str),
    /// A resource, a template, a prompt: rules name tools alone, so the default decides.
    Other,
}

/// Decides for lists and for calls. Pure.
pub fn decide(policy: &Policy, principal: &Principal, target: Target<'_>) -> Decision {
    match (policy.requirement(target), policy.mode) {
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
