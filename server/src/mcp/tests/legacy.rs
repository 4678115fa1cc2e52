//! 2025-11-25: the handshake, the methods, and nothing of the other era in any answer.

use expect_test::expect;
use http::Method;

use super::support::{Client, Request, body, check, wire};
use crate::protocol::Era;

fn initialize(version: &str) -> Request {
    Request::post(format!(
        r#"{{"jsonrpc":"2.0","id":"i","method":"initialize","params":{{"protocolVersion":"{version}","capabilities":{{}},"clientInfo":{{"name":"c","version":"1"}}}}}}"#
    ))
}

/// The session id is another one each time.
#[expect(clippy::needless_pass_by_value, reason = "reads as a table row")]
fn check_initialize(request: Request, expected: expect_test::Expect) {
    let mut answer = Client::new().send(&request);
    let id = answer.headers.remove("mcp-session-id").unwrap();
    assert!((1..=1024).contains(&id.len()) && id.as_bytes().iter().all(|byte| (0x21..=0x7e).contains(byte)));
    expected.assert_eq(&wire(&answer));
}

#[test]
fn initialize_opens_a_session() {
    check_initialize(
        initialize("2025-11-25"),
        expect![[r#"
            200
            content-type: application/json

            {"jsonrpc":"2.0","id":"i","result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"tools","version":"0.1.0"}}}"#]],
    );
}

#[test]
fn initialize_is_answered_with_the_revision_asked_for_or_the_latest_of_the_era() {
    let client = Client::new();
    let negotiated = |asked: &str| {
        let answer = client.send(&initialize(asked));
        body(&answer)["result"]["protocolVersion"].as_str().unwrap().to_owned()
    };
    for served in ["2025-11-25", "2025-06-18", "2025-03-26"] {
        assert_eq!(negotiated(served), served);
    }
    for asked in ["1999-01-01", "2026-07-28", "3000-01-01", ""] {
        assert_eq!(negotiated(asked), "2025-11-25", "{asked}");
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

            {"jsonrpc":"2.0","id":"i","error":{"code":-32022,"message":"protocol version is not served: use one of data.supported","data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26"],"requested":"1999-01-01"}}}"#]],
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
fn notifications_are_accepted_in_a_session() {
    let client = Client::new();
    let session = client.session(None);
    let request = Request::post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let in_session = request.clone().with("mcp-session-id", &session);
    client.check(in_session.clone().with("mcp-protocol-version", "2025-11-25"), expect!["202"]);
    assert_eq!(client.send(&in_session).status, 202);
    let other = in_session.edited("initialized", "roots/list_changed");
    assert_eq!(client.send(&other).status, 202);
    assert_eq!(client.send(&request).status, 400);
}

#[test]
fn a_notification_of_an_unknown_revision_is_refused() {
    let client = Client::new();
    let request = Request::post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        .with("mcp-session-id", &client.session(None));
    assert_eq!(client.send(&request.with("mcp-protocol-version", "1999-01-01")).status, 400);
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

            {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"unknown cursor: ask again without one"}}"#]],
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
    let request = Request::legacy("ping", "{}").without_session().with("mcp-session-id", "guessed");
    check(
        request.clone(),
        expect![[r#"
            404
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"unknown session: send initialize again, without a session id"}}"#]],
    );
    assert_eq!(Client::new().send(&request.without("mcp-protocol-version")).status, 404);
}

#[test]
fn a_session_of_somebody_else_is_not_found_and_neither_is_one_that_was_ended() {
    let client = Client::new();
    let session = client.session(None);
    let ping = Request::legacy("ping", "{}").without_session().with("mcp-session-id", &session);
    assert_eq!(client.send(&ping).status, 200);
    let unknown = wire(&client.send(&ping.clone().set("mcp-session-id", "guessed")));
    let other = client.with_other_subject();
    assert_eq!(wire(&other.send(&ping)), unknown);
    let client = other.with_scopes(&[]);
    assert_eq!(client.send(&ping).status, 200);
    let delete = Request::new(Method::DELETE, "").with("mcp-session-id", &session);
    client.check(delete.clone(), expect!["204"]);
    assert_eq!(wire(&client.send(&ping)), unknown);
    assert_eq!(client.send(&delete).status, 404);
}

#[test]
fn a_request_without_a_session_is_refused() {
    let request = Request::legacy("ping", "{}").without_session();
    check(
        request.clone(),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"no session: send initialize, then its mcp-session-id with every request"}}"#]],
    );
    check(
        request.without("mcp-protocol-version"),
        expect![[r#"
            400
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"no protocol version and no session: name 2026-07-28 in params._meta[\"io.modelcontextprotocol/protocolVersion\"] and in header mcp-protocol-version, or begin with initialize for 2025-11-25 and older"}}"#]],
    );
}

