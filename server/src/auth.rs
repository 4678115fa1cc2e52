//! Bearer token in, [`Principal`] out; the client's token stops here.
//!
//! ```text
//! headers -> bearer -> token_form -> (issuer, key_set) -> signature -> claims -> Principal
//!                \-> decision_cache: the same answer for the price of a hash
//! keys: one task for each issuer fetches its key set, or reads the file that the operator mounts; a request never does
//! key_cache: the last good set on disk, for a restart while the issuer is down
//! ```
//!
//! Whatever decides takes the time as an argument. No part of a token, no key and no claim of a token that
//! was refused may reach a log line, a metric, an error or an answer: reasons are closed sets of fixed phrases.

mod authenticator;
mod bearer;
pub mod challenge;
mod claims;
mod decision_cache;
mod failure_budget;
mod fetch;
mod key_cache;
mod key_file;
mod key_set;
mod keys;
pub mod metadata;
mod principal;
mod refusal;
mod schedule;
mod settings;
mod signature;
mod snapshot;
mod strict_json;
mod token_form;
mod token_rules;

pub use authenticator::{AuthHealth, Authenticator, IssuerHealth};
pub use fetch::{FetchCause, FetchError, FetchStep};
pub use key_cache::KeyCache;
pub use key_set::{KeySet, KeySetError, SkippedKeys};
pub use principal::{Principal, PrincipalKind, ScopeSet};
pub use refusal::{InvalidToken, Refusal};
pub use settings::{AuthDeps, AuthSetupError, IssuerSettings, KeyRules, KeySource};
pub use token_rules::RulesError;

#[cfg(test)]
mod tests;
