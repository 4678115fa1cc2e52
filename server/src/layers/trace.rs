//! One span, one log line and one place in the gauge for each request, whatever becomes of it.
//!
//! Stands outside of everything that can refuse, so that it sees the status that the caller sees. Knows
//! of the inside what handlers leave in the answer's extensions: a [`Principal`], an [`Observed`].

use std::{fmt::Write as _, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use sha2::{Digest as _, Sha256};
use tracing::{Instrument as _, Level};

use super::correlation::CorrelationId;
use crate::{
    app::App,
    auth::Principal,
    error::Error,
    mcp::{CallOutcome, CallRecord},
    telemetry::{SpanIds, method_label},
};

/// What the MCP handler leaves for the log line.
#[derive(Clone, Debug)]
pub struct Observed {
    /// What the request was and how it ended.
    pub record: CallRecord,
    /// The ids of its MCP span.
    pub span: SpanIds,
}

/// Begins and ends the HTTP span, and writes the request's one log line.
pub async fn trace(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let start = app.clock().monotonic();
    let method = method_label(request.method());
    let route = app.config().endpoint.route(request.uri().path());
    let client = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let span = app.telemetry().http_span(&request, app.config().endpoint.path_of(route), client);
    request.extensions_mut().insert(span.clone());
    let context = log_context(&request, &span.ids());
    let in_flight = app.metrics().request_began();
    let response = next.run(request).instrument(context.clone()).await;
    drop(in_flight);
    let duration = app.clock().monotonic().saturating_duration_since(start);
    context.in_scope(|| log(&response, method, app.config().endpoint.path_of(route), duration));
    span.end(response.status());
    response
}

/// What every line of the request carries. At level ERROR, so that it is there whatever is configured.
fn log_context(request: &Request, ids: &SpanIds) -> tracing::Span {
    tracing::error_span!(
        "request",
        correlation_id = request.extensions().get::<CorrelationId>().map(CorrelationId::as_str),
        trace_id = ids.trace_id,
        span_id = ids.span_id,
    )
}

fn log(response: &Response, method: &str, path: Option<&str>, duration: Duration) {
    if !tracing::enabled!(Level::INFO) {
        return;
    }
    let extensions = response.extensions();
    let principal = extensions.get::<Arc<Principal>>();
    let observed = extensions.get::<Observed>();
    let record = observed.map(|observed| &observed.record);
    let refused = extensions.get::<Error>().map(Error::reason);
    let outcome = record.and_then(|record| record.outcome).map(CallOutcome::as_str);
    tracing::info!(
        trace_id = observed.map(|observed| observed.span.trace_id.as_str()),
        span_id = observed.map(|observed| observed.span.span_id.as_str()),
        tool = record.and_then(|record| record.tool.as_deref()),
        sub = principal.map(|principal| hashed_subject(principal)),
        iss = principal.map(|principal| principal.issuer()).filter(|issuer| !issuer.is_empty()),
        client_id = principal.and_then(|principal| principal.client_id()),
        outcome = refused.or(outcome).unwrap_or("answered"),
        duration_ms = milliseconds(duration),
        "{method} {path} {what}-> {status}",
        path = path.unwrap_or("(no route)"),
        what = record.map(|record| format!("{} ", record.method.as_str())).unwrap_or_default(),
        status = response.status().as_u16(),
    );
}

/// Tells one caller from another without naming either: 64 bits of a hash over issuer and subject.
fn hashed_subject(principal: &Principal) -> String {
    let digest =
        Sha256::new().chain_update(principal.issuer()).chain_update([0]).chain_update(principal.subject()).finalize();
    digest.iter().take(8).fold(String::with_capacity(16), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Milliseconds to the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
