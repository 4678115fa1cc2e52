//! The handlers of the public listener: MCP, the capabilities document, the RFC 9728 document, health.
//!
//! If a handler takes a [`Principal`], the router has put authentication before it. The order of a call:
//! read the body, parse, open the span, run under the policy in force, write down how it ended.

use axum::{
    Json,
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, WWW_AUTHENTICATE},
};
use hyper::body::Body as HttpBody;

use crate::{
    app::App,
    auth::{Principal, challenge, metadata::ProtectedResourceMetadata},
    error::Error,
    health,
    layers::{body, correlation::CorrelationId, trace::Observed},
    mcp::{Caller, McpReply, McpRequest},
    telemetry::HttpSpan,
};

/// What is served there today; GET and DELETE are refused by [`crate::mcp`].
const ALLOWED: &str = "POST, OPTIONS";

/// The MCP endpoint: every method, since what a method means there is for [`crate::mcp`] to say.
/// What the log is to say of a call goes to `observed`.
pub(crate) async fn mcp<B>(
    app: &App,
    principal: &Principal,
    correlation_id: &CorrelationId,
    http_span: &HttpSpan,
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
    let start = app.clock().monotonic();
    let parsed = app.mcp().parse(McpRequest { method: &parts.method, headers: &parts.headers, body: &body.bytes });
    let span = app.telemetry().mcp_span(parsed.record(), parsed.trace_context(), http_span, parts.version);
    let caller = Caller { principal, correlation_id: correlation_id.as_str() };
    let reply = app.mcp().run(&app.policy(), caller, parsed).await;
    app.metrics().request_ended(&reply.record, app.clock().monotonic().saturating_duration_since(start));
    let ids = span.ids();
    span.end(&reply.record);
    *observed = Some(Observed { record: reply.record.clone(), span: ids });
    Ok(with_challenge(app, reply))
}

fn with_challenge(app: &App, mut reply: McpReply) -> Response {
    if let Some(scopes) = reply.missing_scopes.take() {
        let challenge = challenge::insufficient_scope(app.config().endpoint.metadata_url(), &scopes);
        reply.headers.insert(WWW_AUTHENTICATE, challenge);
    }
    reply.into_response().map(Body::from)
}

/// What discovery says, for those who do not speak MCP.
pub(crate) fn capabilities(app: &App, _caller: &Principal) -> Response {
    Json(app.mcp().capabilities_document()).into_response()
}

/// How to get a token. Without one, and for pages of any origin: it is public.
pub(crate) fn metadata(app: &App) -> Response {
    let scopes = app.policy().scopes_supported(app.catalog());
    let document = ProtectedResourceMetadata::new(
        app.config().endpoint.resource(),
        app.config().gateway.auth.issuers.iter().map(|issuer| issuer.issuer.as_str()),
        scopes.iter().map(String::as_str),
    );
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        // Chosen: a changed issuer is seen within five minutes.
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    (headers, Json(document)).into_response()
}

/// Whether the process serves, for those who know nothing else of it.
pub(crate) fn public_health(app: &App) -> Response {
    Json(health::public(app)).into_response()
}
