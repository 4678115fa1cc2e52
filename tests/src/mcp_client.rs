//! A small MCP client over plain HTTP that shows every byte it sends and gets; for the demo and the end-to-end tests.
//!
//! It speaks 2026-07-28, where each request stands for itself. SDKs hide what is on the wire; this one exists to show it.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use url::Url;

/// The revision that every request is written in.
pub const PROTOCOL_VERSION: &str = "2026-07-28";

/// Chosen: a call here takes milliseconds; a hung one must not hang the caller.
const DEADLINE: Duration = Duration::from_secs(10);

/// A request as it goes out.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET or POST.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// In the order in which they are shown. The token stands here too; [`Request::shown_headers`] hides it.
    pub headers: Vec<(&'static str, String)>,
    /// JSON, if it is a POST.
    pub body: Option<Value>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Parsed, also out of an event stream; `Null` when there was none.
    pub body: Value,
}

/// Where to, and as whom.
#[derive(Clone, Debug)]
pub struct McpClient {
    http: Client,
    endpoint: Url,
    token: Option<String>,
}

impl McpClient {
    /// A client of `endpoint` without a token.
    pub fn new(endpoint: &Url) -> Result<Self> {
        Ok(Self { http: http_client(None)?, endpoint: endpoint.clone(), token: None })
    }

    /// A client that reaches the endpoint's host at `address`, whatever DNS says, and trusts this authority alone.
    pub fn through(endpoint: &Url, address: IpAddr, ca_pem: &str) -> Result<Self> {
        let host = endpoint.host_str().context("the endpoint has no host")?;
        let port = endpoint.port_or_known_default().context("the endpoint has no port")?;
        let http = builder(Some(ca_pem))?
            .resolve(host, (address, port).into())
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Self { http, endpoint: endpoint.clone(), token: None })
    }

    /// The same client with a token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A JSON-RPC request.
    pub fn rpc(&self, method: &str, params: Value) -> Request {
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": PROTOCOL_VERSION,
            "io.modelcontextprotocol/clientInfo": { "name": "cargo-demo", "version": env!("CARGO_PKG_VERSION") },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let mut headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("Accept", "application/json, text/event-stream".to_owned()),
            ("MCP-Protocol-Version", PROTOCOL_VERSION.to_owned()),
            ("Mcp-Method", method.to_owned()),
        ];
        if let Some(name) = params["name"].as_str() {
            headers.push(("Mcp-Name", name.to_owned()));
        }
        headers.extend(self.token.iter().map(|token| ("Authorization", format!("Bearer {token}"))));
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        Request { method: Method::POST, url: self.endpoint.clone(), headers, body: Some(body) }
    }

    /// `tools/call`.
    pub fn call(&self, tool: &str, arguments: &Value) -> Request {
        self.rpc("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// A plain GET of another path at the same host.
    pub fn get(&self, path: &str) -> Result<Request> {
        let url = self.endpoint.join(path).with_context(|| format!("`{path}` is not a path"))?;
        Ok(Request { method: Method::GET, url, headers: vec![("Accept", "application/json".to_owned())], body: None })
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, request: &Request) -> Result<Answer> {
        let mut builder = self.http.request(request.method.clone(), request.url.clone());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.to_string());
        }
        let response = builder.send().await.with_context(|| format!("no answer from {}", request.url))?;
        let status = response.status().as_u16();
        let headers: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let text = response.text().await.context("the answer broke off")?;
        let answer = Answer { status, headers, body: Value::Null };
        let body = parse(answer.header("content-type").unwrap_or_default(), &text);
        Ok(Answer { body, ..answer })
    }
}

impl Request {
    /// Headers for people: a token is no reading, and a transcript gets pasted.
    pub fn shown_headers(&self) -> Vec<(&'static str, String)> {
        let shown = |(name, value): &(&'static str, String)| match *name {
            "Authorization" => (*name, "Bearer <token>".to_owned()),
            _ => (*name, value.clone()),
        };
        self.headers.iter().map(shown).collect()
    }
}

impl Answer {
    /// The first header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The `result` of a JSON-RPC answer with status 200.
    pub fn result(&self) -> Result<&Value> {
        ensure!(self.status == 200, "expected status 200, got {}: {}", self.status, self.body);
        match self.body.get("result") {
            Some(result) => Ok(result),
            None => bail!("the answer has no result: {}", self.body),
        }
    }
}

/// A client without a deadline, for streams that stay open: it reaches `host` at `address`, speaks HTTP/1.1, and trusts
/// this authority alone.
pub(crate) fn streaming_client(ca_pem: Option<&str>, host: &str, address: SocketAddr) -> Result<Client> {
    let builder = unhurried(ca_pem)?.http1_only().connect_timeout(DEADLINE).resolve(host, address);
    builder.build().context("cannot make an HTTP client")
}

/// An HTTP client of the harness: no redirects, no proxy from the environment, a deadline.
pub fn http_client(ca_pem: Option<&str>) -> Result<Client> {
    builder(ca_pem)?.build().context("cannot make an HTTP client")
}

/// The same with a deadline of its own, for servers that think longer.
pub(crate) fn patient_client(ca_pem: &str, deadline: Duration) -> Result<Client> {
    unhurried(Some(ca_pem))?.timeout(deadline).build().context("cannot make an HTTP client")
}

fn builder(ca_pem: Option<&str>) -> Result<reqwest::ClientBuilder> {
    Ok(unhurried(ca_pem)?.timeout(DEADLINE))
}

fn unhurried(ca_pem: Option<&str>) -> Result<reqwest::ClientBuilder> {
    // Fails only when somebody was first, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "the harness talks to addresses that the server's guard must refuse")]
    let mut builder = Client::builder();
    builder = builder.no_proxy().redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = ca_pem {
        let ca = reqwest::Certificate::from_pem(pem.as_bytes()).context("cannot read the certificate authority")?;
        builder = builder.tls_certs_only([ca]);
    }
    Ok(builder)
}

/// The JSON of a body; of an event stream, that of the last event.
fn parse(content_type: &str, text: &str) -> Value {
    let json = if content_type.starts_with("text/event-stream") {
        text.lines().rev().find_map(|line| line.strip_prefix("data:")).unwrap_or_default()
    } else {
        text
    };
    if json.trim().is_empty() {
        return Value::Null;
    }
    // Not every error is ours: a proxy's page is shown as it came.
    serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_mirrors_method_and_name_and_hides_its_token_when_shown() {
        let client = McpClient::new(&"http://localhost:8080/mcp".parse().unwrap()).unwrap().with_token("secret");
        let request = client.call("ping", &json!({}));
        assert!(request.headers.contains(&("Mcp-Method", "tools/call".to_owned())));
        assert!(request.headers.contains(&("Mcp-Name", "ping".to_owned())));
        assert!(request.headers.contains(&("Authorization", "Bearer secret".to_owned())));
        assert!(!format!("{:?}", request.shown_headers()).contains("secret"));
    }

    #[test]
    fn the_answer_in_an_event_stream_is_its_last_event() {
        let stream = "event: message\ndata: {\"a\":1}\n\ndata: {\"a\":2}\n\n";
        assert_eq!(parse("text/event-stream", stream), json!({ "a": 2 }));
        assert_eq!(parse("application/json", ""), Value::Null);
        assert_eq!(parse("text/plain", "404 page not found"), json!("404 page not found"));
    }
}
