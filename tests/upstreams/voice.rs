//! A client in one revision, of the gateway or of a peer: what it gets is kept as the bytes that came.

use std::net::SocketAddr;

use reqwest::{Method, Response, StatusCode, header::HeaderMap};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::it::support::{
    Message,
    client::McpClient,
    message::{JUNE, LEGACY, MARCH, MODERN},
    schema,
};

/// Every revision that the gateway speaks.
pub(crate) const REVISIONS: [&str; 4] = [MODERN, LEGACY, JUNE, MARCH];

/// The token under which progress is wanted: no upstream may see it, and nothing else may come back.
pub(crate) const PROGRESS_TOKEN: &str = "the client's own";

/// Speaks one revision; in the older era in a session of its own.
pub(crate) struct Voice {
    client: McpClient,
    pub(crate) revision: &'static str,
    token: Option<String>,
    session: Option<String>,
    /// What the gateway says is checked against the schema, too.
    is_gateway: bool,
}

/// An answer as it came.
pub(crate) struct Heard {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The JSON texts: one, or those of all events that have some.
    texts: Vec<String>,
}

#[derive(Deserialize)]
struct Answered<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Called<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
}

impl Voice {
    pub(crate) async fn at_gateway(client: &McpClient, revision: &'static str, token: String) -> Self {
        let voice = Self { client: client.clone(), revision, token: Some(token), session: None, is_gateway: true };
        voice.opened().await
    }

    pub(crate) async fn at_upstream(address: SocketAddr, revision: &'static str) -> Self {
        let client = McpClient::under(&address.ip().to_string(), address, address);
        Self { client, revision, token: None, session: None, is_gateway: false }.opened().await
    }

    async fn opened(mut self) -> Self {
        if self.revision != MODERN {
            let response = self.post(&Message::initialize(self.revision)).await;
            let session = response.headers().get("mcp-session-id");
            self.session = session.map(|id| id.to_str().unwrap().to_owned());
            let answer = Heard::read(response).await;
            assert_eq!(answer.result()["protocolVersion"], self.revision);
            let mut note = self.message("notifications/initialized", json!({}));
            note = note.without("/id");
            assert_eq!(self.post(&note).await.status(), StatusCode::ACCEPTED);
        }
        self
    }

    /// A request in this revision.
    pub(crate) fn message(&self, method: &str, params: Value) -> Message {
        let message = match self.revision {
            MODERN => Message::modern(method, params),
            _ => Message::legacy(method, params).without_session().without_header("mcp-protocol-version"),
        };
        let message = match self.revision {
            // The modern one has it already, and the oldest does not know it.
            MODERN | MARCH => message,
            revision => message.header("mcp-protocol-version", revision),
        };
        match &self.session {
            Some(session) => message.header("mcp-session-id", session),
            None => message,
        }
    }

    /// `tools/call`.
    pub(crate) fn call_message(&self, tool: &str, arguments: &str) -> Message {
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        self.message("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// `tools/call` that wants progress under [`PROGRESS_TOKEN`].
    pub(crate) fn call_with_progress(&self, tool: &str, arguments: &str) -> Message {
        let mut message = self.call_message(tool, arguments);
        message.body["params"]["_meta"]["progressToken"] = PROGRESS_TOKEN.into();
        message
    }

    pub(crate) async fn call(&self, tool: &str, arguments: &str) -> Heard {
        self.send(&self.call_message(tool, arguments)).await
    }

    /// Sends a message and reads the whole answer.
    pub(crate) async fn send(&self, message: &Message) -> Heard {
        let heard = Heard::read(self.post(message).await).await;
        if self.is_gateway && heard.status != StatusCode::FORBIDDEN {
            schema::assert_response(self.revision, message.method(), &heard.answer());
            heard.notifications().iter().for_each(|note| schema::assert_notification(self.revision, note));
        }
        heard
    }

    /// Sends a message; the answer is unread.
    pub(crate) async fn post(&self, message: &Message) -> Response {
        let mut request = self.client.request(Method::POST, "/mcp");
        for (name, value) in &message.headers {
            request = request.header(name, value);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request.body(message.body.to_string()).send().await.unwrap()
    }

    /// Every tool as it is written in the list.
    pub(crate) async fn tools(&self) -> Vec<String> {
        let heard = self.send(&self.message("tools/list", json!({}))).await;
        assert!(heard.result().get("nextCursor").is_none(), "the list has pages");
        let list: Listed<'_> = serde_json::from_str(heard.raw_result()).unwrap();
        list.tools.iter().map(|tool| tool.get().to_owned()).collect()
    }

    /// The names in the list.
    pub(crate) async fn names(&self) -> Vec<String> {
        self.tools().await.iter().map(|tool| name_of(tool)).collect()
    }
}

impl Heard {
    pub(crate) async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let is_stream =
            headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let texts = if is_stream { data_of(&text) } else { vec![text] };
        Self { status, headers, texts }
    }

    /// The last message, which is the answer.
    fn text(&self) -> &str {
        self.texts.last().map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn answer(&self) -> Value {
        let text = self.text();
        serde_json::from_str(text).unwrap_or_else(|problem| panic!("{problem} in {}: `{text}`", self.status))
    }

    pub(crate) fn result(&self) -> Value {
        let answer = self.answer();
        assert!(self.status == StatusCode::OK && answer["result"].is_object(), "{}: {answer}", self.status);
        answer["result"].clone()
    }

    pub(crate) fn raw_result(&self) -> &str {
        let answered: Answered<'_> = serde_json::from_str(self.text()).unwrap();
        answered.result.get()
    }

    /// `content` of a call's result, as it is written.
    pub(crate) fn raw_content(&self) -> &str {
        let called: Called<'_> = serde_json::from_str(self.raw_result()).unwrap();
        called.content.get()
    }

    /// The text of a call's only block.
    pub(crate) fn said(&self) -> String {
        let result = self.result();
        let text = result["content"][0]["text"].as_str();
        text.unwrap_or_else(|| panic!("no text in {result}")).to_owned()
    }

    /// The text of a call that failed.
    pub(crate) fn failure(&self) -> String {
        assert_eq!(self.result()["isError"], true, "{}", self.answer());
        self.said()
    }

    /// All messages before the answer.
    pub(crate) fn notifications(&self) -> Vec<Value> {
        let before = self.texts.len().saturating_sub(1);
        self.texts[..before].iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }
}

/// The name in a definition.
pub(crate) fn name_of(tool: &str) -> String {
    let tool: Value = serde_json::from_str(tool).unwrap();
    tool["name"].as_str().unwrap().to_owned()
}

/// The data of each event that has some.
fn data_of(stream: &str) -> Vec<String> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    data.filter(|data| !data.is_empty()).map(str::to_owned).collect()
}
