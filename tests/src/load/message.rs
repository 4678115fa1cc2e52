//! What clients send, in the revision that they speak, and what they make of an answer's body.

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use serde_json::{Value, json};

/// The revision of the modern era.
pub(super) const MODERN: &str = "2026-07-28";

/// Of the client with this number: every other one is modern.
const REVISIONS: [&str; 6] = [MODERN, "2025-11-25", MODERN, "2025-06-18", MODERN, "2025-03-26"];

/// As whom one client speaks.
#[derive(Clone)]
pub(super) struct Voice {
    pub(super) revision: &'static str,
    path: String,
    host: HeaderValue,
    authorization: HeaderValue,
}

impl Voice {
    /// Of the client with this number, who calls the endpoint `url`.
    pub(super) fn new(number: usize, url: &url::Url, token: &str) -> anyhow::Result<Self> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))?;
        authorization.set_sensitive(true);
        Ok(Self {
            revision: REVISIONS[number % REVISIONS.len()],
            path: url.path().to_owned(),
            host: HeaderValue::try_from(url.authority())?,
            authorization,
        })
    }

    pub(super) fn is_modern(&self) -> bool {
        self.revision == MODERN
    }

    /// A POST of this message; `session` in the older era.
    pub(super) fn post(&self, message: &Value, session: Option<&HeaderValue>) -> Request<Body> {
        let mut request = self.request_to_endpoint(Method::POST, Body::from(message.to_string()), session);
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if self.is_modern() {
            headers.insert("mcp-protocol-version", HeaderValue::from_static(MODERN));
            let mirrored = [("mcp-method", &message["method"]), ("mcp-name", &message["params"]["name"])];
            for (name, value) in mirrored {
                if let Some(value) = value.as_str().and_then(|text| HeaderValue::from_str(text).ok()) {
                    headers.insert(name, value);
                }
            }
        }
        request
    }

    /// A GET of the session's stream, from after this event on.
    pub(super) fn get(&self, session: Option<&HeaderValue>, last_event_id: Option<&str>) -> Request<Body> {
        let mut request = self.request_to_endpoint(Method::GET, Body::empty(), session);
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(id) = last_event_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert("last-event-id", id);
        }
        request
    }

    fn request_to_endpoint(&self, method: Method, body: Body, session: Option<&HeaderValue>) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.path.parse().expect("the path of a URL is a request target");
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        if let Some(session) = session {
            headers.insert("mcp-session-id", session.clone());
            headers.insert("mcp-protocol-version", HeaderValue::from_static(self.revision));
        }
        request
    }

    /// A request's message.
    pub(super) fn request(&self, id: u64, method: &str, mut params: Value) -> Value {
        if self.is_modern() {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientInfo": { "name": "load", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    }
}

/// The message of an answer: its body, or the last event of its stream.
pub(super) fn message(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("text/event-stream") {
        return serde_json::from_slice(body).ok();
    }
    let text = std::str::from_utf8(body).ok()?;
    let data = text.lines().rev().find_map(|line| line.strip_prefix("data: ").filter(|data| !data.is_empty()))?;
    serde_json::from_str(data).ok()
}
