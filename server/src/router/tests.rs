//! The whole stack, without a socket: who is answered, in which shape, and with which headers.

use axum::body::Body;
use crds::gateway_config::{GatewayPolicy, Versioned as _};
use expect_test::{Expect, expect};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::public;
use crate::{
    App, Deps, PolicySource,
    auth::{IssuerSettings, KeySource},
    config::testing::config,
    dev::DEV_ISSUER,
    layers::body::MAX_BODY_BYTES,
    testing::{Answer, TestApp, app, app_with, request, send},
};

fn with(mut request: Request<Body>, headers: &[(&'static str, &str)]) -> Request<Body> {
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
    }
    request
}

fn bearer(token: &str) -> HeaderMap {
    [(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap())].into_iter().collect()
}

fn call(token: &str, tool: &str) -> Request<Body> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": tool, "arguments": { "message": "secret" }, "_meta": meta });
    let params = if tool == "ping" { json!({ "name": tool, "_meta": params["_meta"] }) } else { params };
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let request = with(
        request("POST", "/mcp"),
        &[
            ("authorization", &format!("Bearer {token}")),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool),
        ],
    );
    request.map(|_| Body::from(body.to_string()))
}

/// Status, headers and body; what differs each time is replaced.
#[expect(clippy::needless_pass_by_value, reason = "`expect!` makes values")]
fn check(answer: &Answer, expected: Expect) {
    let id = answer.headers["x-correlation-id"].to_str().unwrap();
    let mut lines: Vec<_> =
        answer.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
    lines.sort();
    let text = format!("{}\n{}\n{}\n", answer.status, lines.concat(), answer.body);
    expected.assert_eq(&text.replace(id, "<id>"));
}

#[tokio::test]
async fn without_a_token_the_challenge_says_where_to_get_one() {
    let answer = send(public(TestApp::new().app), request("POST", "/mcp")).await;
    check(
        &answer,
        expect![[r#"
        401 Unauthorized
        cache-control: no-store
        content-security-policy: default-src 'none'; frame-ancestors 'none'
        content-type: application/json
        referrer-policy: no-referrer
        www-authenticate: Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="special:one special:two tools:ping"
        x-content-type-options: nosniff
        x-correlation-id: <id>

        {"correlation_id":"<id>","error":"invalid_token","error_description":"no access token was sent"}
    "#]],
    );
}

#[tokio::test]
async fn a_bad_token_is_invalid_and_nothing_of_it_comes_back() {
    let request = with(request("POST", "/mcp"), &[("authorization", "Bearer canary.canary.canary")]);
    let answer = send(public(TestApp::new().app), request).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(!format!("{answer:?}").contains("canary"), "{answer:?}");
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Bearer error=\"invalid_token\", "), "{challenge}");
}

#[tokio::test]
async fn a_call_is_answered() {
    let TestApp { app, token } = TestApp::new();
    let answer = send(public(app), with(call(&token, "ping"), &[("x-correlation-id", "mine")])).await;
    assert_eq!(answer.status, StatusCode::OK);
    let content = &answer.body["result"]["structuredContent"];
    assert_eq!((&content["message"], &content["correlation_id"]), (&json!("pong"), &json!("mine")));
    assert_eq!(answer.headers["x-correlation-id"], "mine");
}

