//! Traces as a collector receives them, by the OpenTelemetry conventions for MCP, and never an argument in them.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as SpanStatus;
use serde_json::json;

use crate::support::client::PUBLIC_URL;
use crate::support::collector::{Collector, attribute};
use crate::support::{Era, GatewayOptions, Message, SpawnedGateway, eventually, spawn_gateway};

/// Stands in every argument of this module, and must stand in no span.
const ARGUMENT: &str = "argument-that-nobody-may-export";

const META_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const META_SPAN: &str = "b7ad6b7169203331";
const HTTP_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const HTTP_SPAN: &str = "00f067aa0ba902b7";

#[tokio::test]
async fn the_parent_is_that_of_meta_and_the_http_span_is_a_link() {
    let (gateway, collector) = start().await;
    let message = echo()
        .with("/params/_meta/traceparent", json!(format!("00-{META_TRACE}-{META_SPAN}-01")))
        .header("traceparent", &format!("00-{HTTP_TRACE}-{HTTP_SPAN}-01"));
    send(&gateway, &message).await;
    let (mcp, http) = mcp_and_http_spans(&collector).await;
    assert_eq!(hex(&mcp.trace_id), META_TRACE);
    assert_eq!(hex(&mcp.parent_span_id), META_SPAN);
    let [link] = mcp.links.as_slice() else { panic!("one link: {:?}", mcp.links) };
    assert_eq!((&link.trace_id, &link.span_id), (&http.trace_id, &http.span_id));
    assert_eq!((hex(&http.trace_id), hex(&http.parent_span_id)), (HTTP_TRACE.into(), HTTP_SPAN.into()));
}

#[tokio::test]
async fn without_a_context_in_meta_the_http_span_is_the_parent() {
    let (gateway, collector) = start().await;
    let message = echo().header("traceparent", &format!("00-{HTTP_TRACE}-{HTTP_SPAN}-01"));
    send(&gateway, &message).await;
    let (mcp, http) = mcp_and_http_spans(&collector).await;
    assert_eq!(hex(&mcp.trace_id), HTTP_TRACE);
    assert_eq!(mcp.parent_span_id, http.span_id);
    assert!(mcp.links.is_empty());
}

#[tokio::test]
async fn a_context_that_cannot_be_read_is_ignored() {
    let (gateway, collector) = start().await;
    let message = echo()
        .with("/params/_meta/traceparent", json!("00-zz-zz-01"))
        .with("/params/_meta/baggage", json!("b".repeat(64 * 1024)))
        .header("traceparent", "garbage");
    send(&gateway, &message).await;
    let (mcp, http) = mcp_and_http_spans(&collector).await;
    assert_eq!(mcp.parent_span_id, http.span_id);
    assert!(http.parent_span_id.is_empty());
}

