//! A request of 2025-11-25, the one older revision that is served: opened by `initialize`, without a
//! session id, which that revision leaves to the server.
//!
//! Nothing of the modern era may appear in its answers.

use http::HeaderMap;

use super::{
    envelope::{Envelope, string},
    error::McpError,
    headers::accept,
    operation::{Operation, call_tool, check_progress_token, list_tools},
    params::{Meta, Params},
};

/// Checks a request. What is wrong inside a well-formed request is answered with 200: see
/// [`McpError::served`].
pub(super) fn operation<'a>(
    envelope: &Envelope<'a>,
    params: &Params<'a>,
    meta: &Meta<'a>,
    headers: &HeaderMap,
) -> Result<Operation<'a>, McpError> {
    if !accept(headers).json {
        return Err(McpError::not_acceptable("application/json"));
    }
    check_progress_token(meta)
        .and_then(|()| match &*envelope.method {
            "initialize" => initialize(params),
            "ping" => Ok(Operation::Ping),
            "tools/list" => list_tools(params),
            "tools/call" => call_tool(params),
            _ => Err(McpError::method_not_found()),
        })
        .map_err(McpError::served)
}

/// Whatever version is asked for, the answer names ours: the client decides whether it can go on.
fn initialize<'a>(params: &Params<'a>) -> Result<Operation<'a>, McpError> {
    if params.protocol_version.and_then(string).is_some() {
        return Ok(Operation::Initialize);
    }
    Err(McpError::invalid_params("params.protocolVersion must be a string"))
}
