//! Secrets in requests: in each place where a client puts one by mistake, or an attacker looks for one later.

use serde_json::{Value, json};

use crate::support::message::LEGACY;
use crate::support::{Era, Message};

use super::garden::{Garden, Request};
use super::secret::hex;
use super::sinks::Sink::{self, Output, OwnAnswer, Spans, Upstream};
use super::upstream;

/// A request around a secret.
pub(super) struct RequestRow {
    pub(super) place: &'static str,
    /// Status of the answer.
    pub(super) status: u16,
    pub(super) found_in: &'static [Sink],
    /// Whether the secret is a trace id: half as long as others, and sent in hex.
    pub(super) is_trace_id: bool,
    pub(super) request: fn(&Garden, &str) -> Request,
}

const fn row(
    place: &'static str,
    status: u16,
    found_in: &'static [Sink],
    request: fn(&Garden, &str) -> Request,
) -> RequestRow {
    RequestRow { place, status, found_in, is_trace_id: false, request }
}

const fn trace_id(place: &'static str, found_in: &'static [Sink], request: fn(&Garden, &str) -> Request) -> RequestRow {
    RequestRow { is_trace_id: true, ..row(place, 200, found_in, request) }
}

/// To be found nowhere.
const NOWHERE: &[Sink] = &[];

/// All of them.
pub(super) fn rows() -> Vec<RequestRow> {
    [credentials(), targets(), headers(), traces(), mcp_headers(), messages(), calls(), sessions(), forwarded()]
        .into_iter()
        .flatten()
        .collect()
}

/// What is meant to be a credential.
fn credentials() -> Vec<RequestRow> {
    vec![
        row("Authorization: Basic", 401, NOWHERE, |_, s| {
            Garden::anonymous().header("authorization", &format!("Basic {s}"))
        }),
        row("Authorization: DPoP", 401, NOWHERE, |_, s| {
            Garden::anonymous().header("authorization", &format!("DPoP {s}"))
        }),
        row("header DPoP", 200, NOWHERE, |garden, s| garden.ping().header("dpop", s)),
        row("Authorization without a scheme", 401, NOWHERE, |_, s| Garden::anonymous().header("authorization", s)),
        row("the second of two Authorization headers", 401, NOWHERE, |garden, s| garden.ping().bearing(s)),
        row("the first of two Authorization headers", 401, NOWHERE, |garden, s| {
            Garden::anonymous().bearing(s).bearing(&garden.token)
        }),
        row("Proxy-Authorization", 200, NOWHERE, |garden, s| {
            garden.ping().header("proxy-authorization", &format!("Basic {s}"))
        }),
        row("X-Forwarded-Authorization", 200, NOWHERE, |garden, s| {
            garden.ping().header("x-forwarded-authorization", s)
        }),
        row("X-Api-Key", 200, NOWHERE, |garden, s| garden.ping().header("x-api-key", s)),
        row("Cookie", 200, NOWHERE, |garden, s| garden.ping().header("cookie", &format!("access_token={s}"))),
        row("Cookie without a token", 401, NOWHERE, |_, s| {
            Garden::anonymous().header("cookie", &format!("session={s}"))
        }),
        row("a form: access_token", 401, NOWHERE, |_, s| {
            let form = Garden::anonymous().with_header("content-type", "application/x-www-form-urlencoded");
            form.body(&format!("access_token={s}"))
        }),
        row("a form beside a token", 415, NOWHERE, |garden, s| {
            let form = garden.ping().with_header("content-type", "application/x-www-form-urlencoded");
            form.body(&format!("client_secret={s}"))
        }),
    ]
}

/// The request line.
fn targets() -> Vec<RequestRow> {
    vec![
        row("the query: access_token", 200, NOWHERE, |garden, s| {
            garden.ping().target(&format!("/mcp?access_token={s}"))
        }),
        row("the query without a token", 401, NOWHERE, |_, s| {
            Garden::anonymous().target(&format!("/mcp?access_token={s}"))
        }),
        row("the query of /health", 200, NOWHERE, |garden, s| {
            garden.ping().method("GET").target(&format!("/health?code={s}"))
        }),
        row("a path that nobody has", 404, NOWHERE, |garden, s| garden.ping().target(&format!("/mcp/{s}"))),
        row("a method that nobody knows", 405, NOWHERE, |garden, s| garden.ping().method(s)),
    ]
}

