//! Which spans leave the process, with which parents, links and attributes.

use std::{
    borrow::Cow,
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use expect_test::{Expect, expect};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};

use super::*;
use crate::{
    mcp::{CallOutcome, ErrorCode},
    protocol::ProtocolVersion,
    telemetry::otlp_client::ExportState,
};

const HTTP_PARENT: &str = "00-11111111111111111111111111111111-1111111111111111-01";
const META_PARENT: &str = "00-22222222222222222222222222222222-2222222222222222-01";

#[derive(Clone, Debug, Default)]
struct Exported(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Exported {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

fn record(outcome: CallOutcome) -> CallRecord {
    CallRecord {
        method: MethodLabel::ToolsCall,
        tool: Some("ping".into()),
        session: None,
        request_id: Some("7".into()),
        protocol_version: Some(ProtocolVersion::ALL[0]),
        outcome: Some(outcome),
    }
}

/// One request with both spans; gives the MCP span and then the HTTP span.
fn spans(traceparent: Option<&str>, meta: Option<&str>, outcome: CallOutcome) -> [SpanData; 2] {
    let exported = Exported::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exported.clone());
    let telemetry = Telemetry::of(provider, Some(Arc::new(ExportState::default())));
    let mut request = Request::post("/mcp").header("authorization", "Bearer canary");
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    let request = request.body(()).unwrap();
    let client = Some("192.0.2.7:4711".parse().unwrap());
    let http = telemetry.http_span(&request, Some("/mcp"), client);
    let sent = TraceContext {
        traceparent: meta.map(Cow::Borrowed),
        tracestate: None,
        baggage: Some(Cow::Borrowed("canary=1")),
    };
    let record = record(outcome);
    telemetry.mcp_span(&record, &sent, &http, Version::HTTP_11).end(&record);
    http.end(StatusCode::OK);
    let spans = exported.0.lock().unwrap().clone();
    assert!(!format!("{spans:?}").contains("canary"), "{spans:?}");
    spans.try_into().unwrap()
}

fn trace_and_parent(span: &SpanData) -> (String, String) {
    (span.span_context.trace_id().to_string(), span.parent_span_id.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "`expect!` makes values")]
fn check(span: &SpanData, expected: Expect) {
    let mut text = format!("{} {:?} {:?}\n", span.name, span.span_kind, span.status);
    for attribute in &span.attributes {
        writeln!(text, "{}={}", attribute.key, attribute.value).unwrap();
    }
    expected.assert_eq(&text);
}

#[test]
fn a_call_has_the_attributes_of_the_conventions() {
    let [mcp, http] = spans(None, None, CallOutcome::Success);
    check(
        &mcp,
        expect![[r"
            tools/call ping Server Unset
            mcp.method.name=tools/call
            network.transport=tcp
            network.protocol.name=http
            network.protocol.version=1.1
            gen_ai.operation.name=execute_tool
            gen_ai.tool.name=ping
            jsonrpc.request.id=7
            mcp.protocol.version=2026-07-28
        "]],
    );
    check(
        &http,
        expect![[r"
            POST /mcp Server Unset
            http.request.method=POST
            network.protocol.name=http
            network.protocol.version=1.1
            http.route=/mcp
            client.address=192.0.2.7
            http.response.status_code=200
        "]],
    );
}

#[test]
fn a_tool_that_failed_is_an_error_and_a_callers_mistake_is_none() {
    let ending = |outcome| {
        let [mcp, _] = spans(None, None, outcome);
        let attributes = mcp
            .attributes
            .iter()
            .filter(|attribute| ["error.type", "rpc.response.status_code"].contains(&attribute.key.as_str()));
        let attributes: Vec<_> = attributes.map(|found| format!("{}={}", found.key, found.value)).collect();
        (matches!(mcp.status, Status::Error { .. }), attributes.join(" "))
    };
    assert_eq!(ending(CallOutcome::ToolError), (true, "error.type=tool_error".to_owned()));
    let internal = "rpc.response.status_code=-32603 error.type=-32603".to_owned();
    assert_eq!(ending(CallOutcome::Error(ErrorCode::InternalError)), (true, internal));
    let mistake = "rpc.response.status_code=-32602".to_owned();
    assert_eq!(ending(CallOutcome::Error(ErrorCode::InvalidParams)), (false, mistake));
}

#[test]
fn the_parent_is_what_the_message_says_and_http_is_a_link() {
    let [mcp, http] = spans(Some(HTTP_PARENT), Some(META_PARENT), CallOutcome::Success);
    assert_eq!(trace_and_parent(&mcp), ("2".repeat(32), "2".repeat(16)));
    assert_eq!(trace_and_parent(&http), ("1".repeat(32), "1".repeat(16)));
    let links: Vec<_> = mcp.links.iter().map(|link| link.span_context.span_id()).collect();
    assert_eq!(links, [http.span_context.span_id()]);
}

#[test]
fn without_a_message_context_the_parent_is_the_http_span() {
    for meta in [None, Some("garbage"), Some("00-0000-0000-00")] {
        let [mcp, http] = spans(Some(HTTP_PARENT), meta, CallOutcome::Success);
        assert_eq!(trace_and_parent(&mcp), ("1".repeat(32), http.span_context.span_id().to_string()));
        assert_eq!(trace_and_parent(&http).1, "1".repeat(16));
        assert!(mcp.links.is_empty());
    }
}
