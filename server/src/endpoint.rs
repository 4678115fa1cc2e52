//! The handlers of the public listener: MCP, the capabilities document, the RFC 9728 document, health.
//!
//! If a handler takes a [`Principal`], the router has put authentication before it. The order of a call:
//! read the body, parse, open the span, run under the policy in force, write down how it ended.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, Method, StatusCode,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, WWW_AUTHENTICATE},
};

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
pub(crate) async fn mcp(
    State(app): State<App>,
    Extension(principal): Extension<Arc<Principal>>,
    Extension(correlation_id): Extension<CorrelationId>,
    Extension(http_span): Extension<HttpSpan>,
    request: Request,
) -> Result<Response, Error> {
    match *request.method() {
        Method::OPTIONS => return Ok((StatusCode::NO_CONTENT, [(ALLOW, ALLOWED)]).into_response()),
        Method::GET | Method::POST | Method::DELETE => {}
        _ => return Err(Error::MethodNotAllowed { allow: ALLOWED }),
    }
    let (parts, body) = request.into_parts();
    let body = body::read(body, app.body_budget()).await?;
    let start = app.clock().monotonic();
    let parsed = app.mcp().parse(McpRequest { method: &parts.method, headers: &parts.headers, body: &body.bytes });
    let span = app.telemetry().mcp_span(parsed.record(), parsed.trace_context(), &http_span, parts.version);
    let caller = Caller { principal: &principal, correlation_id: correlation_id.as_str() };
    let reply = app.mcp().run(&app.policy(), caller, parsed).await;
    let observed = Observed { record: reply.record.clone(), span: span.ids() };
    app.metrics().request_ended(&reply.record, app.clock().monotonic().saturating_duration_since(start));
    span.end(&reply.record);
    let mut response = with_challenge(&app, reply);
    response.extensions_mut().insert(observed);
    Ok(response)
}

fn with_challenge(app: &App, mut reply: McpReply) -> Response {
    if let Some(scopes) = reply.missing_scopes.take() {
        let challenge = challenge::insufficient_scope(app.config().endpoint.metadata_url(), &scopes);
        reply.headers.insert(WWW_AUTHENTICATE, challenge);
    }
    reply.into_response().map(Body::from)
}

/// What discovery says, for those who do not speak MCP.
pub(crate) async fn capabilities(State(app): State<App>, Extension(_caller): Extension<Arc<Principal>>) -> Response {
    Json(app.mcp().capabilities_document()).into_response()
}

/// How to get a token. Without one, and for pages of any origin: it is public.
pub(crate) async fn metadata(State(app): State<App>) -> Response {
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
pub(crate) async fn public_health(State(app): State<App>) -> Response {
    Json(health::public(&app)).into_response()
}