#[tokio::test]
async fn a_missing_scope_is_answered_with_all_that_are_needed() {
    let TestApp { app, token } = TestApp::new();
    let answer = send(public(app), call(&token, "echo")).await;
    check(
        &answer,
        expect![[r#"
        403 Forbidden
        cache-control: no-store
        content-security-policy: default-src 'none'; frame-ancestors 'none'
        content-type: application/json
        referrer-policy: no-referrer
        www-authenticate: Bearer error="insufficient_scope", error_description="the access token lacks a scope that this operation needs", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="special:one special:two"
        x-content-type-options: nosniff
        x-correlation-id: <id>

        {"correlation_id":"<id>","error":"insufficient_scope","error_description":"the tool needs these scopes: special:one special:two"}
    "#]],
    );
}

#[tokio::test]
async fn the_issuers_metadata_is_unknown_by_default_and_unavailable_until_it_was_fetched() {
    let path = "/.well-known/oauth-authorization-server";
    let TestApp { app, .. } = TestApp::new();
    assert_eq!(send(public(app), request("GET", path)).await.status, StatusCode::NOT_FOUND);
    let issuer = IssuerSettings::new(DEV_ISSUER, vec!["a".to_owned()], KeySource::Unavailable);
    let app = app_with(vec![issuer], |auth| auth.issuer_metadata_mirror = true);
    let answer = send(public(app), request("GET", path)).await;
    check(
        &answer,
        expect![[r#"
        503 Service Unavailable
        cache-control: no-store
        content-security-policy: default-src 'none'; frame-ancestors 'none'
        content-type: application/json
        referrer-policy: no-referrer
        retry-after: 1
        x-content-type-options: nosniff
        x-correlation-id: <id>

        {"correlation_id":"<id>","error":"metadata_unavailable","error_description":"the metadata of the issuer is not there yet: try again later"}
    "#]],
    );
}

#[tokio::test]
async fn without_keys_callers_are_told_to_come_back() {
    let issuer = IssuerSettings::new(DEV_ISSUER, vec!["a".to_owned()], KeySource::Unavailable);
    let answer = send(public(app(vec![issuer])), call("a.b.c", "ping")).await;
    check(
        &answer,
        expect![[r#"
        503 Service Unavailable
        cache-control: no-store
        content-security-policy: default-src 'none'; frame-ancestors 'none'
        content-type: application/json
        referrer-policy: no-referrer
        retry-after: 1
        x-content-type-options: nosniff
        x-correlation-id: <id>

        {"error":{"code":-32603,"data":{"correlation_id":"<id>"},"message":"the keys to check access tokens are not available; try again later"},"jsonrpc":"2.0"}
    "#]],
    );
}

#[tokio::test]
async fn the_metadata_document_is_public_and_for_every_page() {
    let path = "/.well-known/oauth-protected-resource/mcp";
    let request = with(request("GET", path), &[("origin", "https://evil.example")]);
    check(
        &send(public(TestApp::new().app), request).await,
        expect![[r#"
        200 OK
        access-control-allow-origin: *
        cache-control: public, max-age=300
        content-security-policy: default-src 'none'; frame-ancestors 'none'
        content-type: application/json
        referrer-policy: no-referrer
        x-content-type-options: nosniff
        x-correlation-id: <id>

        {"authorization_servers":["https://dev-issuer.invalid"],"bearer_methods_supported":["header"],"resource":"https://mcp.example.com/mcp","scopes_supported":["special:one","special:two","tools:ping"]}
    "#]],
    );
}

#[tokio::test]
async fn the_capabilities_are_for_known_callers_only() {
    let TestApp { app, token } = TestApp::new();
    let path = "/mcp/capabilities";
    let answer = send(public(app.clone()), request("GET", path)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let bearer = format!("Bearer {token}");
    let answer = send(public(app), with(request("GET", path), &[("authorization", &bearer)])).await;
    let Value::Object(document) = answer.body else { panic!("{answer:?}") };
    assert_eq!(document.keys().collect::<Vec<_>>(), ["apiVersion", "capabilities", "serverInfo"]);
}

#[tokio::test]
async fn paths_are_exact_and_what_is_elsewhere_is_not_here() {
    let router = public(TestApp::new().app);
    for path in [
        "//mcp",
        "/MCP",
        "/mcp/",
        "/mcp.",
        "/mcp/%2e%2e/metrics",
        "/",
        "/metrics",
        "/readyz",
        "/livez",
        "/report",
        "/authorize",
        "/token",
        "/register",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
    ] {
        let answer = send(router.clone(), request("GET", path)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.headers.contains_key("x-correlation-id"), "{path}");
        assert_eq!(answer.body["error"], "not_found", "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_refused() {
    let TestApp { app, token } = TestApp::new();
    let bearer = [("authorization", &*format!("Bearer {token}"))];
    for (method, path, allow) in [
        ("PUT", "/mcp", "POST, GET, DELETE, OPTIONS"),
        ("GET", "/mcp", "POST"),
        ("POST", "/health", "GET"),
        ("DELETE", "/mcp/capabilities", "GET"),
    ] {
        let answer = send(public(app.clone()), with(request(method, path), &bearer)).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_eq!(answer.headers["allow"].to_str().unwrap().replace(",HEAD", ""), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn a_document_can_be_asked_for_without_its_body() {
    let router = public(TestApp::new().app);
    let with_body = send(router.clone(), request("GET", "/health")).await;
    let without = send(router, request("HEAD", "/health")).await;
    assert_eq!((without.status, &without.body), (StatusCode::OK, &Value::String(String::new())));
    assert_eq!(without.headers["content-length"], with_body.body.to_string().len().to_string());
}

#[tokio::test]
async fn a_large_body_is_refused_in_json_rpc_and_the_connection_closed() {
    let TestApp { app, token } = TestApp::new();
    let request = call(&token, "ping").map(|_| Body::from(vec![b' '; MAX_BODY_BYTES + 1]));
    check(
        &send(public(app), request).await,
        expect![[r#"
        413 Payload Too Large
        cache-control: no-store
        connection: close
        content-security-policy: default-src 'none'; frame-ancestors 'none'
        content-type: application/json
        referrer-policy: no-referrer
        x-content-type-options: nosniff
        x-correlation-id: <id>

        {"error":{"code":-32600,"data":{"correlation_id":"<id>"},"message":"the body is larger than 4 MiB"},"jsonrpc":"2.0"}
    "#]],
    );
}

#[tokio::test]
async fn a_large_head_is_refused_with_a_correlation_id() {
    let router = public(TestApp::new().app);
    let fields: Vec<_> = std::iter::repeat_n(("x-field", "v"), 200).collect();
    let answer = send(router.clone(), with(request("POST", "/mcp"), &fields)).await;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(answer.body["error"]["code"], -32600);
    let answer = send(router, request("GET", &format!("/{}", "x".repeat(20 * 1024)))).await;
    assert_eq!(answer.status, StatusCode::URI_TOO_LONG);
    assert!(answer.headers.contains_key("x-correlation-id"));
}

#[tokio::test]
async fn an_unknown_host_is_refused_before_anything_else() {
    for path in ["/mcp", "/health", "/nothing"] {
        let mut request = request("POST", path);
        request.headers_mut().insert("host", HeaderValue::from_static("evil.example"));
        let answer = send(public(TestApp::new().app), request).await;
        assert_eq!((answer.status, &answer.body["error"]), (StatusCode::FORBIDDEN, &json!("host_unknown")));
    }
}

#[tokio::test]
async fn a_preflight_is_answered_for_listed_origins_only() {
    let preflight =
        |origin| with(request("OPTIONS", "/mcp"), &[("origin", origin), ("access-control-request-method", "POST")]);
    let router = public(TestApp::new().app);
    check(
        &send(router.clone(), preflight("https://app.example.com")).await,
        expect![[r#"
        204 No Content
        access-control-allow-headers: Authorization, Content-Type, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, Last-Event-ID, traceparent, X-Correlation-ID
        access-control-allow-methods: GET, POST, DELETE
        access-control-allow-origin: https://app.example.com
        access-control-expose-headers: WWW-Authenticate, X-Correlation-ID, Mcp-Session-Id
        access-control-max-age: 7200
        cache-control: no-store
        content-security-policy: default-src 'none'; frame-ancestors 'none'
        referrer-policy: no-referrer
        vary: Origin
        x-content-type-options: nosniff
        x-correlation-id: <id>

        ""
    "#]],
    );
    let answer = send(router, preflight("https://evil.example")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_page_can_read_its_401() {
    let request = with(request("POST", "/mcp"), &[("origin", "https://app.example.com")]);
    let answer = send(public(TestApp::new().app), request).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers["access-control-allow-origin"], "https://app.example.com");
    assert_eq!(answer.headers["vary"], "Origin");
}

#[tokio::test]
async fn more_than_the_process_can_do_is_sent_away_at_once() {
    let TestApp { app, token } = TestApp::new();
    let _all = app.places().take_all();
    check(
        &send(public(app.clone()), call(&token, "ping")).await,
        expect![[r#"
        503 Service Unavailable
        cache-control: no-store
        content-security-policy: default-src 'none'; frame-ancestors 'none'
        content-type: application/json
        referrer-policy: no-referrer
        retry-after: 1
        x-content-type-options: nosniff
        x-correlation-id: <id>

        {"error":{"code":-32603,"data":{"correlation_id":"<id>"},"message":"too many requests are in flight: try again later"},"jsonrpc":"2.0"}
    "#]],
    );
}

#[tokio::test]
async fn one_caller_does_not_take_the_places_of_all() {
    let TestApp { app, token } = TestApp::new();
    let subject = app.authenticator().unwrap().authenticate(&bearer(&token)).await.unwrap();
    let held: Vec<_> = (0..128).map(|_| app.places().take(&subject, 128).unwrap()).collect();
    check(
        &send(public(app.clone()), call(&token, "ping")).await,
        expect![[r#"
            429 Too Many Requests
            cache-control: no-store
            content-security-policy: default-src 'none'; frame-ancestors 'none'
            content-type: application/json
            referrer-policy: no-referrer
            retry-after: 1
            x-content-type-options: nosniff
            x-correlation-id: <id>

            {"error":{"code":-32603,"data":{"correlation_id":"<id>"},"message":"too many of your requests are in flight: wait for answers before you send more"},"jsonrpc":"2.0"}
        "#]],
    );
    drop(held);
    assert_eq!(send(public(app), call(&token, "ping")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn where_nobody_needs_a_token_no_document_says_how_to_get_one() {
    let policy = GatewayPolicy::parse(br#"{ "version": 1, "authorization": { "default": "Deny" } }"#).unwrap();
    let app = App::build(config(), PolicySource::Fixed(policy), Deps::new(true)).unwrap();
    let answer = send(public(app), request("GET", "/.well-known/oauth-protected-resource/mcp")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_answer_sets_a_cookie_or_names_the_caller() {
    let TestApp { app, token } = TestApp::new();
    for request in [call(&token, "ping"), call("bad", "ping"), request("GET", "/nothing")] {
        let answer = send(public(app.clone()), request).await;
        let names: Vec<_> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
        assert!(!names.contains(&"set-cookie".to_owned()), "{names:?}");
        assert!(!format!("{:?}", answer.headers).contains("developer"), "{answer:?}");
        assert!(!answer.headers.contains_key(AUTHORIZATION));
    }
}