#[tokio::test]
async fn the_span_of_a_call_has_the_names_of_the_conventions() {
    let (gateway, collector) = start().await;
    send(&gateway, &echo().with("/id", json!(42))).await;
    let (mcp, http) = mcp_and_http_spans(&collector).await;
    assert_eq!(mcp.name, "tools/call echo");
    assert_eq!(mcp.kind, SpanKind::Server as i32);
    for (key, value) in [
        ("mcp.method.name", "tools/call"),
        ("gen_ai.tool.name", "echo"),
        ("gen_ai.operation.name", "execute_tool"),
        ("jsonrpc.request.id", "42"),
        ("mcp.protocol.version", "2026-07-28"),
        ("network.transport", "tcp"),
    ] {
        assert_eq!(attribute(&mcp, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(attribute(&mcp, "error.type"), None);
    assert_eq!(http.name, "POST /mcp");
    assert_eq!(attribute(&http, "http.response.status_code").as_deref(), Some("200"));
}

#[tokio::test]
async fn a_tool_that_failed_and_an_unknown_one_say_so_without_what_the_caller_typed() {
    let (gateway, collector) = start().await;
    let failing = Message::call(Era::Modern, "echo", json!({ "message": 1, "x": ARGUMENT }));
    send(&gateway, &failing).await;
    send(&gateway, &Message::call(Era::Modern, ARGUMENT, json!({}))).await;
    let spans = eventually("both spans arrive", async || {
        let spans: Vec<Span> = collector.spans().into_iter().filter(is_mcp).collect();
        (spans.len() == 2).then_some(spans)
    })
    .await;
    let by_name = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let failed = by_name("tools/call echo");
    assert_eq!(attribute(failed, "error.type").as_deref(), Some("tool_error"));
    assert_eq!(failed.status.as_ref().unwrap().code, SpanStatus::Error as i32);
    // A tool that does not exist names nothing.
    let unknown = by_name("tools/call");
    assert_eq!(attribute(unknown, "gen_ai.tool.name"), None);
    assert_eq!(attribute(unknown, "rpc.response.status_code").as_deref(), Some("-32602"));
    assert_nothing_leaked(&gateway, &collector);
}

#[tokio::test]
async fn refused_requests_and_all_others_export_no_argument_and_no_token() {
    let (gateway, collector) = start().await;
    for era in Era::BOTH {
        let call = Message::call(era, "echo", json!({ "message": ARGUMENT }));
        send(&gateway, &call).await;
        gateway.client.send(&call, None).await;
        let scopeless = gateway.issuer.token(&[], PUBLIC_URL);
        gateway.client.send(&call, Some(&scopeless)).await;
    }
    // Three for each era, and `initialize` before each of the older one.
    eventually("all nine requests arrive", async || {
        let http = collector.spans().into_iter().filter(|span| !is_mcp(span)).count();
        (http == 9).then_some(())
    })
    .await;
    assert_nothing_leaked(&gateway, &collector);
}

/// Telemetry is never a reason to fail a request, and its own failure is told where one looks for it.
#[tokio::test]
async fn a_collector_that_is_gone_fails_no_request_and_shows_in_the_health_check() {
    let (gateway, collector) = start().await;
    drop(collector);
    let token = gateway.issuer.token(&["tools:echo"], PUBLIC_URL);
    eventually("the failed export shows", async || {
        let health = gateway.client.call(Era::Modern, "health_check", json!({}), &token).await;
        let health = health.result()["structuredContent"].clone();
        (health["checks"]["telemetry"]["status"] == "degraded").then_some(())
    })
    .await;
    send(&gateway, &echo()).await;
}

async fn start() -> (SpawnedGateway, Collector) {
    let collector = Collector::start().await;
    let mut options = GatewayOptions::default();
    options.config.observability.otlp_endpoint = Some(collector.endpoint());
    (spawn_gateway(options).await, collector)
}

fn echo() -> Message {
    Message::call(Era::Modern, "echo", json!({ "message": ARGUMENT }))
}

async fn send(gateway: &SpawnedGateway, message: &Message) {
    let token = gateway.issuer.token(&["tools:echo"], PUBLIC_URL);
    gateway.client.send(message, Some(&token)).await;
}

/// The two spans of the only request that was sent.
async fn mcp_and_http_spans(collector: &Collector) -> (Span, Span) {
    let spans = eventually("the spans of one request arrive", async || {
        let spans = collector.spans();
        (spans.len() == 2).then_some(spans)
    })
    .await;
    let (mut mcp, mut http): (Vec<_>, Vec<_>) = spans.into_iter().partition(is_mcp);
    (mcp.remove(0), http.remove(0))
}

fn is_mcp(span: &Span) -> bool {
    attribute(span, "mcp.method.name").is_some()
}

fn assert_nothing_leaked(gateway: &SpawnedGateway, collector: &Collector) {
    let exported = collector.bytes();
    let contains = |text: &str| exported.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(contains("tools/call"), "the search finds what is there");
    // The middle of every token that this issuer signs begins with its `iss`; the argument is verbatim.
    let token = gateway.issuer.token(&[], PUBLIC_URL);
    let payload = token.split('.').nth(1).unwrap();
    for secret in [ARGUMENT, &token[..20], &payload[..20], "Bearer "] {
        assert!(!contains(secret), "`{secret}` was exported");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
