//! Hostile and unusual HTTP (protocol.md, section 4): who is answered, where, and in which form.

mod bounds;
mod headers;

use reqwest::StatusCode;
use serde_json::json;

use crate::support::client::{PUBLIC_HOST, PUBLIC_URL};
use crate::support::raw::{RawAnswer, exchange, request};
use crate::support::{Era, GatewayOptions, Message, SpawnedGateway, spawn_gateway};

const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";
const ORIGIN: &str = "https://app.example.com";

#[tokio::test]
async fn host_unknown_is_403_and_malformed_is_400_before_any_route() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let ours = format!("Host: {PUBLIC_HOST}");
    let rows: [(&str, &str, &[&str], u16); 16] = [
        ("the public host", "GET /health HTTP/1.1", &[&ours], 200),
        ("with a port", "GET /health HTTP/1.1", &["Host: mcp.example.com:8080"], 200),
        ("in capitals", "GET /health HTTP/1.1", &["Host: MCP.example.COM"], 200),
        ("an accepted host", "GET /health HTTP/1.1", &["Host: tools.team-a.svc"], 200),
        ("an unknown host", "GET /health HTTP/1.1", &["Host: evil.example"], 403),
        ("also on no route", "GET /nowhere HTTP/1.1", &["Host: evil.example"], 403),
        ("an IP literal", "GET /health HTTP/1.1", &["Host: 127.0.0.1"], 403),
        ("an IPv6 literal", "GET /health HTTP/1.1", &["Host: [::1]:80"], 403),
        ("ours as a prefix", "GET /health HTTP/1.1", &["Host: mcp.example.com.evil.example"], 403),
        ("ours as a suffix", "GET /health HTTP/1.1", &["Host: x.mcp.example.com"], 403),
        ("a path in it", "GET /health HTTP/1.1", &["Host: mcp.example.com/../admin?"], 400),
        ("a user in it", "GET /health HTTP/1.1", &["Host: user@mcp.example.com"], 400),
        ("empty", "GET /health HTTP/1.1", &["Host: "], 400),
        ("none", "GET /health HTTP/1.1", &[], 400),
        ("two", "GET /health HTTP/1.1", &[&ours, &ours], 400),
        ("another host in the target", "GET http://evil.example/health HTTP/1.1", &[&ours], 403),
    ];
    for (row, line, headers, status) in rows {
        let answer = raw(&gateway, line, headers, "").await;
        assert_eq!(answer.status, status, "{row}: {}", answer.body);
        assert!(answer.header("x-correlation-id").is_some(), "{row}");
    }
}

#[tokio::test]
async fn an_origin_that_is_present_and_not_allowed_is_403() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let token = gateway.issuer.token(&["tools:ping"], PUBLIC_URL);
    for (origin, status) in [
        (ORIGIN, 200),
        ("https://mcp.example.com", 200),
        ("https://evil.example", 403),
        ("null", 403),
        ("http://app.example.com", 403),
        ("https://app.example.com:8443", 403),
        ("https://app.example.com.evil.example", 403),
        ("https://xn--app-example-com.example", 403),
        ("https://app.example.com/", 403),
        ("app.example.com", 403),
        ("", 403),
        ("http://127.0.0.1", 403),
    ] {
        let message = Message::call(Era::Modern, "ping", json!({})).header("origin", origin);
        let answer = gateway.client.send(&message, Some(&token)).await;
        assert_eq!(answer.status.as_u16(), status, "{origin}: {}", answer.text());
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(
            allowed,
            (status == 200 && origin == ORIGIN)
                .then_some(ORIGIN)
                .or((status == 200 && origin != ORIGIN).then_some(origin)),
            "{origin}"
        );
    }
    let twice = Message::call(Era::Modern, "ping", json!({})).header("origin", ORIGIN).header("origin", ORIGIN);
    assert_eq!(gateway.client.send(&twice, Some(&token)).await.status, 403, "two origins");
}

