//! What a request asks for, once everything about it has been checked. The same for both eras.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    envelope::{MAX_ID_BYTES, is_object, is_string_or_integer, string},
    error::McpError,
    input::Retry,
    params::{Meta, Params},
};
use crate::features::{CallKind, CompletionReference, Listed, LogLevel};

/// The longest name or URI that is looked up, in bytes. Chosen: no name and no URI of anybody's is longer.
const MAX_NAME_BYTES: usize = 8192;

/// URIs of one `subscriptions/listen`, and those that one session has subscribed to. Chosen: more than a person looks at.
pub(super) const MAX_URIS: usize = 1000;

/// What these may take together, and those of one session, in bytes: they are held for as long as somebody listens.
/// Chosen: a thousand of 128 bytes.
pub(super) const MAX_URI_BYTES: usize = 128 * 1024;

/// A checked request. Without `Debug`: arguments and handles are in it.
pub(super) enum Operation<'a> {
    /// `server/discover`.
    Discover,
    /// `initialize`; the request's revision is the one that is answered.
    Initialize,
    /// `ping`.
    Ping,
    /// `tools/list`.
    ListTools { cursor: Option<Cow<'a, str>> },
    /// Any other list.
    List { listed: Listed, cursor: Option<Cow<'a, str>> },
    /// Whatever a provider answers.
    Call { kind: CallKind, retry: Retry<'a> },
    /// `subscriptions/listen`.
    Listen(Filter),
    /// `logging/setLevel`.
    SetLevel(LogLevel),
    /// `resources/subscribe`.
    Subscribe(Cow<'a, str>),
    /// `resources/unsubscribe`.
    Unsubscribe(Cow<'a, str>),
}

/// What a listen stream is asked to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) tools: bool,
    pub(super) prompts: bool,
    pub(super) resources: bool,
    pub(super) uris: Vec<String>,
}

pub(super) fn list_tools<'a>(params: &Params<'a>) -> Result<Operation<'a>, McpError> {
    Ok(Operation::ListTools { cursor: cursor(params)? })
}

pub(super) fn list<'a>(listed: Listed, params: &Params<'a>) -> Result<Operation<'a>, McpError> {
    Ok(Operation::List { listed, cursor: cursor(params)? })
}

/// An empty string is a legal cursor, only none of ours.
fn cursor<'a>(params: &Params<'a>) -> Result<Option<Cow<'a, str>>, McpError> {
    match params.cursor {
        None => Ok(None),
        Some(cursor) => string(cursor).map(Some).ok_or_else(McpError::unknown_cursor),
    }
}

/// Whether the tool exists is not asked here: that depends on the caller.
pub(super) fn call_tool<'a>(params: &Params<'a>) -> Result<Operation<'a>, McpError> {
    let name = name(params.name, "params.name must be a string")?;
    let arguments = match arguments(params)? {
        Some(arguments) => arguments.to_owned(),
        None => RawValue::from_string("{}".to_owned()).expect("this is JSON"),
    };
    Ok(Operation::Call { kind: CallKind::Tool { name, arguments }, retry: Retry::read(params)? })
}

pub(super) fn read_resource<'a>(params: &Params<'a>) -> Result<Operation<'a>, McpError> {
    let uri = name(params.uri, "params.uri must be a string")?;
    Ok(Operation::Call { kind: CallKind::Resource { uri }, retry: Retry::read(params)? })
}

pub(super) fn get_prompt<'a>(params: &Params<'a>) -> Result<Operation<'a>, McpError> {
    let name = name(params.name, "params.name must be a string")?;
    let arguments = arguments(params)?.map(ToOwned::to_owned);
    if let Some(arguments) = &arguments
        && serde_json::from_str::<std::collections::HashMap<Cow<'_, str>, Cow<'_, str>>>(arguments.get()).is_err()
    {
        return Err(McpError::invalid_params("params.arguments must be an object of strings"));
    }
    Ok(Operation::Call { kind: CallKind::Prompt { name, arguments }, retry: Retry::read(params)? })
}

