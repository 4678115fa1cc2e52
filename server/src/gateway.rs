//! Who may do what: plain values in, decisions out.
//!
//! The policy says what is needed, and [`decide`] is the only function that authorizes, for lists and for calls
//! alike. Nothing here does I/O, knows HTTP, or knows what exists.

mod builtin;
mod decide;
mod limits;
mod policy;
mod requirement;

pub use builtin::{ECHO, HEALTH_CHECK, PING};
pub use decide::{Decision, Target, decide};
pub use limits::Limits;
pub use policy::{Policy, PolicyError};
