//! The two spans of a request: HTTP's, and MCP's by the OpenTelemetry conventions for MCP.
//!
//! MCP's parent is what `params._meta` says, with HTTP's span as a link; without it HTTP's span is the
//! parent. What callers send is untrusted: a context that cannot be read is ignored, baggage is never
//! read, and no argument, result or header becomes an attribute.

use std::net::SocketAddr;

use http::{Method, Request, StatusCode, Version};
use opentelemetry::{
    Context, KeyValue,
    propagation::{Extractor, TextMapPropagator as _},
    trace::{Link, SpanBuilder, SpanId, SpanKind, Status, TraceContextExt as _, TraceId, Tracer as _},
};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{IdGenerator as _, RandomIdGenerator},
};

use super::Telemetry;
use crate::mcp::{CallRecord, MethodLabel, TraceContext};

/// The ids of a span, for log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanIds {
    /// Of the trace that it belongs to.
    pub trace_id: TraceId,
    /// Its own.
    pub span_id: SpanId,
}

impl SpanIds {
    /// As a W3C `traceparent`; `sampled` says whether anybody collects it.
    pub fn traceparent(self, sampled: bool) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(sampled))
    }
}

/// A span that will be exported, or the ids of one that nobody collects: those cost next to nothing.
enum Span {
    Recorded(Context),
    Ids(SpanIds),
}

/// The span of an HTTP request. Ends when it is told to, or when the request is dropped.
pub struct HttpSpan(Span);

/// The span of an MCP request.
pub struct McpSpan(Span);

impl Telemetry {
    /// Begins the span of `request`, which came to `route`: one of ours, never what the caller typed.
    pub fn http_span<B>(&self, request: &Request<B>, route: Option<&str>, client: Option<SocketAddr>) -> HttpSpan {
        let parent = sent(&HeaderExtractor(request.headers()));
        if self.export.is_none() {
            return HttpSpan(Span::Ids(ids_within(parent.as_ref().map(trace_id))));
        }
        let method = method_label(request.method());
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("network.protocol.name", "http"),
            KeyValue::new("network.protocol.version", version_label(request.version())),
        ];
        attributes.extend(route.map(|route| KeyValue::new("http.route", route.to_owned())));
        attributes.extend(client.map(|client| KeyValue::new("client.address", client.ip().to_string())));
        let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
        HttpSpan(self.start(name, attributes, Vec::new(), &parent.unwrap_or_default()))
    }

    /// Begins the span of an MCP request inside `http`.
    pub fn mcp_span(
        &self,
        record: &CallRecord,
        trace_context: &TraceContext<'_>,
        http: &HttpSpan,
        version: Version,
    ) -> McpSpan {
        let sent = sent(&MetaExtractor(trace_context));
        let http = match &http.0 {
            Span::Recorded(http) => http,
            Span::Ids(http) => {
                let trace_id = sent.as_ref().map_or(http.trace_id, trace_id);
                return McpSpan(Span::Ids(ids_within(Some(trace_id))));
            }
        };
        let http_span = http.span().span_context().clone();
        let (parent, links) = match sent {
            Some(sent) => (sent, vec![Link::with_context(http_span)]),
            None => (http.clone(), Vec::new()),
        };
        let name = match &record.tool {
            Some(tool) => format!("{} {tool}", record.method.as_str()),
            None => record.method.as_str().to_owned(),
        };
        McpSpan(self.start(name, attributes(record, version), links, &parent))
    }

    /// Whether spans leave the process.
    pub fn exports(&self) -> bool {
        self.export.is_some()
    }

    fn start(&self, name: String, attributes: Vec<KeyValue>, links: Vec<Link>, parent: &Context) -> Span {
        let builder =
            SpanBuilder::from_name(name).with_kind(SpanKind::Server).with_attributes(attributes).with_links(links);
        Span::Recorded(parent.with_span(self.tracer.build_with_context(builder, parent)))
    }
}

impl HttpSpan {
    /// Its ids.
    pub fn ids(&self) -> SpanIds {
        self.0.ids()
    }

    /// Ends it. Only what is our fault makes it an error.
    pub fn end(self, status: StatusCode) {
        let Span::Recorded(context) = self.0 else { return };
        let span = context.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        if status.is_server_error() {
            span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl McpSpan {
    /// Its ids.
    pub fn ids(&self) -> SpanIds {
        self.0.ids()
    }

    /// Ends it, with what became of the request.
    pub fn end(self, record: &CallRecord) {
        let Span::Recorded(context) = self.0 else { return };
        let span = context.span();
        let outcome = record.outcome;
        if let Some(code) = outcome.and_then(crate::mcp::CallOutcome::error_code) {
            span.set_attribute(KeyValue::new("rpc.response.status_code", code.as_str()));
        }
        if let Some(error_type) = outcome.and_then(crate::mcp::CallOutcome::error_type) {
            span.set_attribute(KeyValue::new("error.type", error_type));
            span.set_status(Status::error(error_type));
        }
        span.end();
    }
}

impl Span {
    fn ids(&self) -> SpanIds {
        match self {
            Self::Recorded(context) => {
                let span = context.span();
                let ids = span.span_context();
                SpanIds { trace_id: ids.trace_id(), span_id: ids.span_id() }
            }
            Self::Ids(ids) => *ids,
        }
    }
}

/// The context that a caller sent; `None` without one, and for one that cannot be read.
fn sent(extractor: &dyn Extractor) -> Option<Context> {
    extractor.get("traceparent")?;
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), extractor);
    context.span().span_context().is_valid().then_some(context)
}

fn trace_id(context: &Context) -> TraceId {
    context.span().span_context().trace_id()
}

/// A new span's ids, in `trace` or in a new one.
fn ids_within(trace: Option<TraceId>) -> SpanIds {
    let generator = RandomIdGenerator::default();
    SpanIds { trace_id: trace.unwrap_or_else(|| generator.new_trace_id()), span_id: generator.new_span_id() }
}

fn attributes(record: &CallRecord, version: Version) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("mcp.method.name", record.method.as_str()),
        KeyValue::new("network.transport", "tcp"),
        KeyValue::new("network.protocol.name", "http"),
        KeyValue::new("network.protocol.version", version_label(version)),
    ];
    if record.method == MethodLabel::ToolsCall {
        attributes.push(KeyValue::new("gen_ai.operation.name", "execute_tool"));
    }
    if let Some(tool) = &record.tool {
        attributes.push(KeyValue::new("gen_ai.tool.name", tool.to_string()));
    }
    if let Some(id) = &record.request_id {
        attributes.push(KeyValue::new("jsonrpc.request.id", id.to_string()));
    }
    if let Some(session) = &record.session {
        attributes.push(KeyValue::new("mcp.session.id", session.to_string()));
    }
    if let Some(version) = record.protocol_version {
        attributes.push(KeyValue::new("mcp.protocol.version", version.as_str()));
    }
    attributes
}

/// The method as a label: what a caller typed never becomes one.
pub(crate) fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

fn version_label(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

struct MetaExtractor<'a>(&'a TraceContext<'a>);

impl Extractor for MetaExtractor<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.0.traceparent.as_deref(),
            "tracestate" => self.0.tracestate.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

#[cfg(test)]
mod tests;
