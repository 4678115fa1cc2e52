//! An answer of the endpoint: whole, or a stream of events.

use bytes::Bytes;
use futures::stream::BoxStream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{
    envelope::Refused,
    error::McpError,
    record::CallRecord,
    result::{error, to_bytes},
};

/// Room for the headers of an answer, the layers' included: a map that grows on the way is filled anew.
const HEADERS: usize = 12;

/// An answer, ready to be sent, and what is to be recorded about it.
pub struct McpReply {
    /// The HTTP status.
    pub status: StatusCode,
    /// `Content-Type` if there is a body, `Allow` on 405.
    pub headers: HeaderMap,
    /// What follows.
    pub body: ReplyBody,
    /// On 403 alone: why. The body is no JSON-RPC then.
    pub forbidden: Option<Forbidden>,
    /// For the log line. Its outcome is open where the body is a stream: that is told at its end.
    pub record: CallRecord,
}

/// Why a call is answered with 403.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// The operation needs these scopes, all of them. The edge writes the challenge from them.
    MissingScopes(Vec<String>),
    /// No scope would help.
    NotForCaller,
}

/// The body of an answer.
pub enum ReplyBody {
    /// JSON, or empty.
    Whole(Bytes),
    /// Server-sent events. Dropping it tells that the client is gone.
    Stream(BoxStream<'static, Bytes>),
}

impl McpReply {
    pub(super) fn json(status: StatusCode, body: Vec<u8>, record: CallRecord) -> Self {
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { status, headers, body: ReplyBody::Whole(body.into()), forbidden: None, record }
    }

    /// Without a body.
    pub(super) fn empty(status: StatusCode, record: CallRecord) -> Self {
        let body = ReplyBody::Whole(Bytes::new());
        Self { status, headers: HeaderMap::with_capacity(HEADERS), body, forbidden: None, record }
    }

    pub(super) fn stream(events: BoxStream<'static, Bytes>, record: CallRecord) -> Self {
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        // Proxies must not gather events. Source: MCP 2026-07-28, basic/transports.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        Self { status: StatusCode::OK, headers, body: ReplyBody::Stream(events), forbidden: None, record }
    }

    pub(super) fn error(refused: &Refused<'_>, record: CallRecord) -> Self {
        let status = refused.error.status;
        let mut reply = Self::json(status, error(refused.id, &refused.error), record);
        reply.add_headers_of(&refused.error);
        reply
    }

    fn add_headers_of(&mut self, error: &McpError) {
        if error.status == StatusCode::METHOD_NOT_ALLOWED {
            self.headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        if matches!(error.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            self.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
    }

    pub(super) fn missing_scopes(scopes: Vec<String>, correlation_id: &str, record: CallRecord) -> Self {
        let description = format!("the tool needs these scopes: {}", scopes.join(" "));
        let why = Forbidden::MissingScopes(scopes);
        Self::forbidden(why, "insufficient_scope", &description, correlation_id, record)
    }

    /// Not `insufficient_scope`: a client would go for more scopes for ever.
    pub(super) fn not_for_caller(correlation_id: &str, record: CallRecord) -> Self {
        let description = "the tool is not for this caller; no scope would change that";
        Self::forbidden(Forbidden::NotForCaller, "access_denied", description, correlation_id, record)
    }

    /// The body is the one that the authentication layer uses, not JSON-RPC.
    fn forbidden(
        why: Forbidden,
        error: &'static str,
        error_description: &str,
        correlation_id: &str,
        record: CallRecord,
    ) -> Self {
        #[derive(Serialize)]
        struct Document<'a> {
            error: &'static str,
            error_description: &'a str,
            correlation_id: &'a str,
        }
        let body = to_bytes(&Document { error, error_description, correlation_id });
        Self { forbidden: Some(why), ..Self::json(StatusCode::FORBIDDEN, body, record) }
    }
}
