//! JSON-RPC requests as honest clients of both eras send them, to be spoilt member by member. Pure.

use serde_json::{Value, json};

/// The newest revision: every request describes itself.
pub(crate) const MODERN: &str = "2026-07-28";

/// The newest revision with `initialize` and sessions.
pub(crate) const LEGACY: &str = "2025-11-25";

const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";

/// Which way a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    Modern,
    Legacy,
}

impl Era {
    pub(crate) const BOTH: [Self; 2] = [Self::Modern, Self::Legacy];

    /// The revision that the suite speaks in this era.
    pub(crate) fn revision(self) -> &'static str {
        match self {
            Self::Modern => MODERN,
            Self::Legacy => LEGACY,
        }
    }
}

/// One POST: headers in order, and a body.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) era: Era,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Message {
    /// An honest request of this era.
    pub(crate) fn new(era: Era, method: &str, params: Value) -> Self {
        match era {
            Era::Modern => Self::modern(method, params),
            Era::Legacy => Self::legacy(method, params),
        }
    }

    /// `tools/call` of this era.
    #[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
    pub(crate) fn call(era: Era, tool: &str, arguments: Value) -> Self {
        Self::new(era, "tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// A request of 2026-07-28 with its `_meta` and mirrored headers.
    pub(crate) fn modern(method: &str, params: Value) -> Self {
        let mut message = Self::bare(Era::Modern, method, params);
        message.body["params"]["_meta"] = json!({
            META_VERSION: MODERN,
            META_CAPABILITIES: {},
            META_CLIENT: { "name": "it", "version": "1" },
        });
        message = message.header("mcp-protocol-version", MODERN).header("mcp-method", method);
        match message.body["params"]["name"].as_str().map(str::to_owned) {
            Some(name) => message.header("mcp-name", &name),
            None => message,
        }
    }

    /// A request of 2025-11-25, after `initialize`. Sessions are optional there, and none is issued.
    pub(crate) fn legacy(method: &str, params: Value) -> Self {
        Self::bare(Era::Legacy, method, params).header("mcp-protocol-version", LEGACY)
    }

    /// `initialize`, asking for `version`.
    pub(crate) fn initialize(version: &str) -> Self {
        let client = json!({ "name": "it", "version": "1" });
        let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
        Self::bare(Era::Legacy, "initialize", params)
    }

    #[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
    fn bare(era: Era, method: &str, params: Value) -> Self {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let headers = Vec::new();
        Self { era, headers, body }
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
    }

    /// One more header line, also beside one of the same name.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without any line of this name.
    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(present, _)| present != name);
        self
    }

    /// This value in the place of all lines of this name.
    pub(crate) fn with_header(self, name: &str, value: &str) -> Self {
        self.without_header(name).header(name, value)
    }

    /// This value at `pointer` of the body (RFC 6901).
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, member) = split(pointer);
        self.body.pointer_mut(parent).unwrap()[member] = value;
        self
    }

    /// Without the member at `pointer` of the body.
    pub(crate) fn without(mut self, pointer: &str) -> Self {
        let (parent, member) = split(pointer);
        self.body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(&member);
        self
    }

    /// The `method`, or nothing if the body has been spoilt.
    pub(crate) fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }
}

fn split(pointer: &str) -> (&str, String) {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    (parent, member.replace("~1", "/"))
}
