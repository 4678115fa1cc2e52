//! A request of 2026-07-28: every request says in body and headers what it is.
//!
//! The order of the checks is part of the behaviour: a missing `_meta` is told before a header that
//! then has nothing to match, and a mismatch before a version that nobody knows.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

use super::{
    envelope::{Envelope, is_object, string},
    era::{Era, ProtocolVersion},
    error::McpError,
    headers::{Single, accept, names, single, unwrapped},
    operation::{Operation, call_tool, check_progress_token, list_tools},
    params::{Meta, Params},
};

/// Source: MCP 2026-07-28, server/utilities/logging, "Log Levels".
const LOG_LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// The methods of this era that are served.
#[derive(Clone, Copy)]
enum Method {
    Discover,
    ListTools,
    CallTool,
}

/// Checks a request.
pub(super) fn operation<'a>(
    envelope: &Envelope<'a>,
    params: &Params<'a>,
    meta: &Meta<'a>,
    headers: &HeaderMap,
) -> Result<Operation<'a>, McpError> {
    let accepted = accept(headers);
    if !(accepted.json && accepted.event_stream) {
        return Err(McpError::not_acceptable("application/json and text/event-stream"));
    }
    check_version(meta, headers)?;
    check_capabilities(meta)?;
    let method = method(&envelope.method).ok_or_else(McpError::method_not_found)?;
    check_mirrored(&names::METHOD, Some(&envelope.method), headers)?;
    if matches!(method, Method::CallTool) {
        let name = params.name.and_then(string);
        check_mirrored(&names::NAME, name.as_deref(), headers)?;
    }
    check_log_level(meta)?;
    check_progress_token(meta)?;
    match method {
        Method::Discover => Ok(Operation::Discover),
        Method::ListTools => list_tools(params),
        Method::CallTool => call_tool(params),
    }
}

fn method(name: &str) -> Option<Method> {
    match name {
        "server/discover" => Some(Method::Discover),
        "tools/list" => Some(Method::ListTools),
        "tools/call" => Some(Method::CallTool),
        _ => None,
    }
}

fn check_version(meta: &Meta<'_>, headers: &HeaderMap) -> Result<(), McpError> {
    let header = match single(headers, &names::PROTOCOL_VERSION) {
        Single::Value(header) => header,
        Single::Absent => {
            return Err(McpError::header_mismatch(&names::PROTOCOL_VERSION, "it is missing"));
        }
        Single::Malformed => return Err(McpError::malformed_header(&names::PROTOCOL_VERSION)),
    };
    let Some(version) = meta.protocol_version.and_then(string) else {
        return Err(McpError::invalid_params(
            "params._meta[\"io.modelcontextprotocol/protocolVersion\"] must be a string",
        ));
    };
    if header != version {
        let problem = "it differs from the version in params._meta";
        return Err(McpError::header_mismatch(&names::PROTOCOL_VERSION, problem));
    }
    match ProtocolVersion::from_wire(&version).map(ProtocolVersion::era) {
        Some(Era::Modern) => Ok(()),
        Some(Era::Legacy) | None => Err(McpError::unsupported_version(&version)),
    }
}

fn check_capabilities(meta: &Meta<'_>) -> Result<(), McpError> {
    if meta.client_capabilities.is_some_and(is_object) {
        return Ok(());
    }
    Err(McpError::invalid_params("params._meta[\"io.modelcontextprotocol/clientCapabilities\"] must be an object"))
}

/// A header that repeats a value of the body, so that a proxy can route on it. Names may be wrapped
/// in base64; methods may not. Without a value in the body there is nothing to repeat.
fn check_mirrored(name: &HeaderName, body: Option<&str>, headers: &HeaderMap) -> Result<(), McpError> {
    let Some(body) = body else { return Ok(()) };
    let sent = match single(headers, name) {
        Single::Value(sent) => sent,
        Single::Absent => return Err(McpError::header_mismatch(name, "it is missing")),
        Single::Malformed => return Err(McpError::malformed_header(name)),
    };
    let may_be_wrapped = *name == names::NAME;
    let value = if may_be_wrapped { unwrapped(sent) } else { Some(Cow::Borrowed(sent)) };
    match value {
        Some(value) if value == body => Ok(()),
        Some(_) => Err(McpError::header_mismatch(name, "it differs from the body")),
        None => Err(McpError::header_mismatch(name, "its base64 cannot be read")),
    }
}

fn check_log_level(meta: &Meta<'_>) -> Result<(), McpError> {
    let Some(level) = meta.log_level else { return Ok(()) };
    if string(level).is_some_and(|level| LOG_LEVELS.contains(&level.as_ref())) {
        return Ok(());
    }
    Err(McpError::invalid_params("params._meta[\"io.modelcontextprotocol/logLevel\"] is not one of the eight levels"))
}
