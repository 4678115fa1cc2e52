//! One span, one log line and one place in the gauge for each request, whatever becomes of it.
//!
//! Stands around everything that can refuse, so that it sees the status that the caller sees. What the
//! inside finds out about a request comes back in a [`Seen`].

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, StatusCode};
use tracing::Level;

use super::correlation::CorrelationId;
use crate::{
    app::App,
    auth::Principal,
    config::Route,
    mcp::{CallOutcome, CallRecord},
    metrics::InFlight,
    telemetry::{
        HttpSpan, SpanIds,
        logs::{self, RequestIds},
        method_label,
    },
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
    id: Arc<str>,
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
            id: id.shared(),
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
        logs::in_request(self.ids(self.span.ids()), work)
    }

    /// Ends the HTTP span, and writes the request's one log line. `refusal` says why no handler had it.
    pub fn end(self, seen: &Seen, status: StatusCode, refusal: Option<&'static str>) {
        let duration = self.app.clock().monotonic().saturating_duration_since(self.start);
        // Of the two spans of a call, the inner one says more.
        let span = seen.call.as_ref().map_or_else(|| self.span.ids(), |call| call.span);
        logs::of_request(self.ids(span), || self.log(seen, status, refusal, duration));
        self.span.end(status);
    }

    fn ids(&self, span: SpanIds) -> RequestIds {
        RequestIds { correlation_id: Arc::clone(&self.id), span }
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
            tool = record.and_then(|record| record.tool.as_deref()),
            sub = principal.as_ref().map(|principal| principal.pseudonym()),
            iss = principal.as_ref().map(|principal| principal.issuer()).filter(|issuer| !issuer.is_empty()),
            client_id = principal.as_ref().and_then(|principal| client(principal)),
            outcome = refusal.or(outcome).unwrap_or(if record.is_some() { "streaming" } else { "answered" }),
            duration_ms = milliseconds(duration),
            "{method} {path} {what}{space}-> {status}",
            what = record.map_or("", |record| record.method.as_str()),
            space = if record.is_some() { " " } else { "" },
            status = status.as_u16(),
        );
    }
}

/// The line of a request whose answer was a stream, at the stream's end.
pub fn log_end_of_stream(ids: RequestIds, principal: &Principal, record: &CallRecord, duration: Duration) {
    logs::of_request(ids, || {
        tracing::info!(
            tool = record.tool.as_deref(),
            sub = principal.pseudonym(),
            iss = Some(principal.issuer()).filter(|issuer| !issuer.is_empty()),
            client_id = client(principal),
            outcome = record.outcome.map_or("ended", CallOutcome::as_str),
            duration_ms = milliseconds(duration),
            "{} ended",
            record.method.as_str(),
        );
    });
}

/// Milliseconds to the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// The longest client id in a log line, in bytes. Chosen: ids are UUIDs and names; a URL as id is still told apart.
const MAX_CLIENT_BYTES: usize = 128;

/// The client, cut: an issuer may let clients choose their ids.
fn client(principal: &Principal) -> Option<&str> {
    principal.client_id().map(|client| crds::text::cut(client, MAX_CLIENT_BYTES))
}
