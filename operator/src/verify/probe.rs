//! Asks one pod, hop by hop, what it has in force and how it answers a stranger.
//!
//! A pod is not trusted: each answer has a deadline and a bound, redirects are not followed, and no
//! proxy of the environment is used. Nothing secret is sent: the request without a token is the point.

use std::{net::SocketAddr, time::Duration};

use crds::{
    gateway_report::{GatewayReport, REPORT_PATH},
    text::cut,
};
use http::header::{ACCEPT, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use serde_json::{Value, json};

use crate::{
    observed::{HopError, MetadataAnswer, PodVerification, UnauthenticatedAnswer},
    route::METADATA_PATH,
    validate::Endpoint,
};

/// One request to a pod, its body included.
const REQUEST_DEADLINE: Duration = Duration::from_secs(2);

/// The largest body that is read, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What is kept of an untrusted text, in bytes.
const MAX_TEXT_BYTES: usize = 1024;

/// The revision of the protocol that every gateway serves.
const PROTOCOL_VERSION: &str = "2026-07-28";

/// Where one pod listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodAddress {
    /// The endpoint.
    pub public: SocketAddr,
    /// The report.
    pub admin: SocketAddr,
}

/// What is asked for on the public port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Questions {
    /// `host[:port]` of the public URL, sent as `Host`: as a client through the ingress would.
    pub host: String,
    /// Path of the endpoint; never empty.
    pub path: String,
    /// Path of the protected resource metadata; `None` under `auth.mode: None`.
    pub metadata_path: Option<String>,
}

impl Questions {
    /// What to ask an endpoint; `authenticated` unless `auth.mode: None`.
    pub fn of(endpoint: &Endpoint, authenticated: bool) -> Self {
        let host = endpoint.origin.split_once("://").map_or(endpoint.origin.as_str(), |(_, host)| host);
        let path = if endpoint.path.is_empty() { "/" } else { &endpoint.path };
        Self {
            host: host.to_owned(),
            path: path.to_owned(),
            metadata_path: authenticated.then(|| format!("{METADATA_PATH}{}", endpoint.path)),
        }
    }
}

/// Asks pods over HTTP; cheap to clone.
#[derive(Clone)]
pub struct Prober {
    client: Client,
    #[cfg(test)]
    breaks: bool,
}

impl Prober {
    /// A client of its own: none of its settings fit anything else.
    pub fn new() -> reqwest::Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the addresses are those of pods, so the egress guard of the gateway would refuse them"
        )]
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(REQUEST_DEADLINE)
            // A pod is asked every 30 s: a connection would only hold up its end.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self {
            client,
            #[cfg(test)]
            breaks: false,
        })
    }

    /// One that panics whenever it asks.
    #[cfg(test)]
    pub(crate) fn broken() -> Self {
        Self { breaks: true, ..Self::new().unwrap() }
    }

    /// Asks one pod. Three requests at once, so that it ends within one deadline.
    pub async fn probe(&self, pod: PodAddress, questions: &Questions) -> PodVerification {
        #[cfg(test)]
        assert!(!self.breaks, "the prober is broken on purpose");
        let (report, unauthenticated, metadata) = tokio::join!(
            self.report(pod.admin),
            self.unauthenticated(pod.public, questions),
            self.metadata(pod.public, questions),
        );
        PodVerification { report, unauthenticated, metadata }
    }

    async fn report(&self, admin: SocketAddr) -> Result<GatewayReport, HopError> {
        let answer = send(self.client.get(format!("http://{admin}{REPORT_PATH}"))).await?;
        if !answer.status().is_success() {
            return Err(HopError::Unreadable);
        }
        GatewayReport::parse(&body(answer).await?).map_err(|_| HopError::Unreadable)
    }

    async fn unauthenticated(
        &self,
        public: SocketAddr,
        questions: &Questions,
    ) -> Result<UnauthenticatedAnswer, HopError> {
        let request = self
            .client
            .post(format!("http://{public}{}", questions.path))
            .header(HOST, &questions.host)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .header("MCP-Protocol-Version", PROTOCOL_VERSION)
            .header("Mcp-Method", "server/discover")
            .body(discover().to_string());
        let answer = send(request).await?;
        let challenge = answer.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        Ok(UnauthenticatedAnswer { status: answer.status().as_u16(), www_authenticate: challenge.map(bounded) })
    }

    async fn metadata(&self, public: SocketAddr, questions: &Questions) -> Result<Option<MetadataAnswer>, HopError> {
        let Some(path) = &questions.metadata_path else { return Ok(None) };
        let answer = send(self.client.get(format!("http://{public}{path}")).header(HOST, &questions.host)).await?;
        let status = answer.status().as_u16();
        let document: Option<Value> = serde_json::from_slice(&body(answer).await?).ok();
        let resource = document.as_ref().and_then(|document| document.get("resource")?.as_str());
        Ok(Some(MetadataAnswer { status, resource: resource.map(bounded) }))
    }
}

fn discover() -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "server/discover",
        "params": { "_meta": {
            "io.modelcontextprotocol/protocolVersion": PROTOCOL_VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "mcp-operator", "version": env!("CARGO_PKG_VERSION") },
        } },
    })
}

async fn send(request: RequestBuilder) -> Result<Response, HopError> {
    request.send().await.map_err(|error| hop(&error))
}

async fn body(mut answer: Response) -> Result<Vec<u8>, HopError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| hop(&error))? {
        if bytes.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(HopError::Unreadable);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn hop(error: &reqwest::Error) -> HopError {
    if error.is_timeout() { HopError::TimedOut } else { HopError::Unreachable }
}

fn bounded(text: &str) -> String {
    cut(text, MAX_TEXT_BYTES).to_owned()
}

#[cfg(test)]
mod tests;
