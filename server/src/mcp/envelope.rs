//! A body as JSON-RPC messages: requests, notifications and answers, their params left as they came.
//!
//! After [`read`] the rest of the crate may trust the shape. Params and arguments stay raw text: they
//! are parsed once, by whoever needs them.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{error::McpError, strict};
pub(super) use crate::json::{is_object, string};

/// A request's id exactly as the client wrote it, so that it goes back the same.
pub(super) type RequestId<'a> = &'a RawValue;

/// The longest id, in bytes as the client wrote it with its quotes: every answer repeats it. Chosen: a UUID
/// has 36 bytes.
pub(super) const MAX_ID_BYTES: usize = 1024 + 2;

/// A body: one message, or a batch of them. Without `Debug`, as all that holds what a caller sent.
pub(super) enum Body<'a> {
    /// A JSON object.
    One(Message<'a>),
    /// A JSON array, which only one old revision knows: its items, each to be read by [`read_one`].
    Batch(Vec<&'a RawValue>),
}

const WRONG_VERSION: &str = "jsonrpc must be \"2.0\"";

/// One message from a client.
pub(super) enum Message<'a> {
    /// A request or a notification.
    Call(Envelope<'a>),
    /// The answer to a request of ours.
    Answer(ClientAnswer<'a>),
}

/// A request or a notification.
pub(super) struct Envelope<'a> {
    /// `None` for a notification.
    pub(super) id: Option<RequestId<'a>>,
    pub(super) method: Cow<'a, str>,
    /// A JSON object, if there is one.
    pub(super) params: Option<&'a RawValue>,
}

/// What a client answers to a request of ours.
pub(super) struct ClientAnswer<'a> {
    /// As it came.
    pub(super) id: Option<RequestId<'a>>,
    /// `None` for an error.
    pub(super) result: Option<&'a RawValue>,
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
pub(super) fn read(body: &[u8]) -> Result<Body<'_>, Refused<'_>> {
    let not_json = || McpError::parse("the body is not one JSON document in UTF-8");
    let refused = |error| Refused { id: None, error };
    let text = std::str::from_utf8(body).map_err(|_| refused(not_json()))?;
    strict::check(text).map_err(refused)?;
    match text.trim_start().as_bytes().first() {
        Some(b'{') => {
            let members = serde_json::from_str(text).map_err(|_| refused(not_json()))?;
            message(&members).map(Body::One)
        }
        Some(b'[') => serde_json::from_str(text).map(Body::Batch).map_err(|_| refused(not_json())),
        _ => Err(refused(McpError::invalid_request("the body must be a JSON object"))),
    }
}

/// Reads one item of a batch, which passed the strict check with the whole body.
pub(super) fn read_one(item: &RawValue) -> Result<Message<'_>, Refused<'_>> {
    let problem = "an item of a batch must be a JSON object";
    let members = serde_json::from_str(item.get()).map_err(|_| invalid(None, problem))?;
    message(&members)
}

fn message<'a>(members: &Members<'a>) -> Result<Message<'a>, Refused<'a>> {
    let id = match members.id {
        Some(id) if id.get().len() > MAX_ID_BYTES => {
            return Err(invalid(None, "id must be at most 1 KiB long"));
        }
        Some(id) if is_string_or_integer(id) => Some(id),
        Some(_) => return Err(invalid(None, "id must be a string or an integer")),
        None => None,
    };
    let is_version_2 = members.jsonrpc.and_then(string).as_deref() == Some("2.0");
    if members.result.is_some() || members.error.is_some() {
        // Two readers must not take one message for two things.
        return match (members.method, members.result, members.error) {
            (Some(_), _, _) => Err(invalid(None, "a message is a request or a response, not both")),
            (None, Some(_), Some(_)) => Err(invalid(None, "a response is a result or an error, not both")),
            // The id is one of ours: an error of ours must not look like an answer to it.
            (None, _, _) if !is_version_2 => Err(invalid(None, WRONG_VERSION)),
            (None, result, _) => Ok(Message::Answer(ClientAnswer { id, result })),
        };
    }
    if !is_version_2 {
        return Err(invalid(id, WRONG_VERSION));
    }
    let Some(method) = members.method.and_then(string) else {
        return Err(invalid(id, "method must be a string"));
    };
    match members.params {
        Some(params) if !is_object(params) => {
            Err(Refused { id, error: McpError::invalid_params("params must be an object") })
        }
        params => Ok(Message::Call(Envelope { id, method, params })),
    }
}

fn invalid<'a>(id: Option<RequestId<'a>>, message: &'static str) -> Refused<'a> {
    Refused { id, error: McpError::invalid_request(message) }
}

/// What ids and progress tokens are: a string, or an integer as text without fraction and exponent.
pub(super) fn is_string_or_integer(value: &RawValue) -> bool {
    let text = value.get();
    let digits = text.strip_prefix('-').unwrap_or(text);
    text.starts_with('"') || digits.bytes().all(|byte| byte.is_ascii_digit())
}
