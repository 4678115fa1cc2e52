//! What the endpoint does with answers, beyond their content.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::{
    listener::Service as _,
    router::public,
    testing::{TestApp, request},
};

fn post(token: &str, method: &str, name: Option<&str>, mut params: Value) -> Request<Body> {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut request = request("POST", "/mcp");
    for (header, value) in [
        ("authorization", Some(format!("Bearer {token}").as_str())),
        ("content-type", Some("application/json")),
        ("accept", Some("application/json, text/event-stream")),
        ("mcp-protocol-version", Some("2026-07-28")),
        ("mcp-method", Some(method)),
        ("mcp-name", name),
    ] {
        if let Some(value) = value {
            request.headers_mut().insert(header, HeaderValue::from_str(value).unwrap());
        }
    }
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    request.map(|_| Body::from(body.to_string()))
}

/// The clock stands still but for what waits for it.
#[tokio::test(start_paused = true)]
async fn a_listen_stream_begins_after_a_pause_and_no_answer_waits() {
    let TestApp { app, token } = TestApp::new();
    let listen = post(&token, "subscriptions/listen", None, json!({ "notifications": { "toolsListChanged": true } }));
    let ping = post(&token, "tools/call", Some("ping"), json!({ "name": "ping" }));
    for (request, content_type, waited) in
        [(listen, "text/event-stream", BEFORE_LISTEN), (ping, "application/json", Duration::ZERO)]
    {
        let began = Instant::now();
        let response = public(app.clone()).answer(None, request).await;
        assert_eq!((response.status(), began.elapsed()), (StatusCode::OK, waited), "{content_type}");
        assert!(response.headers()[CONTENT_TYPE].to_str().unwrap().starts_with(content_type));
    }
}
