//! Headers of answers: security, correlation ids, and CORS for the origins that are allowed.

use expect_test::{Expect, expect};
use reqwest::{Method, StatusCode};

use super::{METADATA, ORIGIN, ping, token};
use crate::support::client::PUBLIC_URL;
use crate::support::{Answer, GatewayOptions, Message, spawn_gateway};

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
        (post("{}").header("content-type", "text/plain"), 415),
    ] {
        let request = request.header("x-correlation-id", "every-status_1.a");
        let answer = Answer::read(request.send().await.unwrap()).await;
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
