//! What stands before a handler and knows HTTP, not MCP. [`crate::router`] says in which order, and why.

pub mod answer;
pub mod answer_body;
pub mod authentication;
pub mod body;
pub mod catch_panic;
pub mod correlation;
pub mod host;
pub mod origin;
pub mod request_limits;
pub mod security_headers;
pub mod trace;
