//! A request of 2026-07-28: every request says in body and headers what it is.
//!
//! The order of the checks is part of the behaviour: a missing `_meta` is told before a header that
//! then has nothing to match, and a mismatch before a version that nobody knows.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};
use serde_json::{Value, value::RawValue};

use super::{
    capabilities::client_capabilities,
    envelope::{Envelope, is_object, string},
    error::McpError,
    headers::{Single, accept, names, single, unwrapped},
    operation::{self, Operation, check_progress_token},
    params::{Meta, Params},
};
use crate::{
    features::{ClientCapabilities, Listed, LogLevel, Offered, ParamHeader, repeats},
    protocol::{Era, ProtocolVersion},
};

/// A checked request of this era.
pub(super) struct Checked<'a> {
    pub(super) operation: Operation<'a>,
    pub(super) client: ClientCapabilities,
    pub(super) log_level: Option<LogLevel>,
}

/// The methods of this era.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Discover,
    ListTools,
    CallTool,
    List(Listed),
    ReadResource,
    GetPrompt,
    Complete,
    Listen,
}

/// Checks a request. `offered` says which methods exist here.
pub(super) fn check<'a>(
    envelope: &Envelope<'a>,
    params: &Params<'a>,
    meta: &Meta<'a>,
    headers: &HeaderMap,
    offered: Offered,
) -> Result<Checked<'a>, McpError> {
    let accepted = accept(headers);
    if !(accepted.json && accepted.event_stream) {
        return Err(McpError::not_acceptable("application/json and text/event-stream"));
    }
    check_version(meta, headers)?;
    check_capabilities(meta)?;
    let method = method(&envelope.method, offered).ok_or_else(McpError::method_not_found)?;
    check_mirrored(&names::METHOD, Some(&envelope.method), headers)?;
    let mirrored = match method {
        Method::CallTool | Method::GetPrompt => params.name.and_then(string),
        Method::ReadResource => params.uri.and_then(string),
        _ => None,
    };
    check_mirrored(&names::NAME, mirrored.as_deref(), headers)?;
    let log_level = log_level(meta)?;
    check_progress_token(meta)?;
    let client = client_capabilities(meta.client_capabilities, ProtocolVersion::LATEST_MODERN);
    let operation = match method {
        Method::Discover => Operation::Discover,
        Method::ListTools => operation::list_tools(params)?,
        Method::CallTool => operation::call_tool(params)?,
        Method::List(listed) => operation::list(listed, params)?,
        Method::ReadResource => operation::read_resource(params)?,
        Method::GetPrompt => operation::get_prompt(params)?,
        Method::Complete => operation::complete(params)?,
        Method::Listen => operation::listen(params)?,
    };
    Ok(Checked { operation, client, log_level })
}

fn method(name: &str, offered: Offered) -> Option<Method> {
    let (method, exists) = match name {
        "server/discover" => (Method::Discover, true),
        "tools/list" => (Method::ListTools, true),
        "tools/call" => (Method::CallTool, true),
        "subscriptions/listen" => (Method::Listen, true),
        "resources/list" => (Method::List(Listed::Resources), offered.resources),
        "resources/templates/list" => (Method::List(Listed::Templates), offered.resources),
        "resources/read" => (Method::ReadResource, offered.resources),
        "prompts/list" => (Method::List(Listed::Prompts), offered.prompts),
        "prompts/get" => (Method::GetPrompt, offered.prompts),
        "completion/complete" => (Method::Complete, offered.completions),
        _ => return None,
    };
    exists.then_some(method)
}

fn check_version(meta: &Meta<'_>, headers: &HeaderMap) -> Result<(), McpError> {
    let header = sent(headers, &names::PROTOCOL_VERSION)?;
    let Some(version) = meta.protocol_version.and_then(string) else {
        return Err(McpError::invalid_params(
            "params._meta[\"io.modelcontextprotocol/protocolVersion\"] is missing or no string",
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
    Err(McpError::invalid_params(
        "params._meta[\"io.modelcontextprotocol/clientCapabilities\"] is missing or no object",
    ))
}

/// A header that repeats a value of the body, so that a proxy can route on it. Names may be wrapped
/// in base64; methods may not. Without a value in the body there is nothing to repeat.
fn check_mirrored(name: &HeaderName, body: Option<&str>, headers: &HeaderMap) -> Result<(), McpError> {
    let Some(body) = body else { return Ok(()) };
    let sent = sent(headers, name)?;
    let may_be_wrapped = *name == names::NAME;
    let value = if may_be_wrapped { unwrapped(sent) } else { Some(Cow::Borrowed(sent)) };
    match value {
        Some(value) if value == body => Ok(()),
        Some(_) => Err(McpError::header_mismatch(name, "it differs from the body")),
        None => Err(McpError::header_mismatch(name, "its base64 cannot be read")),
    }
}

/// An argument that the tool's schema wants repeated. `arguments` is what the body says.
pub(super) fn check_param_headers(
    param_headers: &[ParamHeader],
    arguments: &RawValue,
    headers: &HeaderMap,
) -> Result<(), McpError> {
    if param_headers.is_empty() {
        return Ok(());
    }
    let arguments: Value = serde_json::from_str(arguments.get()).unwrap_or_default();
    for param in param_headers {
        let name = &param.header;
        let Some(argument) = param.argument(&arguments) else { continue };
        match unwrapped(sent(headers, name)?) {
            Some(text) if repeats(argument, &text) => {}
            Some(_) => return Err(McpError::header_mismatch(name, "it differs from the argument")),
            None => return Err(McpError::header_mismatch(name, "its base64 cannot be read")),
        }
    }
    Ok(())
}

/// The value of a header that must be there.
fn sent<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, McpError> {
    match single(headers, name) {
        Single::Value(sent) => Ok(sent),
        Single::Absent => Err(McpError::header_mismatch(name, "it is missing: repeat here what the body says")),
        Single::Malformed => Err(McpError::malformed_header(name)),
    }
}

fn log_level(meta: &Meta<'_>) -> Result<Option<LogLevel>, McpError> {
    let Some(level) = meta.log_level else { return Ok(None) };
    let known = string(level).and_then(|level| LogLevel::from_wire(&level));
    let problem = "params._meta[\"io.modelcontextprotocol/logLevel\"] is not one of the eight levels";
    known.map(Some).ok_or_else(|| McpError::invalid_params(problem))
}