/// Headers of HTTP.
fn headers() -> Vec<RequestRow> {
    vec![
        row("Host", 403, NOWHERE, |garden, s| garden.ping().header("host", &format!("{s}.example.com"))),
        row("Origin", 403, NOWHERE, |garden, s| garden.ping().header("origin", &format!("https://{s}.example.com"))),
        row("Referer", 200, NOWHERE, |garden, s| {
            garden.ping().header("referer", &format!("https://example.com/?t={s}"))
        }),
        row("User-Agent", 200, NOWHERE, |garden, s| garden.ping().header("user-agent", s)),
        row("Forwarded", 200, NOWHERE, |garden, s| garden.ping().header("forwarded", &format!("for={s}"))),
        row("X-Forwarded-For", 200, NOWHERE, |garden, s| garden.ping().header("x-forwarded-for", s)),
        row("the name of a header", 200, NOWHERE, |garden, s| garden.ping().header(s, "x")),
        row("Content-Type", 415, NOWHERE, |garden, s| garden.ping().with_header("content-type", &format!("text/{s}"))),
        row("Accept", 406, NOWHERE, |garden, s| garden.ping().with_header("accept", &format!("text/{s}"))),
        // Taken as it is: this is what it is for.
        row("X-Correlation-Id", 200, &[Output, OwnAnswer], |garden, s| garden.ping().header("x-correlation-id", s)),
        row("X-Correlation-Id that is malformed", 200, NOWHERE, |garden, s| {
            garden.ping().header("x-correlation-id", &format!("{s} {s}"))
        }),
    ]
}

/// W3C trace context. Trace ids and `tracestate` are for the collector; a trace goes on to the upstream by its id alone.
fn traces() -> Vec<RequestRow> {
    vec![
        trace_id("header traceparent: trace id", &[Output, Spans], |garden, s| {
            garden.ping().header("traceparent", &traceparent(s))
        }),
        trace_id("_meta.traceparent: trace id", &[Output, Spans, Upstream], |garden, s| {
            garden.say(&up_call(&json!({})).with("/params/_meta/traceparent", json!(traceparent(s))))
        }),
        row("header tracestate", 200, &[Spans], |garden, s| {
            garden
                .ping()
                .header("traceparent", &traceparent("0123456789abcdef"))
                .header("tracestate", &format!("a={s}"))
        }),
        row("header tracestate without traceparent", 200, NOWHERE, |garden, s| {
            garden.ping().header("tracestate", &format!("a={s}"))
        }),
        row("_meta.tracestate", 200, &[Spans], |garden, s| {
            let message = up_call(&json!({})).with("/params/_meta/traceparent", json!(traceparent("fedcba9876543210")));
            garden.say(&message.with("/params/_meta/tracestate", json!(format!("a={s}"))))
        }),
        row("header baggage", 200, NOWHERE, |garden, s| garden.ping().header("baggage", &format!("a={s}"))),
        row("_meta.baggage", 200, NOWHERE, |garden, s| {
            garden.say(&up_call(&json!({})).with("/params/_meta/baggage", json!(format!("a={s}"))))
        }),
    ]
}

