//! 2025-11-25: the handshake, the methods, and nothing of the other era in any answer.

use expect_test::expect;
use http::Method;

use super::{
    super::Era,
    support::{Client, Request, body, check, wire},
};

fn initialize(version: &str) -> Request {
    Request::post(format!(
        r#"{{"jsonrpc":"2.0","id":"i","method":"initialize","params":{{"protocolVersion":"{version}","capabilities":{{}},"clientInfo":{{"name":"c","version":"1"}}}}}}"#
    ))
}

#[test]
fn initialize_opens_without_a_session() {
    check(
        initialize("2025-11-25"),
        expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":"i","result":{"capabilities":{"tools":{}},"protocolVersion":"2025-11-25","serverInfo":{"name":"tools","version":"0.1.0"}}}"#]],
    );
}

#[test]
fn initialize_is_answered_with_our_version_whatever_is_asked() {
    let client = Client::new();
    let expected = client.send(&initialize("2025-11-25")).body;
    for asked in ["2025-06-18", "2025-03-26", "1999-01-01", "2026-07-28", "3000-01-01", ""] {
        assert_eq!(client.send(&initialize(asked)).body, expected, "{asked}");
    }
}

#[test]
fn initialize_may_repeat_its_version_in_the_header() {
    let request = initialize("2025-11-25").with("mcp-protocol-version", "2025-11-25");
    assert_eq!(Client::new().send(&request).status, 200);
    check(
        initialize("1999-01-01").with("mcp-protocol-version", "1999-01-01"),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":"i","error":{"code":-32022,"message":"protocol version is not served: use one of data.supported","data":{"supported":["2026-07-28","2025-11-25"],"requested":"1999-01-01"}}}"#]],
    );
}

#[test]
fn initialize_ignores_a_stale_session() {
    let request = initialize("2025-11-25").with("mcp-session-id", "stale");
    assert_eq!(Client::new().send(&request).status, 200);
}

#[test]
fn initialize_must_name_a_version() {
    let request = initialize("x").edited(r#""protocolVersion":"x","#, "");
    check(
        request,
        expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":"i","error":{"code":-32602,"message":"params.protocolVersion must be a string"}}"#]],
    );
}

#[test]
fn notifications_are_accepted() {
    let request = Request::post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    check(request.clone().with("mcp-protocol-version", "2025-11-25"), expect!["202"]);
    assert_eq!(Client::new().send(&request).status, 202);
    let other = request.edited("initialized", "roots/list_changed");
    assert_eq!(Client::new().send(&other).status, 202);
}

#[test]
fn a_notification_of_an_unknown_revision_is_refused() {
    let request = Request::post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let reply = Client::new().send(&request.with("mcp-protocol-version", "1999-01-01"));
    assert_eq!(reply.status, 400);
}

#[test]
fn ping_answers_an_empty_result() {
    check(
        Request::legacy("ping", "{}"),
        expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"result":{}}"#]],
    );
    let without_params = Request::legacy("ping", "{}").edited(r#","params":{}"#, "");
    assert_eq!(Client::new().send(&without_params).status, 200);
}

#[test]
fn the_list_has_nothing_of_the_modern_era() {
    let reply = Client::new().send(&Request::legacy("tools/list", "{}"));
    let result = body(&reply)["result"].clone();
    assert_eq!(result.as_object().unwrap().keys().collect::<Vec<_>>(), ["tools"]);
}

#[test]
fn a_call_has_nothing_of_the_modern_era() {
    check(
        Request::call(Era::Legacy, "ping", "{}"),
        expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"message\":\"pong\",\"timestamp\":\"2026-11-22T12:00:00Z\",\"correlation_id\":\"cid-1\",\"authenticated_user\":\"user-7\"}"}],"structuredContent":{"message":"pong","timestamp":"2026-11-22T12:00:00Z","correlation_id":"cid-1","authenticated_user":"user-7"},"isError":false}}"#]],
    );
}

#[test]
fn bad_argument_values_are_a_result_here_too() {
    check(
        Request::call(Era::Legacy, "echo", "{}"),
        expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"invalid arguments: \"message\" is a required property; see the tool's inputSchema"}],"isError":true}}"#]],
    );
}

#[test]
fn what_is_wrong_in_a_well_formed_request_is_answered_with_200() {
    check(
        Request::call(Era::Legacy, "unknown", "{}"),
        expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"unknown tool: use a name from tools/list"}}"#]],
    );
    check(
        Request::legacy("server/discover", "{}"),
        expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"method not found: the capabilities say what is served"}}"#]],
    );
    check(
        Request::legacy("tools/list", r#"{"cursor":"x"}"#),
        expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"unknown cursor: the list has one page, ask without a cursor"}}"#]],
    );
}

#[test]
fn json_alone_is_acceptable() {
    let request = Request::legacy("ping", "{}").set("accept", "application/json");
    assert_eq!(Client::new().send(&request).status, 200);
    check(
        Request::legacy("ping", "{}").set("accept", "text/event-stream"),
        expect![[r#"
        406
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"header accept: list application/json"}}"#]],
    );
}

#[test]
fn a_session_that_was_never_issued_is_not_found() {
    check(
        Request::legacy("ping", "{}").with("mcp-session-id", "guessed"),
        expect![[r#"
        404
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"unknown session: send initialize again, without a session id"}}"#]],
    );
    let no_version = Request::legacy("ping", "{}").without("mcp-protocol-version");
    assert_eq!(Client::new().send(&no_version.with("mcp-session-id", "guessed")).status, 404);
}

#[test]
fn a_request_without_any_version_is_refused() {
    check(
        Request::legacy("ping", "{}").without("mcp-protocol-version"),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"no protocol version: name 2026-07-28 in params._meta and in header mcp-protocol-version, or begin with initialize for 2025-11-25"}}"#]],
    );
}

#[test]
fn a_revision_that_is_not_served_is_refused() {
    for version in ["2025-06-18", "2025-03-26", "1999-01-01", ""] {
        let reply = Client::new().send(&Request::legacy("ping", "{}").set("mcp-protocol-version", version));
        assert_eq!(reply.status, 400, "{version}");
    }
    check(
        Request::legacy("ping", "{}").set("mcp-protocol-version", "2025-06-18"),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"protocol version is not served: use one of data.supported","data":{"supported":["2026-07-28","2025-11-25"],"requested":"2025-06-18"}}}"#]],
    );
}

#[test]
fn a_version_header_that_stands_twice_is_refused() {
    let request = Request::legacy("ping", "{}").with("mcp-protocol-version", "2025-11-25");
    check(
        request,
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"header mcp-protocol-version: send it once, in visible ASCII"}}"#]],
    );
}

#[test]
fn mirrored_headers_mean_nothing_here() {
    let request = Request::legacy("ping", "{}").with("mcp-method", "tools/list");
    assert_eq!(Client::new().send(&request).status, 200);
}

#[test]
fn a_stream_and_the_end_of_a_session_are_not_offered() {
    for method in [Method::GET, Method::DELETE] {
        let request = Request::new(method, "").with("mcp-protocol-version", "2025-11-25");
        let text = wire(&Client::new().send(&request));
        assert!(text.starts_with("405"), "{text}");
        assert!(text.contains("allow: POST"), "{text}");
    }
}
