//! What a request asks for, once everything about it has been checked. The same for both eras.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    envelope::{is_object, string},
    error::McpError,
    params::{Meta, Params},
};

/// A checked request.
#[derive(Debug)]
pub(super) enum Operation<'a> {
    /// `server/discover`.
    Discover,
    /// `initialize`.
    Initialize,
    /// `ping`.
    Ping,
    /// `tools/list`, always the whole list.
    ListTools,
    /// `tools/call`.
    CallTool {
        name: Cow<'a, str>,
        /// A JSON object; `None` when the client sent none.
        arguments: Option<&'a RawValue>,
    },
}

/// No page was ever begun, so any cursor is a wrong one, the empty string included.
pub(super) fn list_tools<'a>(params: &Params<'a>) -> Result<Operation<'a>, McpError> {
    match params.cursor {
        None => Ok(Operation::ListTools),
        Some(_) => Err(McpError::invalid_params("unknown cursor: the list has one page, ask without a cursor")),
    }
}

/// Whether the tool exists is not asked here: that depends on the caller.
pub(super) fn call_tool<'a>(params: &Params<'a>) -> Result<Operation<'a>, McpError> {
    let Some(name) = params.name.and_then(string) else {
        return Err(McpError::invalid_params("params.name must be a string"));
    };
    match params.arguments {
        Some(arguments) if !is_object(arguments) => Err(McpError::invalid_params("params.arguments must be an object")),
        arguments => Ok(Operation::CallTool { name, arguments }),
    }
}

/// Types of the `_meta` members that both eras know.
pub(super) fn check_progress_token(meta: &Meta<'_>) -> Result<(), McpError> {
    let valid = |token: &RawValue| {
        let text = token.get();
        text.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
    };
    if meta.progress_token.is_none_or(valid) {
        return Ok(());
    }
    Err(McpError::invalid_params("params._meta.progressToken must be a string or an integer"))
}