#[test]
fn a_revision_that_is_not_served_is_refused() {
    for version in ["2024-11-05", "1999-01-01", ""] {
        let request = Request::legacy("ping", "{}").set("mcp-protocol-version", version);
        assert_eq!(Client::new().send(&request).status, 400, "{version}");
        assert_eq!(Client::new().send(&request.without_session()).status, 400, "{version}");
    }
    check(
        Request::legacy("ping", "{}").without_session().set("mcp-protocol-version", "2024-11-05"),
        expect![[r#"
            400
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"protocol version is not served: use one of data.supported","data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26"],"requested":"2024-11-05"}}}"#]],
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
fn without_a_session_there_is_no_stream_and_nothing_to_end() {
    for method in [Method::GET, Method::DELETE] {
        let bare = wire(&Client::new().send(&Request::new(method.clone(), "")));
        assert!(bare.starts_with("405") && bare.contains("allow: POST"), "{bare}");
        let modern = Request::new(method.clone(), "").with("mcp-protocol-version", "2026-07-28");
        assert_eq!(Client::new().send(&modern.with("mcp-session-id", "any")).status, 405);
        let legacy = Request::new(method, "").with("mcp-protocol-version", "2025-11-25");
        assert_eq!(Client::new().send(&legacy.clone()).status, 400);
        assert_eq!(Client::new().send(&legacy.with("mcp-session-id", "guessed")).status, 404);
    }
}

#[test]
fn several_pods_offer_no_streams_and_say_so() {
    let client = Client::new().with_replicas(2);
    let session = client.session(None);
    for method in [Method::GET, Method::DELETE] {
        let request = Request::new(method, "").with("mcp-session-id", &session);
        assert_eq!(client.send(&request).status, 405);
    }
    let answer = body(&client.send(&initialize("2025-11-25")));
    assert_eq!(answer["result"]["capabilities"], serde_json::json!({ "tools": {} }));
    assert_eq!(client.send(&Request::call(Era::Legacy, "ping", "{}")).status, 200);
}

#[test]
fn a_batch_is_served_in_a_session_of_the_first_revision_alone() {
    let client = Client::new();
    let batch = |items: &str, version: &str| {
        let session = client.session(Some(version));
        client.send(&Request::post(items).with("mcp-session-id", &session))
    };
    let ping = |id: u32| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let mixed = batch(&format!("[{},{note},{}]", ping(1), ping(2)), "2025-03-26");
    expect![[r#"
        200
        content-type: application/json

        [{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]"#]]
    .assert_eq(&wire(&mixed));
    assert_eq!(wire(&batch(&format!("[{note},{note}]"), "2025-03-26")), "202");
    assert_eq!(batch("[]", "2025-03-26").status, 400);
    let many = vec![ping(1); 33].join(",");
    assert_eq!(batch(&format!("[{many}]"), "2025-03-26").status, 400);
    assert_eq!(batch(&format!("[{}]", vec![ping(1); 32].join(",")), "2025-03-26").status, 200);
    for version in ["2025-06-18", "2025-11-25"] {
        assert_eq!(batch(&format!("[{}]", ping(1)), version).status, 400);
    }
    let odd = batch(&format!(r#"[7,{{"jsonrpc":"2.0","id":9,"method":"x"}},{}]"#, ping(3)), "2025-03-26");
    let codes: Vec<_> = body(&odd).as_array().unwrap().iter().map(|one| one["error"]["code"].clone()).collect();
    assert_eq!(codes, [(-32600).into(), (-32601).into(), serde_json::Value::Null]);
}

#[test]
fn an_answer_that_nobody_asked_for_is_refused() {
    let client = Client::new();
    let answer = Request::post(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!(client.send(&answer.clone().with("mcp-session-id", &client.session(None))).status, 400);
    assert_eq!(client.send(&answer.with("mcp-session-id", "guessed")).status, 404);
}

#[test]
fn work_that_goes_on_without_its_client_holds_its_place_in_a_batch_too() {
    let client = Client::with_test_tools();
    let id = client.session(Some("2025-03-26"));
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"takes_so_long","arguments":{}}}"#;
    for body in [call.to_owned(), format!("[{call}]")] {
        assert_eq!(client.abandon(&Request::post(body).with("mcp-session-id", &id)), (1, 0));
    }
}

#[test]
fn the_version_header_counts_for_batches_and_answers_too() {
    let client = Client::new();
    let id = client.session(Some("2025-03-26"));
    for sent in [r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#] {
        let code = |version: &str| {
            let request = Request::post(sent).with("mcp-session-id", &id).with("mcp-protocol-version", version);
            let answer = client.send(&request);
            (answer.status.as_u16(), body(&answer)["error"]["code"].clone())
        };
        assert_eq!(code("1999-01-01"), (400, (-32022).into()), "{sent}");
        assert_eq!(code("2026-07-28"), (400, (-32600).into()), "{sent}");
    }
}

#[test]
fn who_waits_for_the_client_holds_a_stream_and_no_place_of_a_request() {
    let client = Client::with_test_tools();
    let opened =
        client.send(&initialize("2025-11-25").edited(r#""capabilities":{}"#, r#""capabilities":{"elicitation":{}}"#));
    let id = opened.headers["mcp-session-id"].to_str().unwrap();
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"asks","arguments":{}}}"#;
    let request = Request::post(call).with("mcp-session-id", id);
    assert_eq!(client.abandon(&request), (0, 1));
    assert_eq!(client.abandon(&request), (0, 2));
}

#[test]
fn the_answers_of_a_batch_are_bounded_together() {
    let client = Client::with_test_tools();
    let id = client.session(Some("2025-03-26"));
    // Each answer is a MiB.
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"says_much","arguments":{}}}"#;
    let batch = format!("[{}]", [call; 8].join(","));
    let answers = body(&client.send(&Request::post(batch).with("mcp-session-id", &id)));
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.iter().filter(|answer| answer.get("result").is_some()).count(), 4);
    assert!(answers[4..].iter().all(|answer| answer["id"] == 1 && answer["error"]["code"] == -32603));
}
