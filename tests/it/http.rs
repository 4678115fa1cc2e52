//! Hostile and unusual HTTP (protocol.md, section 4), the headers on every answer, and CORS.

use expect_test::{Expect, expect};
use futures::StreamExt as _;
use reqwest::{Body, Method, StatusCode};
use serde_json::json;

use crate::support::client::{PUBLIC_HOST, PUBLIC_URL};
use crate::support::raw::{RawAnswer, exchange, request};
use crate::support::{Answer, Era, GatewayOptions, Message, SpawnedGateway, spawn_gateway};

const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
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
async fn a_body_above_the_cap_is_413_also_without_a_length() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let token = token(&gateway);
    let post = |body: Body| {
        let request = gateway.client.request(Method::POST, "/mcp").bearer_auth(&token);
        request.header("content-type", "application/json").body(body)
    };
    // White space up to the cap: read whole, and then found to be no JSON.
    let at_cap = Answer::read(post(spaces(MAX_BODY_BYTES).into()).send().await.unwrap()).await;
    assert_ne!(at_cap.status, StatusCode::PAYLOAD_TOO_LARGE);

    let chunks = |length: usize| {
        let chunk = || Ok::<_, std::io::Error>(spaces(64 * 1024));
        let whole = futures::stream::repeat_with(chunk).take(length / (64 * 1024));
        Body::wrap_stream(whole.chain(futures::stream::iter([Ok(spaces(1))])))
    };
    for (row, body) in [
        ("one above, with its length", Body::from(spaces(MAX_BODY_BYTES + 1))),
        ("one above, chunked", chunks(MAX_BODY_BYTES)),
    ] {
        // The client may still be writing when the connection closes; what counts is told below.
        let Ok(response) = post(body).send().await else {
            continue;
        };
        let answer = Answer::read(response).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{row}");
        assert_eq!(answer.code(), -32600, "{row}");
        answer.assert_discreet(Some(&token));
    }
}

/// The same on the bare socket, where the answer is read even though not all was written.
#[tokio::test]
async fn after_413_the_connection_is_closed_and_the_rest_stays_unread() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let authorization = format!("Authorization: Bearer {}", token(&gateway));
    let host = format!("Host: {PUBLIC_HOST}");
    let json = "Content-Type: application/json";
    let far_above = format!("Content-Length: {}", usize::MAX / 2);
    let declared = request("POST /mcp HTTP/1.1", &[&host, &authorization, json, &far_above], "{");
    let answer = exchange(gateway.client.public_address(), &declared).await.expect("an answer");
    assert_eq!(answer.status, 413);
    assert_eq!(answer.header("connection"), Some("close"));

    let mut chunked = request("POST /mcp HTTP/1.1", &[&host, &authorization, json, "Transfer-Encoding: chunked"], "");
    for _ in 0..1024 {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.extend_from_slice(&spaces(0x10000));
        chunked.extend_from_slice(b"\r\n");
    }
    let answer = exchange(gateway.client.public_address(), &chunked).await;
    // 64 MiB were on their way: a reset may overtake the answer, but never a success.
    if let Some(answer) = answer {
        assert_eq!(answer.status, 413);
    }
}

#[tokio::test]
async fn header_and_target_caps_are_431_and_414() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let host = format!("Host: {PUBLIC_HOST}");
    let many: Vec<String> = (0..200).map(|number| format!("X-{number}: 1")).collect();
    let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
    many.push(&host);
    let large = format!("X-Large: {}", "x".repeat(64 * 1024));
    let sum = format!("X-Large: {}", "x".repeat(33 * 1024));
    let fits = format!("X-Fits: {}", "x".repeat(20 * 1024));
    let long = format!("GET /health?{} HTTP/1.1", "x".repeat(20 * 1024));
    let line = "GET /health HTTP/1.1";
    for (row, line, headers, status) in [
        ("200 fields", line, many.as_slice(), 431),
        ("one of 64 KiB", line, &[host.as_str(), large.as_str()], 431),
        ("33 KiB together", line, &[host.as_str(), sum.as_str()], 431),
        ("20 KiB", line, &[host.as_str(), fits.as_str()], 200),
        ("a target of 20 KiB", long.as_str(), &[host.as_str()], 414),
    ] {
        let answer = raw(&gateway, line, headers, "").await;
        assert_eq!(answer.status, status, "{row}");
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

#[tokio::test]
async fn a_preflight_is_answered_for_allowed_origins_only() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let preflight = |origin: &str| {
        gateway
            .client
            .request(Method::OPTIONS, "/mcp")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization, content-type, mcp-method")
            .send()
    };
    let refused = preflight("https://evil.example").await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.headers().get("access-control-allow-origin").is_none());

    let allowed = Answer::read(preflight(ORIGIN).await.unwrap()).await;
    assert!(allowed.status.is_success());
    assert_eq!(allowed.header("access-control-allow-origin"), Some(ORIGIN));
    assert!(allowed.header("access-control-allow-credentials").is_none());
    let headers = listed(&allowed, "access-control-allow-headers");
    for header in [
        "authorization",
        "content-type",
        "mcp-protocol-version",
        "mcp-method",
        "mcp-name",
        "mcp-session-id",
        "last-event-id",
        "traceparent",
        "x-correlation-id",
    ] {
        assert!(headers.contains(&header.to_owned()), "{header} in {headers:?}");
    }
    assert!(listed(&allowed, "access-control-allow-methods").contains(&"post".to_owned()));
    assert!(listed(&allowed, "vary").contains(&"origin".to_owned()));

    let served = gateway.client.send(&ping().header("origin", ORIGIN), None).await;
    let exposed = listed(&served, "access-control-expose-headers");
    for header in ["www-authenticate", "x-correlation-id", "mcp-session-id"] {
        assert!(exposed.contains(&header.to_owned()), "{header} in {exposed:?}");
    }
}

