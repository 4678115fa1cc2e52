//! Who may do what with which tool: plain values in, decisions out.
//!
//! The catalog says what exists, the policy what is needed, and [`decide`] is the only function that
//! authorizes, for lists and for calls alike. Nothing here does I/O or knows HTTP.

mod builtin;
mod catalog;
mod decide;
mod policy;

pub use builtin::{ECHO, HEALTH_CHECK, PING};
pub use catalog::{Catalog, CatalogError, ToolAnnotations, ToolDefinition};
pub use decide::{Decision, decide};
pub use policy::{Policy, PolicyError};
