//! One HTTP answer, read whole. Looking at it already checks what holds for every answer.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::events::{Event, Expected, Parser};
use super::message::{Era, Message};
use super::patience::within;
use super::schema;

/// Status, headers and body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = within("the whole body of an answer", response.bytes()).await.unwrap().to_vec();
        Self { status, headers, body }
    }

    /// What no answer may lack or show: a correlation id; any part of the token that was sent; a cookie.
    pub(crate) fn assert_discreet(&self, token: Option<&str>) {
        let id = self.header("x-correlation-id").expect("every answer has a correlation id");
        assert!(!id.is_empty());
        assert!(self.header("set-cookie").is_none());
        let text = format!("{:?} {}", self.headers, self.text());
        // Also a part of it: the signature alone is as good as a name for the token.
        for part in token.into_iter().flat_map(|token| token.split('.')) {
            assert!(part.len() < 8 || !text.contains(part), "part of the token in {text}");
        }
    }

    /// Checks a JSON-RPC answer to `message` against the schema. 401 and 403 carry none.
    pub(crate) fn assert_wire(&self, message: &Message) {
        if matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return;
        }
        if self.status == StatusCode::ACCEPTED {
            assert!(self.body.is_empty(), "202 with a body: {}", self.text());
            return;
        }
        if message.era == Era::Modern {
            assert!(self.header("mcp-session-id").is_none(), "a session in the modern era");
        }
        if self.is_stream() {
            let wanted = Expected { revision: message.revision(), answers: vec![message.body.clone()] };
            self.events().iter().for_each(|event| event.assert_wire(&wanted));
            return;
        }
        let revision = message.revision();
        match (message.body.as_array(), self.json()) {
            (Some(requests), Value::Array(responses)) => schema::assert_batch(revision, requests, &responses),
            (_, body) => {
                schema::assert_response(revision, message.method(), &body);
                if let (Some(sent), Some(received)) = (message.body.get("id"), body.get("id")) {
                    assert_eq!(sent, received, "the id of another request");
                }
            }
        }
    }

    /// 503, with the time to come back after: somebody knows, but nobody who can be asked now.
    pub(crate) fn assert_try_again(&self) {
        assert_eq!((self.status.as_u16(), self.code()), (503, -32603), "{}", self.text());
        assert_eq!(self.header("retry-after"), Some("1"));
    }

    /// Whether it is a stream of events.
    pub(crate) fn is_stream(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
    }

    /// All events of a stream that has ended.
    pub(crate) fn events(&self) -> Vec<Event> {
        assert!(self.is_stream(), "no stream: {}", self.text());
        let mut parser = Parser::default();
        parser.feed(&self.body);
        std::iter::from_fn(|| parser.next()).filter(|event| !event.is_comment()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|problem| panic!("{problem} in the body of {}: `{}`", self.status, self.text()))
    }

    /// The `result` of a call that was served.
    pub(crate) fn result(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        let body = self.json();
        assert!(body.get("error").is_none(), "{body}");
        body["result"].clone()
    }

    /// The code of a JSON-RPC error.
    pub(crate) fn code(&self) -> i64 {
        let body = self.json();
        body["error"]["code"].as_i64().unwrap_or_else(|| panic!("no error in {body}"))
    }
}
