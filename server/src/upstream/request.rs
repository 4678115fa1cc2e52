//! Requests and notifications to an upstream, as bytes and headers.
//!
//! Ids count up over the whole process, so that no two requests of ours ever have the same, and none of a client's ids
//! or tokens goes on.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use serde_json::{json, value::RawValue};

use super::{headers, param_headers, peer::Peer};
use crate::{features::ParamHeader, protocol::ProtocolVersion};

/// A request, ready to be sent once. Without `Debug`: arguments are in it.
pub(super) struct Outgoing {
    pub(super) id: u64,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// What a call of a tool says. Without `Debug`: arguments are in it.
#[derive(Clone, Copy)]
pub(super) struct ToolCall<'a> {
    /// As the upstream names it.
    pub(super) name: &'a str,
    /// A JSON object.
    pub(super) arguments: &'a RawValue,
    pub(super) param_headers: &'a [ParamHeader],
    pub(super) wants_progress: bool,
    pub(super) traceparent: Option<&'a str>,
}

#[derive(Serialize)]
struct Envelope<'a, P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    params: P,
}

#[derive(Serialize)]
struct Answer<'a> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Empty>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct CallParams<'a> {
    name: &'a str,
    arguments: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    _meta: Option<Meta<'a>>,
}

#[derive(Serialize)]
struct ListParams<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    _meta: Option<Meta<'a>>,
}

#[derive(Serialize)]
struct ListenParams<'a> {
    notifications: serde_json::Value,
    _meta: Option<Meta<'a>>,
}

/// `_meta` of a request. In the older era only what is optional there.
#[derive(Default, Serialize)]
struct Meta<'a> {
    #[serde(flatten)]
    modern: Option<ModernMeta>,
    #[serde(rename = "progressToken", skip_serializing_if = "Option::is_none")]
    progress_token: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
}

#[derive(Serialize)]
struct ModernMeta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    protocol_version: &'static str,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    client_capabilities: Empty,
    #[serde(rename = "io.modelcontextprotocol/clientInfo")]
    client_info: ClientInfo,
}

/// We can do nothing of what an upstream may ask.
#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct ClientInfo {
    name: &'static str,
    version: &'static str,
}

const CLIENT_INFO: ClientInfo = ClientInfo { name: "mcp-foundry", version: env!("CARGO_PKG_VERSION") };

/// `server/discover`, which asks whether the upstream is modern.
pub(super) fn discover() -> Outgoing {
    request(&Peer::new(ProtocolVersion::LATEST_MODERN), "server/discover", |id, peer| ListParams {
        cursor: None,
        _meta: meta(peer, id, false, None),
    })
}

/// `initialize`, which opens a session of the older era.
pub(super) fn initialize() -> Outgoing {
    let id = next_id();
    let params = json!({
        "protocolVersion": ProtocolVersion::LATEST_LEGACY.as_str(),
        "capabilities": {},
        "clientInfo": CLIENT_INFO,
    });
    let body = bytes(&Envelope { jsonrpc: "2.0", id, method: "initialize", params });
    Outgoing { id, headers: headers::of_post(None, None), body }
}

/// `tools/list`, one page of it.
pub(super) fn list_tools(peer: &Peer, cursor: Option<&str>) -> Outgoing {
    request(peer, "tools/list", |id, peer| ListParams { cursor, _meta: meta(peer, id, false, None) })
}

/// `subscriptions/listen` for changes of the tool list. Modern only.
pub(super) fn listen(peer: &Peer) -> Outgoing {
    request(peer, "subscriptions/listen", |id, peer| ListenParams {
        notifications: json!({ "toolsListChanged": true }),
        _meta: meta(peer, id, false, None),
    })
}

/// `tools/call`. Progress comes under the id of the request.
pub(super) fn call_tool(peer: &Peer, call: &ToolCall<'_>) -> Outgoing {
    let mut outgoing = request(peer, "tools/call", |id, peer| CallParams {
        name: call.name,
        arguments: call.arguments,
        _meta: meta(peer, id, call.wants_progress, call.traceparent),
    });
    if peer.version.is_modern() {
        outgoing.headers.insert(headers::NAME, headers::mirrored(call.name));
        param_headers::write(call.param_headers, call.arguments, &mut outgoing.headers);
    }
    outgoing
}

/// `notifications/initialized`.
pub(super) fn initialized() -> Vec<u8> {
    bytes(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
}

/// `notifications/cancelled` for a request of ours.
pub(super) fn cancelled(id: u64) -> Vec<u8> {
    let params = json!({ "requestId": id, "reason": "the answer is not awaited any more" });
    bytes(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }))
}

/// The answer to a request of the upstream: only `ping` has one. The id goes back as it came.
pub(super) fn answer(id: &RawValue, method: &str) -> Vec<u8> {
    let (result, error) = match method {
        "ping" => (Some(Empty {}), None),
        _ => (None, Some(json!({ "code": -32601, "message": "this client has no such method" }))),
    };
    bytes(&Answer { jsonrpc: "2.0", id, result, error })
}

fn request<P: Serialize>(peer: &Peer, method: &'static str, params: impl FnOnce(u64, &Peer) -> P) -> Outgoing {
    let id = next_id();
    let body = bytes(&Envelope { jsonrpc: "2.0", id, method, params: params(id, peer) });
    let mut headers = peer.post_headers();
    if peer.version.is_modern() {
        headers.insert(headers::METHOD, HeaderValue::from_static(method));
    }
    Outgoing { id, headers, body }
}

/// `None` where nothing needs to be said.
fn meta<'a>(peer: &Peer, id: u64, wants_progress: bool, traceparent: Option<&'a str>) -> Option<Meta<'a>> {
    let modern = peer.version.is_modern().then(|| ModernMeta {
        protocol_version: peer.version.as_str(),
        client_capabilities: Empty {},
        client_info: CLIENT_INFO,
    });
    let is_needed = modern.is_some() || wants_progress || traceparent.is_some();
    is_needed.then(|| Meta { modern, progress_token: wants_progress.then_some(id), traceparent })
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn bytes(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("plain structs and raw JSON always serialise")
}
