//! A session of the older era, whose id is sealed by the key of its time.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::mcp_client::{Answer, McpClient, Request};

use crate::space::Space;

const REVISION: &str = "2025-11-25";

pub(super) struct Session<'a> {
    space: &'a Space<'a>,
    client: McpClient,
    token: String,
    id: String,
}

impl<'a> Session<'a> {
    /// Through the ingress.
    pub(super) fn open(space: &'a Space<'a>) -> Result<Self> {
        let token = space.world.issuer.token(&["tools:ping"], &space.endpoint());
        let mut session = Self { space, client: space.client()?, token, id: String::new() };
        let client = json!({ "name": "e2e", "version": "1" });
        let params = json!({ "protocolVersion": REVISION, "capabilities": {}, "clientInfo": client });
        let answer = session.post(json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }))?;
        answer.result().context("`initialize`")?;
        answer.header("mcp-session-id").context("`initialize` brought no session")?.clone_into(&mut session.id);
        let answer = session.post(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        ensure!(answer.status == 202, "`initialized` was answered with {}", answer.status);
        Ok(session)
    }

    /// Calls `ping` in it.
    pub(super) fn ping(&self) -> Result<Answer> {
        self.post(json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "ping" } }))
    }

    fn post(&self, message: Value) -> Result<Answer> {
        let mut headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("Accept", "application/json, text/event-stream".to_owned()),
            ("Authorization", format!("Bearer {}", self.token)),
        ];
        if !self.id.is_empty() {
            headers.push(("MCP-Session-Id", self.id.clone()));
            headers.push(("MCP-Protocol-Version", REVISION.to_owned()));
        }
        let Request { method, url, .. } = self.client.call("ping", &json!({}));
        self.space.world.send(&self.client, &Request { method, url, headers, body: Some(message) })
    }
}
