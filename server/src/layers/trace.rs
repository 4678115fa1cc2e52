//! One span, one log line and one place in the gauge for each request, whatever becomes of it.
//!
//! Stands around everything that can refuse, so that it sees the status that the caller sees. What the
//! inside finds out about a request comes back in a [`Seen`].

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, StatusCode};
use sha2::{Digest as _, Sha256};
use tracing::{Instrument as _, Level, Span};

use super::correlation::CorrelationId;
use crate::{
    app::App,
    auth::Principal,
    config::Route,
    mcp::{CallOutcome, CallRecord},
    metrics::InFlight,
    telemetry::{HttpSpan, SpanIds, method_label},
};

/// What becomes known of a request while it is worked on.
#[derive(Default)]
pub struct Seen {
    /// The page that asks, if it may.
    pub page: Option<HeaderValue>,
    /// Who asks.
    pub principal: Option<Arc<Principal>>,
    /// What the MCP handler made of it.
    pub call: Option<Observed>,
}

/// An MCP request, for the log line.
pub struct Observed {
    /// What the request was and how it ended.
    pub record: CallRecord,
    /// The ids of its MCP span.
    pub span: SpanIds,
}

/// A request from its head to its answer.
pub struct Trace<'a> {
    app: &'a App,
    start: Instant,
    method: &'static str,
    path: Option<&'a str>,
    span: HttpSpan,
    /// What every line of the request carries.
    context: Span,
    _in_flight: InFlight,
}

impl<'a> Trace<'a> {
    /// Begins the HTTP span.
    pub fn begin<B>(
        app: &'a App,
        request: &Request<B>,
        route: Route,
        client: Option<SocketAddr>,
        id: &CorrelationId,
    ) -> Self {
        let start = app.clock().monotonic();
        let path = app.config().endpoint.path_of(route);
        let span = app.telemetry().http_span(request, path, client);
        Self {
            app,
            start,
            method: method_label(request.method()),
            path,
            context: log_context(id, &span.ids()),
            span,
            _in_flight: app.metrics().request_began(),
        }
    }

    /// The HTTP span.
    pub fn span(&self) -> &HttpSpan {
        &self.span
    }

    /// Runs `work` so that each line that it logs carries the request's ids.
    pub fn within<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.instrument(self.context.clone())
    }

    /// Ends the HTTP span, and writes the request's one log line. `refusal` says why no handler had it.
    pub fn end(self, seen: &Seen, status: StatusCode, refusal: Option<&'static str>) {
        let duration = self.app.clock().monotonic().saturating_duration_since(self.start);
        self.context.in_scope(|| self.log(seen, status, refusal, duration));
        self.span.end(status);
    }

    fn log(&self, seen: &Seen, status: StatusCode, refusal: Option<&'static str>, duration: Duration) {
        if !tracing::enabled!(Level::INFO) {
            return;
        }
        let Seen { principal, call, .. } = seen;
        let record = call.as_ref().map(|call| &call.record);
        let outcome = record.and_then(|record| record.outcome).map(CallOutcome::as_str);
        let (method, path) = (self.method, self.path.unwrap_or("(no route)"));
        tracing::info!(
            trace_id = call.as_ref().map(|call| call.span.trace_id.as_str()),
            span_id = call.as_ref().map(|call| call.span.span_id.as_str()),
            tool = record.and_then(|record| record.tool.as_deref()),
            sub = principal.as_ref().map(|principal| hashed_subject(principal)),
            iss = principal.as_ref().map(|principal| principal.issuer()).filter(|issuer| !issuer.is_empty()),
            client_id = principal.as_ref().and_then(|principal| principal.client_id()),
            outcome = refusal.or(outcome).unwrap_or("answered"),
            duration_ms = milliseconds(duration),
            "{method} {path} {what}{space}-> {status}",
            what = record.map_or("", |record| record.method.as_str()),
            space = if record.is_some() { " " } else { "" },
            status = status.as_u16(),
        );
    }
}

/// At level ERROR, so that it is there whatever is configured.
fn log_context(id: &CorrelationId, ids: &SpanIds) -> Span {
    tracing::error_span!("request", correlation_id = id.as_str(), trace_id = ids.trace_id, span_id = ids.span_id,)
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