/// Headers of MCP.
fn mcp_headers() -> Vec<RequestRow> {
    vec![
        row("Mcp-Method that differs", 400, NOWHERE, |garden, s| garden.ping().with_header("mcp-method", s)),
        row("Mcp-Name that differs", 400, NOWHERE, |garden, s| garden.ping().with_header("mcp-name", s)),
        row("Mcp-Param-*", 200, NOWHERE, |garden, s| garden.ping().header("mcp-param-anything", s)),
        row("Mcp-Param-* that differs", 400, NOWHERE, |garden, s| {
            garden.say(&up_call(&json!({ "region": "eu" })).header("mcp-param-region", s))
        }),
        row("Mcp-Protocol-Version", 400, NOWHERE, |garden, s| garden.ping().with_header("mcp-protocol-version", s)),
        row("Mcp-Session-Id of nobody", 404, NOWHERE, |garden, s| {
            garden.say(&Message::legacy("tools/list", json!({})).header("mcp-session-id", s))
        }),
        row("Mcp-Session-Id in the modern era", 200, NOWHERE, |garden, s| garden.ping().header("mcp-session-id", s)),
        row("Last-Event-ID", 400, NOWHERE, |garden, s| {
            let get = garden.legacy("", json!({})).method("GET").with_header("accept", "text/event-stream");
            get.header("last-event-id", s)
        }),
        row("Mcp-Session-Id of a DELETE", 404, NOWHERE, |garden, s| {
            garden.legacy("", json!({})).method("DELETE").with_header("mcp-session-id", s)
        }),
    ]
}