pub(super) fn complete<'a>(params: &Params<'a>) -> Result<Operation<'a>, McpError> {
    #[derive(Deserialize)]
    struct Reference<'a> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
        name: Option<String>,
        uri: Option<String>,
    }

    #[derive(Deserialize)]
    struct Argument {
        name: Box<str>,
        value: Box<str>,
    }

    #[derive(Deserialize)]
    struct Context {
        arguments: Option<Box<RawValue>>,
    }

    let wrong = |what: &'static str| McpError::invalid_params(what);
    let reference = params.reference.and_then(|reference| serde_json::from_str(reference.get()).ok());
    let reference = match reference {
        Some(Reference { kind, name: Some(name), .. }) if kind == "ref/prompt" => {
            CompletionReference::Prompt(name.into())
        }
        Some(Reference { kind, uri: Some(uri), .. }) if kind == "ref/resource" => {
            CompletionReference::Resource(uri.into())
        }
        _ => return Err(wrong("params.ref must be {type: ref/prompt, name} or {type: ref/resource, uri}")),
    };
    let argument = params.argument.and_then(|argument| serde_json::from_str(argument.get()).ok());
    let Some(Argument { name, value }) = argument else {
        return Err(wrong("params.argument must be an object with the strings name and value"));
    };
    let known = match params.context {
        None => None,
        Some(context) => {
            let context: Context =
                serde_json::from_str(context.get()).map_err(|_| wrong("params.context must be an object"))?;
            context.arguments.filter(|arguments| is_object(arguments))
        }
    };
    let kind = CallKind::Completion { reference, argument: name, value, known };
    Ok(Operation::Call { kind, retry: Retry::default() })
}

pub(super) fn listen<'a>(params: &Params<'a>) -> Result<Operation<'a>, McpError> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Notifications {
        tools_list_changed: bool,
        prompts_list_changed: bool,
        resources_list_changed: bool,
        resource_subscriptions: Vec<String>,
    }

    let wrong = || {
        McpError::invalid_params(
            "params.notifications must be an object: toolsListChanged, promptsListChanged and resourcesListChanged \
             are booleans, resourceSubscriptions is a list of URIs",
        )
    };
    let sent = match params.notifications {
        None => return Err(wrong()),
        Some(notifications) => serde_json::from_str::<Notifications>(notifications.get()).map_err(|_| wrong())?,
    };
    let bytes: usize = sent.resource_subscriptions.iter().map(String::len).sum();
    if sent.resource_subscriptions.len() > MAX_URIS || bytes > MAX_URI_BYTES {
        return Err(McpError::invalid_params(
            "params.notifications.resourceSubscriptions: at most 1000 URIs of 128 KiB together",
        ));
    }
    Ok(Operation::Listen(Filter {
        tools: sent.tools_list_changed,
        prompts: sent.prompts_list_changed,
        resources: sent.resources_list_changed,
        uris: sent.resource_subscriptions,
    }))
}

pub(super) fn set_level<'a>(params: &Params<'a>) -> Result<Operation<'a>, McpError> {
    let level = params.level.and_then(string).and_then(|level| LogLevel::from_wire(&level));
    level
        .map(Operation::SetLevel)
        .ok_or_else(|| McpError::invalid_params("params.level is not one of the eight levels"))
}

pub(super) fn subscribe<'a>(params: &Params<'a>) -> Result<Operation<'a>, McpError> {
    uri(params).map(Operation::Subscribe)
}

pub(super) fn unsubscribe<'a>(params: &Params<'a>) -> Result<Operation<'a>, McpError> {
    uri(params).map(Operation::Unsubscribe)
}

/// Types of the `_meta` members that both eras know.
pub(super) fn check_progress_token(meta: &Meta<'_>) -> Result<(), McpError> {
    // Every progress notification repeats it, as every answer repeats the id: one rule for both.
    let valid = |token: &RawValue| token.get().len() <= MAX_ID_BYTES && is_string_or_integer(token);
    if meta.progress_token.is_none_or(valid) {
        return Ok(());
    }
    Err(McpError::invalid_params("params._meta.progressToken must be a string of at most 1 KiB or an integer"))
}

fn uri<'a>(params: &Params<'a>) -> Result<Cow<'a, str>, McpError> {
    let uri = params.uri.and_then(string).filter(|uri| uri.len() <= MAX_NAME_BYTES);
    uri.ok_or_else(|| McpError::invalid_params("params.uri must be a string of at most 8 KiB"))
}

fn name(value: Option<&RawValue>, wrong: &'static str) -> Result<Box<str>, McpError> {
    let name = value.and_then(string).filter(|name| name.len() <= MAX_NAME_BYTES);
    name.map(Into::into).ok_or_else(|| McpError::invalid_params(wrong))
}

fn arguments<'a>(params: &Params<'a>) -> Result<Option<&'a RawValue>, McpError> {
    match params.arguments {
        Some(arguments) if !is_object(arguments) => Err(McpError::invalid_params("params.arguments must be an object")),
        arguments => Ok(arguments),
    }
}
