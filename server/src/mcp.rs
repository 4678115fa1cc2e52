//! HTTP body to JSON-RPC and back: the only place that knows both.
//!
//! A request takes two steps, so that the edge can open its span in between: [`Endpoint::parse`] reads
//! and checks what was sent (cheap, nothing runs), [`Endpoint::run`] answers it. Both eras live on one
//! path, and the era is decided for each request, never for a connection. Nothing here authenticates:
//! a [`Caller`] has been authenticated before.

mod endpoint;
mod envelope;
mod era;
mod error;
mod headers;
mod legacy;
mod modern;
mod operation;
mod params;
mod parsed;
mod record;
mod reply;
mod strict;

pub use endpoint::{Caller, Endpoint, EndpointSettings};
pub use era::{Era, ProtocolVersion};
pub use error::ErrorCode;
pub use params::TraceContext;
pub use parsed::{McpRequest, ParsedCall};
pub use record::{CallOutcome, CallRecord, MethodLabel};
pub use reply::McpReply;

#[cfg(test)]
mod tests;
