//! One client: a person, an era, an id for each request that others use at the same time, and a payload that is its
//! own.

use anyhow::{Context as _, Result, ensure};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::gateway::{Gateway, http_client};

const MODERN: &str = "2026-07-28";

/// Of the client with this number.
const REVISIONS: [&str; 4] = [MODERN, "2025-11-25", "2025-06-18", "2025-03-26"];

/// One request in so many is a list, one a stream that is opened and dropped.
const LIST_EVERY: usize = 20;
const STREAM_EVERY: usize = 100;

/// One client, with a connection of its own.
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
    revision: &'static str,
    number: usize,
    /// In the older era, once it is open.
    session: Option<String>,
}

impl Client {
    pub(crate) fn new(gateway: &Gateway, number: usize) -> Result<Self> {
        Ok(Self {
            http: http_client()?,
            url: gateway.url.clone(),
            token: gateway.token_of(number),
            revision: REVISIONS[number % REVISIONS.len()],
            number,
            session: None,
        })
    }

    /// One request; whether what came back belongs to it.
    pub(crate) async fn request(&mut self, call: usize) -> Result<bool> {
        match call {
            _ if call % STREAM_EVERY == STREAM_EVERY - 1 => self.stream(call).await.map(|()| true),
            _ if call % LIST_EVERY == LIST_EVERY - 1 => {
                let list = self.ask(call, "tools/list", json!({})).await?;
                Ok(list["id"] == call && list["result"]["tools"].is_array())
            }
            _ => {
                let payload = format!("client {}, call {call}", self.number);
                let params = json!({ "name": "echo", "arguments": { "message": payload } });
                let answer = self.ask(call, "tools/call", params).await?;
                let text = answer["result"]["content"][0]["text"].as_str().context("a text block")?;
                let echoed: Value = serde_json::from_str(text).context("the text block is JSON")?;
                Ok(answer["id"] == call && echoed["message"] == payload)
            }
        }
    }

    /// Opens a stream and drops it: the listen stream, or that of the session, which is ended too.
    async fn stream(&mut self, call: usize) -> Result<()> {
        if self.revision == MODERN {
            let filter = json!({ "notifications": { "toolsListChanged": true } });
            let mut stream = served(self.post(call, "subscriptions/listen", filter)).await?;
            stream.chunk().await?.context("an acknowledgement")?;
            return Ok(());
        }
        let session = self.session().await?;
        let bodiless = |request: RequestBuilder| request.bearer_auth(&self.token).header("mcp-session-id", &session);
        served(bodiless(self.http.get(&self.url)).header("accept", "text/event-stream")).await?;
        let ended = bodiless(self.http.delete(&self.url)).send().await?;
        ensure!(ended.status() == StatusCode::NO_CONTENT, "the session does not end: {}", ended.status());
        self.session = None;
        Ok(())
    }

    async fn ask(&mut self, call: usize, method: &str, params: Value) -> Result<Value> {
        let request = if self.revision == MODERN {
            self.post(call, method, params)
        } else {
            let session = self.session().await?;
            self.post(call, method, params).header("mcp-session-id", session)
        };
        Ok(served(request).await?.json().await?)
    }

    async fn session(&mut self) -> Result<String> {
        if let Some(session) = &self.session {
            return Ok(session.clone());
        }
        let client = json!({ "name": "load", "version": "1" });
        let params = json!({ "protocolVersion": self.revision, "capabilities": {}, "clientInfo": client });
        let answer = served(self.post(0, "initialize", params)).await?;
        let session = answer.headers().get("mcp-session-id").context("a session")?.to_str()?.to_owned();
        self.session = Some(session.clone());
        Ok(session)
    }

    fn post(&self, call: usize, method: &str, mut params: Value) -> RequestBuilder {
        let mut request = self.http.post(&self.url).bearer_auth(&self.token);
        request = request.header("accept", "application/json, text/event-stream");
        if self.revision == MODERN {
            request = request.header("mcp-protocol-version", MODERN).header("mcp-method", method);
            if let Some(name) = params["name"].as_str() {
                request = request.header("mcp-name", name);
            }
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        request.json(&json!({ "jsonrpc": "2.0", "id": call, "method": method, "params": params }))
    }
}

async fn served(request: RequestBuilder) -> Result<Response> {
    let answer = request.send().await?;
    let status = answer.status();
    if status == StatusCode::OK {
        return Ok(answer);
    }
    anyhow::bail!("{status}: {}", answer.text().await?)
}