/// Members of messages.
fn messages() -> Vec<RequestRow> {
    vec![
        row("a body that is no JSON", 400, NOWHERE, |garden, s| garden.ping().body(&format!("{{\"{s}"))),
        row("a body that is a text", 400, NOWHERE, |garden, s| garden.ping().body(&json!(s).to_string())),
        row("a member twice", 400, NOWHERE, |garden, s| garden.ping().body(&format!(r#"{{"{s}":1,"{s}":2}}"#))),
        // What OpenTelemetry's conventions for MCP write down.
        row("the JSON-RPC id", 200, &[OwnAnswer, Spans], |garden, s| garden.say(&ping().with("/id", json!(s)))),
        row("method", 404, NOWHERE, |garden, s| garden.modern(s, json!({}))),
        row("params.access_token", 200, NOWHERE, |garden, s| {
            garden.say(&ping().with("/params/access_token", json!(s)))
        }),
        row("a member beside params", 200, NOWHERE, |garden, s| garden.say(&ping().with("/token", json!(s)))),
        row("_meta: a member of one's own", 200, NOWHERE, |garden, s| {
            garden.say(&ping().with("/params/_meta/example.com~1key", json!(s)))
        }),
        row("_meta: the name of a member", 200, NOWHERE, |garden, s| {
            garden.say(&ping().with(&format!("/params/_meta/{s}"), json!(1)))
        }),
        row("_meta: clientInfo.name", 200, NOWHERE, |garden, s| {
            garden.say(&ping().with(CLIENT_INFO, json!({ "name": s, "version": "1" })))
        }),
        row("_meta: a capability", 200, NOWHERE, |garden, s| {
            garden.say(&ping().able(json!({ "experimental": { s: {} } })))
        }),
        row("_meta: progressToken", 200, NOWHERE, |garden, s| {
            garden.say(&ping().with("/params/_meta/progressToken", json!(s)))
        }),
        row("_meta: a progressToken that is malformed", 400, NOWHERE, |garden, s| {
            garden.say(&ping().with("/params/_meta/progressToken", json!([s])))
        }),
        row("_meta: logLevel", 400, NOWHERE, |garden, s| garden.say(&ping().logging(s))),
        // The one who asks for a version learns which one was asked for.
        row("_meta: protocolVersion", 400, &[OwnAnswer], |garden, s| {
            let meta = "/params/_meta/io.modelcontextprotocol~1protocolVersion";
            garden.say(&ping().with(meta, json!(s)).with_header("mcp-protocol-version", s))
        }),
        row("cursor", 400, NOWHERE, |garden, s| garden.modern("tools/list", json!({ "cursor": s }))),
        row("requestState", 400, NOWHERE, |garden, s| garden.say(&ping().with("/params/requestState", json!(s)))),
        row("inputResponses", 200, NOWHERE, |garden, s| {
            let answer = json!({ "secret": { "action": "accept", "content": { "password": s } } });
            garden.say(&ping().with("/params/inputResponses", answer))
        }),
        row("an answer that nobody waits for", 400, NOWHERE, |garden, s| {
            garden.ping().body(&json!({ "jsonrpc": "2.0", "id": 1, "result": { "password": s } }).to_string())
        }),
    ]
}

/// Names and arguments of what is called.
fn calls() -> Vec<RequestRow> {
    vec![
        // `echo` is there to repeat it.
        row("an argument: message of echo", 200, &[OwnAnswer], |garden, s| {
            garden.call("echo", json!({ "message": s }))
        }),
        row("an argument of the wrong type", 200, NOWHERE, |garden, s| garden.call("echo", json!({ "message": [s] }))),
        // Only so can who misspelt an argument mend it.
        row("the name of an unknown argument", 200, &[OwnAnswer], |garden, s| {
            garden.call("echo", json!({ "message": "a", s: 1 }))
        }),
        row("the value of an unknown argument", 200, NOWHERE, |garden, s| {
            garden.call("echo", json!({ "message": "a", "password": s }))
        }),
        row("arguments that are no object", 400, NOWHERE, |garden, s| {
            garden.say(&ping().with("/params/arguments", json!(s)))
        }),
        row("the name of an unknown tool", 400, NOWHERE, |garden, s| garden.call(s, json!({}))),
        row("a hidden tool: an argument", 400, NOWHERE, |garden, s| {
            garden.call(upstream::HIDDEN, json!({ "region": s }))
        }),
        row("a tool for others: an argument", 403, NOWHERE, |garden, s| garden.call("health_check", json!({ "x": s }))),
        row("a tool of a missing scope: an argument", 403, NOWHERE, |garden, s| {
            garden.call(upstream::SCOPED, json!({ "region": s }))
        }),
        row("resources/read: uri", 404, NOWHERE, |garden, s| {
            garden.modern("resources/read", json!({ "uri": format!("file:///{s}") }))
        }),
        row("prompts/get: an argument", 404, NOWHERE, |garden, s| {
            garden.modern("prompts/get", json!({ "name": "x", "arguments": { "a": s } }))
        }),
        row("completion/complete: value", 404, NOWHERE, |garden, s| {
            let reference = json!({ "type": "ref/prompt", "name": "x" });
            garden.modern("completion/complete", json!({ "ref": reference, "argument": { "name": "a", "value": s } }))
        }),
    ]
}

/// The older era.
fn sessions() -> Vec<RequestRow> {
    vec![
        row("initialize: clientInfo.name", 200, NOWHERE, |garden, s| {
            garden.say(&Message::initialize(LEGACY).with("/params/clientInfo/name", json!(s)))
        }),
        row("initialize: a capability", 200, NOWHERE, |garden, s| {
            garden.say(&Message::initialize_able(LEGACY, &json!({ "experimental": { s: {} } })))
        }),
        row("initialize: protocolVersion", 200, NOWHERE, |garden, s| garden.say(&Message::initialize(s))),
        row("in a session: the message of echo", 200, &[OwnAnswer], |garden, s| {
            garden.legacy("tools/call", json!({ "name": "echo", "arguments": { "message": s } }))
        }),
        row("in a session: an argument of the wrong type", 200, NOWHERE, |garden, s| {
            garden.legacy("tools/call", json!({ "name": "echo", "arguments": { "message": [s] } }))
        }),
        row("in a session: the name of an unknown tool", 200, NOWHERE, |garden, s| {
            garden.legacy("tools/call", json!({ "name": s, "arguments": {} }))
        }),
        row("in a session: logging/setLevel", 200, NOWHERE, |garden, s| {
            garden.legacy("logging/setLevel", json!({ "level": s }))
        }),
        row("notifications/cancelled: reason", 202, NOWHERE, |garden, s| {
            notification(garden, "notifications/cancelled", &json!({ "requestId": 1, "reason": s }))
        }),
        row("an unknown notification: params", 202, NOWHERE, |garden, s| {
            notification(garden, "notifications/anything", &json!({ "password": s }))
        }),
    ]
}

/// Calls of an upstream's tool: what of them goes on.
fn forwarded() -> Vec<RequestRow> {
    vec![
        row("an argument of an upstream's tool", 200, &[OwnAnswer, Upstream], |garden, s| {
            garden.say(&up_call(&json!({ "a": s })))
        }),
        row("an argument that is mirrored in a header", 200, &[OwnAnswer, Upstream], |garden, s| {
            garden.say(&up_call(&json!({ "region": s })).header("mcp-param-region", s))
        }),
        row("an argument of a call that fails", 200, &[Upstream], |garden, s| {
            garden.call(upstream::FAIL, json!({ "password": s }))
        }),
        row("an argument of an upstream of the older era", 200, &[OwnAnswer, Upstream], |garden, s| {
            garden.call(upstream::OLD_ECHO, json!({ "a": s }))
        }),
        row("a forwarded call of the older era: Mcp-Session-Id of nobody", 200, NOWHERE, |garden, s| {
            garden.call(upstream::OLD_ECHO, json!({})).header("mcp-session-id", s)
        }),
        row("a forwarded call: X-Correlation-Id", 200, &[Output, OwnAnswer], |garden, s| {
            garden.say(&up_call(&json!({}))).header("x-correlation-id", s)
        }),
        row("a forwarded call: the JSON-RPC id", 200, &[OwnAnswer, Spans], |garden, s| {
            garden.say(&up_call(&json!({})).with("/id", json!(s)))
        }),
        row("a forwarded call: progressToken", 200, NOWHERE, |garden, s| {
            garden.say(&up_call(&json!({})).with("/params/_meta/progressToken", json!(s)))
        }),
        row("a forwarded call: clientInfo.name", 200, NOWHERE, |garden, s| {
            garden.say(&up_call(&json!({})).with(CLIENT_INFO, json!({ "name": s, "version": "1" })))
        }),
        row("a forwarded call: a member of _meta", 200, NOWHERE, |garden, s| {
            garden.say(&up_call(&json!({})).with("/params/_meta/example.com~1key", json!(s)))
        }),
        row("a forwarded call: a member of params", 200, NOWHERE, |garden, s| {
            garden.say(&up_call(&json!({})).with("/params/access_token", json!(s)))
        }),
        row("a forwarded call: Cookie", 200, NOWHERE, |garden, s| {
            garden.say(&up_call(&json!({}))).header("cookie", &format!("session={s}"))
        }),
        row("a forwarded call: Proxy-Authorization", 200, NOWHERE, |garden, s| {
            garden.say(&up_call(&json!({}))).header("proxy-authorization", &format!("Bearer {s}"))
        }),
        row("a forwarded call: X-Api-Key", 200, NOWHERE, |garden, s| {
            garden.say(&up_call(&json!({}))).header("x-api-key", s)
        }),
        row("a forwarded call: the query", 200, NOWHERE, |garden, s| {
            garden.say(&up_call(&json!({}))).target(&format!("/mcp?access_token={s}"))
        }),
        row("a forwarded call: Mcp-Param-* that no schema names", 200, NOWHERE, |garden, s| {
            garden.say(&up_call(&json!({}))).header("mcp-param-anything", s)
        }),
    ]
}

const CLIENT_INFO: &str = "/params/_meta/io.modelcontextprotocol~1clientInfo";

fn ping() -> Message {
    Message::call(Era::Modern, "ping", json!({}))
}

/// A call of the upstream's tool that repeats its arguments.
fn up_call(arguments: &Value) -> Message {
    Message::call(Era::Modern, &upstream::echo(), arguments.clone())
}

fn notification(garden: &Garden, method: &str, params: &Value) -> Request {
    let body = json!({ "jsonrpc": "2.0", "method": method, "params": params });
    garden.legacy(method, json!({})).body(&body.to_string())
}

/// Sampled, in the trace whose id has these 16 characters as its bytes.
fn traceparent(trace_id: &str) -> String {
    format!("00-{}-{}-01", hex(trace_id.as_bytes()), "0123456789abcdef")
}