/// CVE-2026-42559, CVE-2025-66414: neither header vouches for the other.
#[tokio::test]
async fn rebinding_fails_with_either_header_forged() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let port = gateway.client.public_address().port();
    for (host, origin) in [
        (format!("127.0.0.1:{port}"), "https://mcp.example.com".to_owned()),
        (format!("localhost:{port}"), ORIGIN.to_owned()),
        (PUBLIC_HOST.to_owned(), format!("http://127.0.0.1:{port}")),
        ("evil.example".to_owned(), "http://evil.example".to_owned()),
    ] {
        let headers = [format!("Host: {host}"), format!("Origin: {origin}")];
        let answer = raw(&gateway, "POST /mcp HTTP/1.1", &[&headers[0], &headers[1]], "").await;
        assert_eq!(answer.status, 403, "{host} {origin}");
    }
}

#[tokio::test]
async fn a_content_type_that_is_not_json_in_utf8_is_415() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    for (content_type, status) in [
        (None, 415),
        (Some("text/plain"), 415),
        (Some("application/json; charset=utf-16"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
        (Some("application/json; charset=utf-8"), 200),
        (Some("Application/JSON"), 200),
    ] {
        let message = ping().without_header("content-type");
        let message = match content_type {
            Some(content_type) => message.header("content-type", content_type),
            None => message,
        };
        let answer = gateway.client.send(&message, Some(&token(&gateway))).await;
        assert_eq!(answer.status.as_u16(), status, "{content_type:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn an_accept_without_both_types_is_406_in_the_modern_era() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    for (era, accept, status) in [
        (Era::Modern, "application/json", 406),
        (Era::Modern, "text/event-stream", 406),
        (Era::Modern, "text/html", 406),
        (Era::Modern, "application/json;q=0, text/event-stream", 406),
        (Era::Modern, "text/event-stream, application/json", 200),
        (Era::Modern, "*/*", 200),
        (Era::Legacy, "application/json", 200),
        (Era::Legacy, "text/event-stream", 406),
    ] {
        let message = Message::call(era, "ping", json!({})).with_header("accept", accept);
        let answer = gateway.client.send(&message, Some(&token(&gateway))).await;
        assert_eq!(answer.status.as_u16(), status, "{era:?} {accept}: {}", answer.text());
    }
}

#[tokio::test]
async fn paths_that_look_alike_are_404() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let host = format!("Host: {PUBLIC_HOST}");
    for path in [
        "//mcp",
        "/mcp/",
        "/MCP",
        "/mcp.",
        "/mcp/..",
        "/mcp/%2e%2e/metrics",
        "/mcp/../metrics",
        "/%6dcp",
        "/mcp;x=1",
        "/",
        "/capabilities",
    ] {
        let answer = raw(&gateway, &format!("GET {path} HTTP/1.1"), &[&host], "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.header("x-correlation-id").is_some(), "{path}");
    }
}

#[tokio::test]
async fn what_belongs_to_the_admin_listener_is_not_on_the_public_one() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    for path in ["/metrics", "/livez", "/readyz", "/report", "/debug/pprof"] {
        assert_eq!(gateway.client.get(path, None).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/mcp", METADATA, "/health"] {
        assert_eq!(gateway.client.admin(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let health = gateway.client.get("/health", None).await;
    assert_eq!(health.status, StatusCode::OK);
    assert_eq!(
        health.json(),
        json!({ "status": "healthy", "service": "mcp-server", "version": env!("CARGO_PKG_VERSION") })
    );
}

/// One keep-alive connection, both eras in turn: nothing is remembered but the connection.
#[tokio::test]
async fn the_eras_share_a_connection_without_sharing_anything_else() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let token = token(&gateway);
    for era in [Era::Modern, Era::Legacy, Era::Modern, Era::Legacy] {
        let answer = gateway.client.call(era, "ping", json!({}), &token).await;
        assert_eq!(answer.result().get("resultType").is_some(), era == Era::Modern);
    }
}

async fn raw(gateway: &SpawnedGateway, line: &str, headers: &[&str], body: &str) -> RawAnswer {
    let bytes = request(line, headers, body);
    let answer = exchange(gateway.client.public_address(), &bytes).await;
    answer.unwrap_or_else(|| panic!("no answer to `{}`", &line[..line.len().min(80)]))
}

fn ping() -> Message {
    Message::call(Era::Modern, "ping", json!({}))
}

fn token(gateway: &SpawnedGateway) -> String {
    gateway.issuer.token(&["tools:ping"], PUBLIC_URL)
}
