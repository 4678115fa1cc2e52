//! The handlers of the public listener: MCP, the capabilities document, the RFC 9728 document, the issuer's metadata, health.
//!
//! If a handler takes a [`Principal`], the router has put authentication before it. The order of a call:
//! read the body, parse, open the span, run under the policy in force, write down how it ended.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::{
    Json,
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::StreamExt as _;
use http::{
    HeaderName, HeaderValue, Method, Request, StatusCode, Version,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use hyper::body::Body as HttpBody;

use crate::{
    app::App,
    auth::{Principal, challenge, metadata::ProtectedResourceMetadata},
    error::Error,
    health,
    layers::{
        answer_body::AnswerBody,
        body,
        correlation::CorrelationId,
        trace::{self, Observed},
    },
    mcp::{
        Audit, CallRecord, Caller, Forbidden, McpReply, McpRequest, MethodLabel, Observation, ReplyBody, TraceContext,
    },
    places::Place,
    telemetry::{HttpSpan, McpSpan, SpanIds, logs::RequestIds},
};

/// What is served there. Whether a GET or a DELETE is depends on session and era, and is for [`crate::mcp`] to say.
const ALLOWED: &str = "POST, GET, DELETE, OPTIONS";

/// Before the head of a listen stream. Reverse proxies written in Go look for the end of the request's body once more after they
/// have passed it on, and cut the answer off when it began before: one stream in thirty on two busy cores. The stream of a call
/// begins with what its tool said, which takes longer than that look. Chosen: a thousand such looks, and nothing that anybody
/// notices on a stream. Source: golang/go#40747, as of Go 1.26.
const BEFORE_LISTEN: Duration = Duration::from_millis(10);

/// Of documents that pages of any origin may read. Chosen: a changed issuer is seen within five minutes.
const PUBLIC_DOCUMENT: [(HeaderName, HeaderValue); 2] = [
    (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    (CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
];

/// The MCP endpoint: every method, since what a method means there is for [`crate::mcp`] to say. `place` is held for as
/// long as the request is worked on. What the log is to say of a call goes to `observed`.
pub(crate) async fn mcp<B>(
    app: &App,
    principal: &Arc<Principal>,
    correlation_id: &CorrelationId,
    http_span: &HttpSpan,
    place: Place,
    request: Request<B>,
    observed: &mut Option<Observed>,
) -> Result<Response, Error>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    match *request.method() {
        Method::OPTIONS => return Ok((StatusCode::NO_CONTENT, [(ALLOW, ALLOWED)]).into_response()),
        Method::GET | Method::POST | Method::DELETE => {}
        _ => return Err(Error::MethodNotAllowed { allow: ALLOWED }),
    }
    let (parts, body) = request.into_parts();
    let body = body::read(body, app.body_budget()).await?;
    let request = McpRequest { method: &parts.method, headers: &parts.headers, body: &body.bytes };
    let policy = app.policy();
    let correlation_id = correlation_id.shared();
    let caller = Caller { principal, correlation_id: &correlation_id, policy: &policy };
    let audit = RequestAudit {
        app,
        principal,
        correlation_id: &correlation_id,
        http_span,
        version: parts.version,
        span: OnceLock::new(),
    };
    // Held here too, until it is known whether the answer is one that must be sent whole.
    let place = Arc::new(place);
    let reply = app.mcp().handle(request, caller, Some(Arc::clone(&place)), &audit).await;
    let span = audit.span.into_inner().unwrap_or_else(|| http_span.ids());
    let McpReply { status, mut headers, body, forbidden, record } = reply;
    let is_listen = record.method == MethodLabel::SubscriptionsListen;
    *observed = Some(Observed { record, span });
    if let Some(Forbidden::MissingScopes(scopes)) = forbidden {
        let challenge = challenge::insufficient_scope(app.config().endpoint.metadata_url(), &scopes);
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    let body = match body {
        ReplyBody::Whole(bytes) => Body::new(AnswerBody::new(bytes, place, app.answer_budget()).await?),
        ReplyBody::Stream(events) => {
            if is_listen {
                tokio::time::sleep(BEFORE_LISTEN).await;
            }
            Body::from_stream(events.map(Ok::<_, std::convert::Infallible>))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Writes down what becomes of the messages of one HTTP request.
struct RequestAudit<'a> {
    app: &'a App,
    principal: &'a Arc<Principal>,
    correlation_id: &'a Arc<str>,
    http_span: &'a HttpSpan,
    version: Version,
    /// Of the first message.
    span: OnceLock<SpanIds>,
}

/// One message until its end.
struct MessageObservation {
    app: App,
    principal: Arc<Principal>,
    ids: RequestIds,
    start: Instant,
    span: McpSpan,
}

impl Audit for RequestAudit<'_> {
    fn begin(&self, record: &CallRecord, trace_context: &TraceContext<'_>) -> Box<dyn Observation> {
        let span = self.app.telemetry().mcp_span(record, trace_context, self.http_span, self.version);
        let ids = *self.span.get_or_init(|| span.ids());
        Box::new(MessageObservation {
            app: self.app.clone(),
            principal: Arc::clone(self.principal),
            ids: RequestIds { correlation_id: Arc::clone(self.correlation_id), span: ids },
            start: self.app.clock().monotonic(),
            span,
        })
    }
}

impl Observation for MessageObservation {
    fn traceparent(&self) -> Option<Arc<str>> {
        Some(self.span.ids().traceparent(self.app.telemetry().exports()).into())
    }

    fn ended(self: Box<Self>, record: &CallRecord, streamed: bool) {
        let Self { app, principal, ids, start, span } = *self;
        let duration = app.clock().monotonic().saturating_duration_since(start);
        app.metrics().request_ended(record, duration);
        span.end(record);
        // Any other end is in the log line of the HTTP request.
        if streamed {
            trace::log_end_of_stream(ids, &principal, record, duration);
        }
    }
}

/// What discovery says, for those who do not speak MCP.
pub(crate) fn capabilities(app: &App, _caller: &Principal) -> Response {
    Json(app.mcp().capabilities_document()).into_response()
}

/// How to get a token. Without one, and for pages of any origin: it is public.
pub(crate) fn metadata(app: &App) -> Response {
    let scopes = app.policy().scopes_supported(app.catalog().names());
    let document = ProtectedResourceMetadata::new(
        app.config().endpoint.resource(),
        app.config().gateway.auth.issuers.iter().map(|issuer| issuer.issuer.as_str()),
        scopes.iter().map(String::as_str),
    );
    (PUBLIC_DOCUMENT, Json(document)).into_response()
}

/// The issuer's own metadata, byte for byte: for clients that look for it here. Public like the document above.
pub(crate) fn issuer_metadata(app: &App) -> Result<Response, Error> {
    let metadata = app.authenticator().and_then(|authenticator| authenticator.issuer_metadata());
    let metadata = metadata.ok_or(Error::MetadataUnavailable)?;
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((PUBLIC_DOCUMENT, json, metadata).into_response())
}

/// Whether the process serves, for those who know nothing else of it.
pub(crate) fn public_health(app: &App) -> Response {
    Json(health::public(app)).into_response()
}

#[cfg(test)]
mod tests;
