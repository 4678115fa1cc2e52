//! HTTP body to JSON-RPC and back: the only place that knows both.
//!
//! ```text
//! parse: method, headers, body -> parsed::Step   (envelope, era, modern | legacy, params -> Operation)
//! serve: Step -> reply   (lists at once; calling: features decide -> work -> respond; streaming: listen)
//! ```
//!
//! Both eras live on one path, and the era is decided for each request, never for a connection. Nothing here
//! authenticates: a [`Caller`] has been authenticated before. What is written down about a request goes through
//! [`Audit`].

mod audit;
mod calling;
mod capabilities;
mod credential;
mod cursor;
mod endpoint;
mod envelope;
mod era;
mod error;
mod headers;
mod input;
mod legacy;
mod listen;
mod modern;
mod notify;
mod operation;
mod params;
mod parse;
mod parsed;
mod record;
mod replicas;
mod reply;
mod respond;
mod result;
mod serve;
mod session;
mod sse;
mod stream_log;
mod streaming;
mod strict;
mod tell_session;
mod work;
mod writing;

pub use audit::{Audit, Observation};
pub use endpoint::{Caller, Endpoint, EndpointSettings};
pub use error::ErrorCode;
pub use params::TraceContext;
pub use parsed::McpRequest;
pub use record::{CallOutcome, CallRecord, MethodLabel};
pub use reply::{Forbidden, McpReply, ReplyBody};

#[cfg(test)]
mod tests;
