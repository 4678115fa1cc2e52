//! Answers as bytes: one model of each result, written as each era wants it.
//!
//! What does not change from call to call was serialised at start and passes through as it is.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    envelope::{Refused, RequestId},
    era::Era,
    error::{ErrorData, McpError},
    record::CallRecord,
};
use crate::tools::ToolOutcome;

/// How long a client may keep a list or the discovery document.
/// Chosen: a tightened policy shows within a minute; a call is checked at once anyway.
pub(super) const TTL_MS: u64 = 60_000;

/// Room for those of an answer, the layers' included: a map that grows on the way is filled anew.
const HEADERS: usize = 12;

/// Lists depend on the caller's scopes, so no cache may share them.
pub(super) const CACHE_SCOPE: &str = "private";

/// An answer, ready to be sent, and what is to be recorded about it.
#[derive(Clone, Debug)]
pub struct McpReply {
    /// The HTTP status.
    pub status: StatusCode,
    /// `Content-Type` if there is a body, `Allow` on 405.
    pub headers: HeaderMap,
    /// JSON, or empty.
    pub body: Bytes,
    /// On 403 alone: all scopes that the operation needs. The edge writes the challenge from them.
    pub missing_scopes: Option<Vec<String>>,
    /// For span, metrics and audit; its outcome is set.
    pub record: CallRecord,
}

impl McpReply {
    pub(super) fn json(status: StatusCode, body: Vec<u8>, record: CallRecord) -> Self {
        let mut headers = HeaderMap::with_capacity(HEADERS);
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        Self { status, headers, body: body.into(), missing_scopes: None, record }
    }

    pub(super) fn accepted(record: CallRecord) -> Self {
        Self {
            status: StatusCode::ACCEPTED,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            missing_scopes: None,
            record,
        }
    }

    pub(super) fn error(refused: &Refused<'_>, record: CallRecord) -> Self {
        let status = refused.error.status;
        let mut reply = Self::json(status, error_body(refused.id, &refused.error), record);
        if status == StatusCode::METHOD_NOT_ALLOWED {
            reply.headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        reply
    }

    /// The body is the one that the authentication layer uses, not JSON-RPC.
    pub(super) fn missing_scopes(scopes: Vec<String>, correlation_id: &str, record: CallRecord) -> Self {
        let body = to_bytes(&Forbidden {
            error: "insufficient_scope",
            error_description: format!("the tool needs these scopes: {}", scopes.join(" ")),
            correlation_id,
        });
        let reply = Self::json(StatusCode::FORBIDDEN, body, record);
        Self { missing_scopes: Some(scopes), ..reply }
    }

    /// The HTTP part.
    pub fn into_response(self) -> Response<Bytes> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

#[derive(Serialize)]
struct Forbidden<'a> {
    error: &'static str,
    error_description: String,
    correlation_id: &'a str,
}

#[derive(Serialize)]
struct ResultResponse<'a, R> {
    jsonrpc: &'static str,
    id: RequestId<'a>,
    result: R,
}

#[derive(Serialize)]
struct ErrorResponse<'a> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<RequestId<'a>>,
    error: ErrorObject<'a>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    code: i32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a ErrorData>,
}

/// `tools/list`. What only the modern era knows is `None` in the older one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListToolsResult<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
    tools: &'a [&'a RawValue],
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_scope: Option<&'static str>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<&'a RawValue>,
}

/// `tools/call`. What only the modern era knows is `None` in the older one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallToolResult<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
    content: [TextContent<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<&'a RawValue>,
    is_error: bool,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct TextContent<'a> {
    r#type: &'static str,
    text: &'a str,
}

/// A result that was serialised at start.
pub(super) fn raw_body(id: RequestId<'_>, result: &RawValue) -> Vec<u8> {
    result_body(id, result)
}

/// `modern_meta` holds `serverInfo`; only the modern era sends it.
pub(super) fn list_tools_body(era: Era, id: RequestId<'_>, tools: &[&RawValue], modern_meta: &RawValue) -> Vec<u8> {
    let modern = era == Era::Modern;
    result_body(
        id,
        ListToolsResult {
            result_type: modern.then_some("complete"),
            tools,
            ttl_ms: modern.then_some(TTL_MS),
            cache_scope: modern.then_some(CACHE_SCOPE),
            meta: modern.then_some(modern_meta),
        },
    )
}

/// `modern_meta` holds `serverInfo`; only the modern era sends it.
pub(super) fn call_tool_body(era: Era, id: RequestId<'_>, outcome: &ToolOutcome, modern_meta: &RawValue) -> Vec<u8> {
    let modern = era == Era::Modern;
    result_body(
        id,
        CallToolResult {
            result_type: modern.then_some("complete"),
            content: [TextContent { r#type: "text", text: outcome.text_content() }],
            structured_content: outcome.structured_content(),
            is_error: outcome.is_error(),
            meta: modern.then_some(modern_meta),
        },
    )
}

fn result_body<R: Serialize>(id: RequestId<'_>, result: R) -> Vec<u8> {
    to_bytes(&ResultResponse { jsonrpc: "2.0", id, result })
}

fn error_body(id: Option<RequestId<'_>>, error: &McpError) -> Vec<u8> {
    to_bytes(&ErrorResponse {
        jsonrpc: "2.0",
        id,
        error: ErrorObject { code: error.code.number(), message: &error.message, data: error.data.as_ref() },
    })
}

fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings, numbers and raw JSON always serialise")
}
