//! A session of an older revision, as a client that follows the rules keeps it.

use std::sync::atomic::{AtomicI64, Ordering};

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::answer::Answer;
use super::client::McpClient;
use super::events::{EventStream, Expected};
use super::message::{MARCH, Message};
use super::patience::within;

/// What a client can do that can do everything.
pub(crate) fn everything() -> Value {
    json!({ "elicitation": { "form": {}, "url": {} }, "sampling": { "tools": {} }, "roots": {} })
}

/// An open session. Ends by [`Session::delete`] alone.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) client: McpClient,
    pub(crate) revision: &'static str,
    pub(crate) id: String,
    token: String,
}

/// Ids of requests: no two of one test binary are equal.
static NEXT_ID: AtomicI64 = AtomicI64::new(100);

impl Session {
    /// The handshake, whole.
    pub(crate) async fn open(client: &McpClient, token: &str, revision: &'static str, capabilities: &Value) -> Self {
        let answer = client.send(&Message::initialize_able(revision, capabilities), Some(token)).await;
        assert_eq!(answer.result()["protocolVersion"], revision);
        let id = answer.header("mcp-session-id").expect("a session").to_owned();
        let session = Self { client: client.clone(), revision, id, token: token.to_owned() };
        assert_eq!(session.notify("notifications/initialized", json!({})).await.status, 202);
        session
    }

    /// The same session in other hands.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// The same session over connections of its own.
    pub(crate) fn elsewhere(&self) -> Self {
        self.at(&self.client.another())
    }

    /// The same session at another gateway.
    pub(crate) fn at(&self, client: &McpClient) -> Self {
        Self { client: client.clone(), ..self.clone() }
    }

    /// A request under an id of its own.
    #[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
    pub(crate) fn message(&self, method: &str, params: Value) -> Message {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        self.body(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
    }

    /// `tools/call`; with a progress token, so that there is something to stream.
    #[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
    pub(crate) fn call_message(&self, tool: &str, arguments: Value) -> Message {
        let meta = json!({ "progressToken": "progress" });
        self.message("tools/call", json!({ "name": tool, "arguments": arguments, "_meta": meta }))
    }

    /// Any body.
    pub(crate) fn body(&self, body: Value) -> Message {
        Message::in_session(self.revision, &self.id, body)
    }

    pub(crate) async fn send(&self, message: &Message) -> Answer {
        self.client.send(message, Some(&self.token)).await
    }

    /// A request whose answer is JSON.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Answer {
        self.send(&self.message(method, params)).await
    }

    /// A notification.
    pub(crate) async fn notify(&self, method: &str, params: Value) -> Answer {
        self.send(&self.body(json!({ "jsonrpc": "2.0", "method": method, "params": params }))).await
    }

    /// An answer to a request of the server.
    pub(crate) async fn answer(&self, id: &Value, result: Value) -> Answer {
        self.send(&self.body(json!({ "jsonrpc": "2.0", "id": id, "result": result }))).await
    }

    /// A request whose answer is a stream.
    pub(crate) async fn stream(&self, message: &Message) -> EventStream {
        self.client.stream(message, &self.token).await
    }

    /// The standalone stream.
    pub(crate) async fn listen(&self) -> EventStream {
        let opened = self.listen_or_refusal().await;
        opened.unwrap_or_else(|refusal| panic!("no stream: {} {}", refusal.status, refusal.text()))
    }

    /// The same where it may be refused.
    pub(crate) async fn listen_or_refusal(&self) -> Result<EventStream, Answer> {
        let response = sent(self.get()).await;
        if response.status() != 200 {
            return Err(Answer::read(response).await);
        }
        Ok(EventStream::of(response, Expected { revision: self.revision, answers: Vec::new() }))
    }

    /// What came after this event, on a stream that may answer `message`.
    pub(crate) async fn resume(&self, last_event_id: &str, message: Option<&Message>) -> EventStream {
        let answers = message.map(|message| message.body.clone()).into_iter().collect();
        let request = self.get().header("last-event-id", last_event_id);
        EventStream::of(sent(request).await, Expected { revision: self.revision, answers })
    }

    /// A GET that is refused.
    pub(crate) async fn refused_get(&self, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.get();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.refused(request).await
    }

    /// The end of the session, or a refusal.
    pub(crate) async fn delete(&self) -> Answer {
        let request = self.bodiless(Method::DELETE);
        let answer = Answer::read(sent(request).await).await;
        answer.assert_discreet(Some(&self.token));
        answer
    }

    async fn refused(&self, request: RequestBuilder) -> Answer {
        let answer = Answer::read(sent(request).await).await;
        answer.assert_discreet(Some(&self.token));
        answer.assert_wire(&self.body(json!({})));
        answer
    }

    fn get(&self) -> RequestBuilder {
        self.bodiless(Method::GET).header("accept", "text/event-stream")
    }

    fn bodiless(&self, method: Method) -> RequestBuilder {
        let request = self.client.request(method, "/mcp").bearer_auth(&self.token).header("mcp-session-id", &self.id);
        if self.revision == MARCH { request } else { request.header("mcp-protocol-version", self.revision) }
    }
}

async fn sent(request: RequestBuilder) -> Response {
    within("the head of an answer", request.send()).await.unwrap()
}