#[tokio::test]
async fn without_an_origin_nothing_of_cors_is_said() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let answer = gateway.client.send(&ping(), Some(&token(&gateway))).await;
    let names = answer.headers.keys().map(reqwest::header::HeaderName::as_str);
    assert_eq!(names.filter(|name| name.starts_with("access-control-")).count(), 0);
}

#[tokio::test]
async fn headers_of_200() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let answer = gateway.client.send(&ping(), Some(&token(&gateway))).await;
    check_headers(
        &answer,
        expect![[r"
        cache-control: no-store
        content-length: …
        content-security-policy: default-src 'none'; frame-ancestors 'none'
        content-type: application/json
        date: …
        referrer-policy: no-referrer
        x-content-type-options: nosniff
        x-correlation-id: …"]],
    );
}

#[tokio::test]
async fn headers_of_401() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let answer = gateway.client.send(&ping(), None).await;
    check_headers(
        &answer,
        expect![[r#"
        cache-control: no-store
        content-length: …
        content-security-policy: default-src 'none'; frame-ancestors 'none'
        content-type: application/json
        date: …
        referrer-policy: no-referrer
        www-authenticate: Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="tools:echo tools:ping"
        x-content-type-options: nosniff
        x-correlation-id: …"#]],
    );
}

#[tokio::test]
async fn headers_of_404() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    check_headers(
        &gateway.client.get("/nowhere", None).await,
        expect![[r"
        cache-control: no-store
        content-length: …
        content-security-policy: default-src 'none'; frame-ancestors 'none'
        content-type: application/json
        date: …
        referrer-policy: no-referrer
        x-content-type-options: nosniff
        x-correlation-id: …"]],
    );
}

#[tokio::test]
async fn a_correlation_id_is_on_every_status() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let token = token(&gateway);
    let stranger = gateway.issuer.token(&[], PUBLIC_URL);
    let get = |path: &str| gateway.client.request(Method::GET, path);
    let post = |body: &'static str| {
        let request = gateway.client.request(Method::POST, "/mcp").bearer_auth(&token);
        request.header("content-type", "application/json").body(body)
    };
    let message = |message: Message, token: &str| {
        let mut request = gateway.client.request(Method::POST, "/mcp").bearer_auth(token);
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        request.body(message.body.to_string())
    };
    for (request, status) in [
        (get(METADATA), 200),
        (post("{bad"), 400),
        (get("/mcp"), 401),
        (message(ping(), &stranger), 403),
        (get("/nowhere"), 404),
        (gateway.client.request(Method::PUT, "/mcp").bearer_auth(&token), 405),
        (message(ping().with_header("accept", "text/html"), &token), 406),
        (post("").body(spaces(MAX_BODY_BYTES + 1)), 413),
        (post("{}").header("content-type", "text/plain"), 415),
    ] {
        let request = request.header("x-correlation-id", "every-status_1.a");
        let Ok(response) = request.send().await else {
            assert_eq!(status, 413, "only a refused body may end in a reset");
            continue;
        };
        let answer = Answer::read(response).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
        assert_eq!(answer.header("x-correlation-id"), Some("every-status_1.a"), "{status}");
    }
}

#[tokio::test]
async fn a_correlation_id_that_could_do_harm_is_replaced() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    for sent in ["x".repeat(129), "a b".to_owned(), "<script>".to_owned(), String::new()] {
        let message = ping().header("x-correlation-id", &sent);
        let answer = gateway.client.send(&message, Some(&token(&gateway))).await;
        let id = answer.header("x-correlation-id").unwrap();
        assert_ne!(id, sent);
        assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7);
        assert_eq!(answer.result()["structuredContent"]["correlation_id"], id);
    }
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

/// Both deadlines are the server's and the longer is 10 s; this only sees that they are wired in.
#[tokio::test]
async fn peers_that_stall_in_the_head_or_in_the_body_are_cut_off() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let address = gateway.client.public_address();
    let half_head = b"GET /health HTTP/1.1\r\nHost: mcp.exa";
    let half_body = [
        "POST /mcp HTTP/1.1",
        "Host: mcp.example.com",
        &format!("Authorization: Bearer {}", token(&gateway)),
        "Content-Type: application/json",
        "Content-Length: 1000",
        "",
        "{",
    ]
    .join("\r\n");
    let (head, body) =
        futures::future::join(exchange(address, half_head), exchange(address, half_body.as_bytes())).await;
    assert!(head.is_none_or(|answer| answer.status == 408));
    let body = body.expect("a refusal");
    assert_eq!((body.status, body.header("connection")), (408, Some("close")), "{}", body.body);
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

fn spaces(length: usize) -> Vec<u8> {
    vec![b' '; length]
}

/// The elements of a list header, in lower case.
fn listed(answer: &Answer, name: &str) -> Vec<String> {
    let value = answer.header(name).unwrap_or_else(|| panic!("no {name}: {:?}", answer.headers));
    value.split(',').map(|element| element.trim().to_lowercase()).collect()
}

/// All headers, sorted, those that differ from run to run by name only.
#[expect(clippy::needless_pass_by_value, reason = "`expect!` makes values")]
fn check_headers(answer: &Answer, expected: Expect) {
    let mut lines: Vec<String> = answer
        .headers
        .iter()
        .map(|(name, value)| match name.as_str() {
            "date" | "content-length" | "x-correlation-id" => format!("{name}: …"),
            _ => format!("{name}: {}", value.to_str().unwrap()),
        })
        .collect();
    lines.sort();
    expected.assert_eq(&lines.join("\n"));
}
