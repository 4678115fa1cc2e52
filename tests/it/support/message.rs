//! JSON-RPC requests as honest clients of both eras send them, to be spoilt member by member. Pure.

use serde_json::{Value, json};

/// The newest revision: every request describes itself.
pub(crate) const MODERN: &str = "2026-07-28";

/// The newest revision with `initialize` and sessions.
pub(crate) const LEGACY: &str = "2025-11-25";

/// The one before: no icons, no priming events.
pub(crate) const JUNE: &str = "2025-06-18";

/// The first one that is served: batches, no structured content.
pub(crate) const MARCH: &str = "2025-03-26";

/// All that have sessions, newest first.
pub(crate) const WITH_SESSIONS: [&str; 3] = [LEGACY, JUNE, MARCH];

const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const META_LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
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
    /// To be sent in the client's session of this revision, where it names none itself.
    pub(crate) session_of: Option<&'static str>,
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
        let named = if method == "resources/read" { "uri" } else { "name" };
        match message.body["params"][named].as_str().map(str::to_owned) {
            Some(name) => message.header("mcp-name", &name),
            None => message,
        }
    }

    /// The same request of a client that can do this.
    pub(crate) fn able(self, capabilities: Value) -> Self {
        self.with(&format!("/params/_meta/{}", META_CAPABILITIES.replace('/', "~1")), capabilities)
    }

    /// The same request for a client that wants log messages from this level on.
    pub(crate) fn logging(self, level: &str) -> Self {
        self.with(&format!("/params/_meta/{}", META_LOG_LEVEL.replace('/', "~1")), json!(level))
    }

    /// A request of 2025-11-25, in the client's session.
    pub(crate) fn legacy(method: &str, params: Value) -> Self {
        Self { session_of: Some(LEGACY), ..Self::bare(Era::Legacy, method, params) }
            .header("mcp-protocol-version", LEGACY)
    }

    /// Any body, in this session of an older revision.
    pub(crate) fn in_session(revision: &'static str, session: &str, body: Value) -> Self {
        let message = Self { body, session_of: Some(revision), ..Self::bare(Era::Legacy, "", json!({})) };
        let message = message.header("mcp-session-id", session);
        // The first revision knows no such header.
        if revision == MARCH { message } else { message.header("mcp-protocol-version", revision) }
    }

    /// The same outside of any session.
    pub(crate) fn without_session(self) -> Self {
        Self { session_of: None, ..self }
    }

    /// `initialize`, asking for `version`.
    pub(crate) fn initialize(version: &str) -> Self {
        Self::initialize_able(version, &json!({}))
    }

    /// The same of a client with these capabilities.
    pub(crate) fn initialize_able(version: &str, capabilities: &Value) -> Self {
        let client = json!({ "name": "it", "version": "1" });
        let params = json!({ "protocolVersion": version, "capabilities": capabilities, "clientInfo": client });
        Self::bare(Era::Legacy, "initialize", params)
    }

    #[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
    fn bare(era: Era, method: &str, params: Value) -> Self {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let headers = Vec::new();
        Self { era, headers, body, session_of: None }
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
    }

    /// One more header line, also beside one of the same name.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Whether a line of this name is there.
    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(present, _)| present == name)
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

    /// The revision whose schema holds for the answer.
    pub(crate) fn revision(&self) -> &'static str {
        let asked = self.body["params"]["protocolVersion"].as_str();
        let negotiated = WITH_SESSIONS.into_iter().find(|revision| asked == Some(*revision));
        self.session_of.or(negotiated).unwrap_or(self.era.revision())
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
