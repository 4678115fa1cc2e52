//! The one decision: may this principal use this?
//!
//! Lists are filtered, and calls, reads, completions and subscriptions are guarded, by this same function, so a caller
//! can use exactly what the lists show. It never asks whether the target exists; the catalog knows that.

use crds::gateway_config::{AuthMode, Visibility};

use super::{policy::Policy, requirement::Requirement};
use crate::auth::Principal;

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Listed, and the call may run.
    Allow,
    /// Listed, but the call needs scopes that the token lacks. All scopes that the tool needs, those
    /// that the token has included: the challenge names them all.
    MissingScopes(Vec<String>),
    /// Listed, but not for this caller, whatever scopes it gets: another kind, group, tenant or principal.
    NotForCaller,
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
    let needs = match policy.requirement(target) {
        Requirement::Hidden => return Decision::Hidden,
        Requirement::Needs(needs) => needs,
    };
    // Whoever was not authenticated where everyone must be has come past a check: show nothing.
    if policy.mode == AuthMode::OAuth && principal.is_anonymous() {
        return Decision::Hidden;
    }
    let refused = |decision| if needs.visibility == Visibility::Hide { Decision::Hidden } else { decision };
    // Nobody is anybody in particular where nobody is authenticated.
    let is_somebody = !principal.is_anonymous() || !needs.asks_who();
    if !is_somebody || !needs.is_for(principal) {
        return refused(Decision::NotForCaller);
    }
    let has_scopes = needs.scopes.iter().all(|scope| policy.implications.grant(principal, scope));
    if policy.mode == AuthMode::None || has_scopes {
        Decision::Allow
    } else {
        refused(Decision::MissingScopes(needs.scopes.clone()))
    }
}

#[cfg(test)]
mod tests;
