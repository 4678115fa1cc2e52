//! A body as a JSON-RPC message: one request or one notification, its params left as they came.
//!
//! After [`read`] the rest of the crate may trust the shape. Params and arguments stay raw text: they
//! are parsed once, by whoever needs them.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{error::McpError, strict};

/// A request's id exactly as the client wrote it, so that it goes back the same.
pub(super) type RequestId<'a> = &'a RawValue;

/// The longest id, in bytes as the client wrote it with its quotes: every answer repeats it. Chosen: a UUID
/// has 36 bytes.
const MAX_ID_BYTES: usize = 1024 + 2;

/// One message from a client.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    /// `None` for a notification.
    pub(super) id: Option<RequestId<'a>>,
    pub(super) method: Cow<'a, str>,
    /// A JSON object, if there is one.
    pub(super) params: Option<&'a RawValue>,
}

/// A message that is answered with an error, and the id to answer to if it has a readable one.
#[derive(Debug)]
pub(super) struct Refused<'a> {
    pub(super) id: Option<RequestId<'a>>,
    pub(super) error: McpError,
}

/// Absent and `null` are told apart: `"id": null` is no notification.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

/// Reads a body.
pub(super) fn read(body: &[u8]) -> Result<Envelope<'_>, Refused<'_>> {
    let members = members(body).map_err(|error| Refused { id: None, error })?;
    // Also one that has a method: two readers must not take it for two things.
    if members.result.is_some() || members.error.is_some() {
        // Its id would be one of ours, and we ask clients nothing.
        return Err(invalid(None, "a response was posted, but nothing was asked"));
    }
    let id = match members.id {
        Some(id) if id.get().len() > MAX_ID_BYTES => {
            return Err(invalid(None, "id must be at most 1 KiB long"));
        }
        Some(id) if is_request_id(id) => Some(id),
        Some(_) => return Err(invalid(None, "id must be a string or an integer")),
        None => None,
    };
    if members.jsonrpc.and_then(string).as_deref() != Some("2.0") {
        return Err(invalid(id, "jsonrpc must be \"2.0\""));
    }
    let Some(method) = members.method.and_then(string) else {
        return Err(invalid(id, "method must be a string"));
    };
    match members.params {
        Some(params) if !is_object(params) => {
            Err(Refused { id, error: McpError::invalid_params("params must be an object") })
        }
        params => Ok(Envelope { id, method, params }),
    }
}

fn members(body: &[u8]) -> Result<Members<'_>, McpError> {
    let not_json = || McpError::parse("the body is not one JSON document in UTF-8");
    let text = std::str::from_utf8(body).map_err(|_| not_json())?;
    strict::check(text)?;
    match text.trim_start().as_bytes().first() {
        Some(b'{') => serde_json::from_str(text).map_err(|_| not_json()),
        Some(b'[') => Err(McpError::invalid_request("batches are not accepted: post one message")),
        _ => Err(McpError::invalid_request("the body must be a JSON object")),
    }
}

fn invalid<'a>(id: Option<RequestId<'a>>, message: &'static str) -> Refused<'a> {
    Refused { id, error: McpError::invalid_request(message) }
}

/// A string, or an integer as text without fraction and exponent.
fn is_request_id(id: &RawValue) -> bool {
    let text = id.get();
    let digits = text.strip_prefix('-').unwrap_or(text);
    text.starts_with('"') || digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// True for a JSON object. Raw values begin with their first character, never with white space.
pub(super) fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

/// The text of a JSON string; `None` for anything else.
pub(super) fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    let inner = value.get().strip_prefix('"')?.strip_suffix('"')?;
    // Without an escape the text is what stands between the quotes, as it mostly is.
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let text: Text<'_> = serde_json::from_str(value.get()).ok()?;
    Some(text.0)
}
