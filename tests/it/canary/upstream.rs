//! An upstream that keeps all that it is sent, says secrets of its own, and repeats the arguments of a call.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use crds::gateway_config::UpstreamConfig;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::secret::unique;

/// Its tools: one more than a page of a list, so that there is a cursor.
const TOOLS: usize = 500;

/// What the upstream says or is configured with, by name of the place.
pub(super) mod places {
    /// In the URL of the configuration: known to the upstream alone.
    pub(in crate::canary) const KEY: &str = "the upstream's URL: query";
    /// What it calls itself: in the report.
    pub(in crate::canary) const NAME: &str = "the upstream's serverInfo.name";
    /// A tool that is called: a label of metrics, in the log, in spans, in the list.
    pub(in crate::canary) const TOOL: &str = "the name of an upstream's tool";
    /// Of a failed call: nobody's business.
    pub(in crate::canary) const ERROR: &str = "the upstream's error message";
    pub(in crate::canary) const ERROR_DATA: &str = "the upstream's error data";
    pub(in crate::canary) const COOKIE: &str = "the upstream's Set-Cookie";
    pub(in crate::canary) const HEADER: &str = "a header of the upstream's answer";
    /// Of an upstream of the older era: goes back to it alone.
    pub(in crate::canary) const SESSION: &str = "the id of our session at an upstream";
    /// In the URL of an upstream that is not there: what is logged of the failure must not hold it.
    pub(in crate::canary) const UNREACHABLE: &str = "an unreachable upstream's URL: query";
}

type Received = Arc<Mutex<Vec<u8>>>;

/// A running upstream; ends when dropped.
pub(super) struct RecordingUpstream {
    address: SocketAddr,
    received: Received,
    _stop: DropGuard,
}

impl RecordingUpstream {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Received::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&received));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        TaskTracker::new().spawn(async move {
            axum::serve(listener, router).with_graceful_shutdown(stopped).await.unwrap();
        });
        Self { address, received, _stop: stop.drop_guard() }
    }

    /// What the configuration says: this server in both eras, and one that is not there.
    pub(super) fn configured(&self) -> Vec<UpstreamConfig> {
        let upstream = |name: &str, url| UpstreamConfig { name: name.to_owned(), url, timeout_seconds: 20 };
        vec![
            // No process may listen there.
            upstream("gone", format!("http://127.0.0.1:0/mcp?key={}", unique(places::UNREACHABLE))),
            upstream("old", format!("http://{}{OLD}", self.address)),
            upstream("up", format!("http://{}/mcp?key={}", self.address, unique(places::KEY))),
        ]
    }

    /// All that came: targets, heads, bodies.
    pub(super) fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap().clone()
    }
}

/// The path under which it is a server of the older era.
const OLD: &str = "/old";

/// The tool of the older era, which repeats its arguments.
pub(super) const OLD_ECHO: &str = "old__echo";

/// The tool that repeats its arguments, as clients know it.
pub(super) fn echo() -> String {
    format!("up__{}", unique(places::TOOL))
}

/// The tool that fails.
pub(super) const FAIL: &str = "up__fail";

/// A tool that the policy hides, and one that takes a scope which nobody has.
pub(super) const HIDDEN: &str = "up__hidden";
pub(super) const SCOPED: &str = "up__scoped";

async fn take(
    State(received): State<Received>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response<Body> {
    let mut bytes = format!("{method} {uri}\n").into_bytes();
    for (name, value) in &headers {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
    }
    bytes.extend(body.bytes());
    received.lock().unwrap().extend(bytes);
    let message: Value = serde_json::from_str(&body).unwrap_or_default();
    let (status, answer) = if uri.path() == OLD { old_answer(&message) } else { answer(&message) };
    Response::builder()
        .status(status)
        .header("mcp-session-id", unique(places::SESSION))
        .header("content-type", "application/json")
        .header("set-cookie", unique(places::COOKIE))
        .header("x-upstream", unique(places::HEADER))
        .body(Body::from(answer.to_string()))
        .unwrap()
}

/// As a server of 2025-11-25.
fn old_answer(message: &Value) -> (u16, Value) {
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
            "serverInfo": { "name": "old", "version": "1" },
        }),
        "tools/list" => json!({ "tools": [{ "name": "echo", "inputSchema": { "type": "object" } }] }),
        "tools/call" => repeated(message),
        method if method.starts_with("notifications/") => return (202, Value::Null),
        _ => return (400, Value::Null),
    };
    (200, json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }))
}

fn repeated(message: &Value) -> Value {
    let text = message["params"]["arguments"].to_string();
    json!({ "resultType": "complete", "content": [{ "type": "text", "text": text }] })
}

/// As a server of 2026-07-28.
fn answer(message: &Value) -> (u16, Value) {
    let result = match message["method"].as_str().unwrap_or_default() {
        "server/discover" => json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} },
            "ttlMs": 0, "cacheScope": "public",
            "_meta": { "io.modelcontextprotocol/serverInfo": { "name": unique(places::NAME), "version": "1" } },
        }),
        "tools/list" => json!({ "resultType": "complete", "tools": tools(), "ttlMs": 0, "cacheScope": "public" }),
        "tools/call" if message["params"]["name"] == "fail" => {
            let error = json!({ "code": -32000, "message": unique(places::ERROR), "data": unique(places::ERROR_DATA) });
            return (500, json!({ "jsonrpc": "2.0", "id": message["id"], "error": error }));
        }
        "tools/call" => repeated(message),
        _ => {
            return (
                404,
                json!({ "jsonrpc": "2.0", "id": message["id"], "error": { "code": -32601, "message": "no" } }),
            );
        }
    };
    (200, json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }))
}

fn tools() -> Vec<Value> {
    let secret = unique(places::TOOL);
    let named = ["fail", "hidden", "scoped", &secret].map(str::to_owned);
    let more = (named.len()..TOOLS).map(|number| format!("tool-{number}"));
    let mirrored =
        json!({ "type": "object", "properties": { "region": { "type": "string", "x-mcp-header": "Region" } } });
    named.into_iter().chain(more).map(|name| json!({ "name": name, "inputSchema": mirrored })).collect()
}
