//! 2026-07-28: what each method answers, and each rule about headers and `_meta`.

use expect_test::expect;
use http::Method;
use serde_json::json;

use super::support::{Client, Request, body, check, wire};
use crate::protocol::Era;

fn discover() -> Request {
    Request::modern("server/discover", "{}")
}

fn list() -> Request {
    Request::modern("tools/list", "{}")
}

fn call(tool: &str, arguments: &str) -> Request {
    Request::call(Era::Modern, tool, arguments)
}

#[test]
fn discovery_names_what_works_and_nothing_else() {
    check(
        discover(),
        expect![[r#"
            200
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"result":{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"tools","version":"0.1.0"}},"cacheScope":"private","capabilities":{"tools":{"listChanged":true}},"resultType":"complete","supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26"],"ttlMs":60000}}"#]],
    );
}

#[test]
fn the_capabilities_document_says_what_discovery_says() {
    let client = Client::new();
    let document = client.endpoint.capabilities_document();
    let discovered = body(&client.send(&discover()))["result"].clone();
    assert_eq!(document["capabilities"], discovered["capabilities"]);
    assert_eq!(document["apiVersion"], discovered["supportedVersions"][0]);
    let server_info = &discovered["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(&document["serverInfo"], server_info);
    assert_eq!(document.as_object().unwrap().len(), 3);
}

#[test]
fn the_list_holds_the_built_ins_and_is_private() {
    check(
        list(),
        expect![[r#"
            200
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"ping","title":"Ping","description":"Answers pong with the name of the caller: shows that the endpoint is reachable and that the access token is accepted.","inputSchema":{"additionalProperties":false,"type":"object"},"outputSchema":{"additionalProperties":false,"properties":{"authenticated_user":{"description":"Subject of the access token","type":"string"},"correlation_id":{"description":"Name it when you report a problem","type":"string"},"message":{"const":"pong"},"timestamp":{"format":"date-time","type":"string"}},"required":["message","timestamp","correlation_id","authenticated_user"],"type":"object"},"annotations":{"readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false}},{"name":"echo","title":"Echo","description":"Answers the message that it was given, with its length in characters.","inputSchema":{"additionalProperties":false,"properties":{"message":{"description":"Any text of at most 65536 bytes (64 KiB) of UTF-8","type":"string"}},"required":["message"],"type":"object"},"outputSchema":{"additionalProperties":false,"properties":{"correlation_id":{"description":"Name it when you report a problem","type":"string"},"message":{"type":"string"},"message_length":{"description":"Length of the message in Unicode scalar values","minimum":0,"type":"integer"},"timestamp":{"format":"date-time","type":"string"}},"required":["message","message_length","timestamp","correlation_id"],"type":"object"},"annotations":{"readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false}},{"name":"health_check","title":"Health check","description":"Tells how this gateway is: each check with its state, and a reason where something is wrong. A check that does not apply is absent.","inputSchema":{"additionalProperties":false,"type":"object"},"outputSchema":{"additionalProperties":false,"properties":{"checks":{"additionalProperties":false,"properties":{"auth":{"additionalProperties":false,"properties":{"reason":{"type":"string"},"status":{"enum":["passing","degraded","failing"]}},"required":["status"],"type":"object"},"memory":{"additionalProperties":false,"properties":{"reason":{"type":"string"},"status":{"enum":["passing","degraded","failing"]}},"required":["status"],"type":"object"},"redis":{"additionalProperties":false,"properties":{"reason":{"type":"string"},"status":{"enum":["passing","degraded","failing"]}},"required":["status"],"type":"object"},"telemetry":{"additionalProperties":false,"properties":{"reason":{"type":"string"},"status":{"enum":["passing","degraded","failing"]}},"required":["status"],"type":"object"}},"required":["memory"],"type":"object"},"correlation_id":{"description":"Name it when you report a problem","type":"string"},"status":{"description":"The worst of all checks","enum":["passing","degraded","failing"]},"timestamp":{"format":"date-time","type":"string"},"version":{"description":"Version of the gateway","type":"string"}},"required":["status","checks","timestamp","correlation_id","version"],"type":"object"},"annotations":{"readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false}}],"resultType":"complete","ttlMs":60000,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"tools","version":"0.1.0"}}}}"#]],
    );
}

#[test]
fn equal_lists_are_equal_bytes() {
    let first = Client::new().send(&list());
    assert_eq!(first.body, Client::new().send(&list()).body);
}

#[test]
fn ping_answers_pong_with_a_text_mirror() {
    check(
        call("ping", "{}"),
        expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"{\"message\":\"pong\",\"timestamp\":\"2026-11-22T12:00:00Z\",\"correlation_id\":\"cid-1\",\"authenticated_user\":\"user-7\"}"}],"structuredContent":{"message":"pong","timestamp":"2026-11-22T12:00:00Z","correlation_id":"cid-1","authenticated_user":"user-7"},"isError":false,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"tools","version":"0.1.0"}}}}"#]],
    );
}

#[test]
fn a_call_without_arguments_is_a_call_with_none() {
    let client = Client::new();
    let without = Request::modern("tools/call", r#"{"name":"ping"}"#);
    assert_eq!(client.send(&without).body, client.send(&call("ping", "{}")).body);
}

#[test]
fn echo_counts_unicode_scalar_values() {
    check(
        call("echo", r#"{"message":"héllo"}"#),
        expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"{\"message\":\"héllo\",\"message_length\":5,\"timestamp\":\"2026-11-22T12:00:00Z\",\"correlation_id\":\"cid-1\"}"}],"structuredContent":{"message":"héllo","message_length":5,"timestamp":"2026-11-22T12:00:00Z","correlation_id":"cid-1"},"isError":false,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"tools","version":"0.1.0"}}}}"#]],
    );
}

#[test]
fn health_check_answers_with_the_checks_that_apply() {
    check(
        call("health_check", "{}"),
        expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"{\"status\":\"passing\",\"checks\":{\"memory\":{\"status\":\"passing\"}},\"timestamp\":\"2026-11-22T12:00:00Z\",\"correlation_id\":\"cid-1\",\"version\":\"0.1.0\"}"}],"structuredContent":{"status":"passing","checks":{"memory":{"status":"passing"}},"timestamp":"2026-11-22T12:00:00Z","correlation_id":"cid-1","version":"0.1.0"},"isError":false,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"tools","version":"0.1.0"}}}}"#]],
    );
}

#[test]
fn bad_argument_values_are_a_result_that_a_model_can_act_on() {
    check(
        call("echo", r#"{"message":5,"mesage":"typo"}"#),
        expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"invalid arguments: `/message`: value is not of type \"string\"; Additional properties are not allowed ('mesage' was unexpected); see the tool's inputSchema"}],"isError":true,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"tools","version":"0.1.0"}}}}"#]],
    );
}

#[test]
fn an_unknown_tool_is_an_error_that_does_not_repeat_its_name() {
    check(
        call("rm -rf", "{}"),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"unknown tool: use a name from tools/list"}}"#]],
    );
}

#[test]
fn arguments_that_are_no_object_are_malformed() {
    check(
        call("ping", "[1]"),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.arguments must be an object"}}"#]],
    );
}

#[test]
fn a_call_without_a_name_is_malformed() {
    check(
        Request::modern("tools/call", r#"{"arguments":{}}"#),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.name must be a string"}}"#]],
    );
    check(
        Request::modern("tools/call", r#"{"name":5}"#),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.name must be a string"}}"#]],
    );
}

#[test]
fn any_cursor_is_a_bad_cursor() {
    check(
        Request::modern("tools/list", r#"{"cursor":"abc"}"#),
        expect![[r#"
            400
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"unknown cursor: ask again without one"}}"#]],
    );
    let empty = Client::new().send(&Request::modern("tools/list", r#"{"cursor":""}"#));
    assert_eq!(body(&empty)["error"]["code"], -32602);
}

#[test]
fn an_unknown_log_level_is_refused() {
    let with_level = |level: &str| {
        let meta = format!(r#""_meta":{{"io.modelcontextprotocol/logLevel":{level},"#);
        list().edited(r#""_meta":{"#, &meta)
    };
    check(
        with_level(r#""verbose""#),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/logLevel\"] is not one of the eight levels"}}"#]],
    );
    assert_eq!(Client::new().send(&with_level(r#""debug""#)).status, 200);
}

#[test]
fn a_progress_token_is_a_string_or_an_integer() {
    let with_token = |token: &str| list().edited(r#""_meta":{"#, &format!(r#""_meta":{{"progressToken":{token},"#));
    check(
        with_token("{}"),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta.progressToken must be a string of at most 1 KiB or an integer"}}"#]],
    );
    assert_eq!(Client::new().send(&with_token(r#""t""#)).status, 200);
    assert_eq!(Client::new().send(&with_token("7")).status, 200);
    let text = |bytes: usize| format!(r#""{}""#, "t".repeat(bytes));
    assert_eq!(Client::new().send(&with_token(&text(1024))).status, 200);
    assert_eq!(Client::new().send(&with_token(&text(1025))).status, 400);
}

#[test]
fn what_this_revision_removed_is_not_found() {
    let client = Client::new();
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/list",
        "prompts/list",
        "tasks/get",
        "unknown/method",
    ] {
        let reply = client.send(&Request::modern(method, "{}"));
        assert_eq!(reply.status, 404, "{method}");
        assert_eq!(body(&reply)["error"]["code"], -32601, "{method}");
    }
    check(
        Request::modern("initialize", "{}"),
        expect![[r#"
        404
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"method not found: the capabilities say what is served"}}"#]],
    );
}

#[test]
fn a_missing_meta_is_told_before_what_it_should_hold() {
    let no_meta = Request::post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#)
        .with("mcp-protocol-version", "2026-07-28")
        .with("mcp-method", "tools/list");
    check(
        no_meta.clone(),
        expect![[r#"
            400
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/protocolVersion\"] is missing or no string"}}"#]],
    );
    let no_params = no_meta.clone().edited(r#","params":{}"#, "");
    assert_eq!(body(&Client::new().send(&no_params))["error"]["code"], -32602);
    let no_object = no_meta.edited(r#""params":{}"#, r#""params":{"_meta":7}"#);
    assert_eq!(body(&Client::new().send(&no_object))["error"]["code"], -32602);
}

#[test]
fn each_required_member_of_meta_is_asked_for() {
    let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    check(
        list().edited(version, r#""x":1"#),
        expect![[r#"
            400
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/protocolVersion\"] is missing or no string"}}"#]],
    );
    let number = r#""io.modelcontextprotocol/protocolVersion":20260728"#;
    assert_eq!(body(&Client::new().send(&list().edited(version, number)))["error"]["code"], -32602);
    let capabilities = r#""io.modelcontextprotocol/clientCapabilities":{}"#;
    check(
        list().edited(capabilities, r#""x":1"#),
        expect![[r#"
            400
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/clientCapabilities\"] is missing or no object"}}"#]],
    );
}

#[test]
fn client_info_is_not_demanded() {
    assert_eq!(Client::new().send(&list()).status, 200);
}

#[test]
fn the_version_header_must_be_there_and_say_what_the_body_says() {
    check(
        list().without("mcp-protocol-version"),
        expect![[r#"
            400
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"header mcp-protocol-version: it is missing: repeat here what the body says"}}"#]],
    );
    check(
        list().set("mcp-protocol-version", "2025-11-25"),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"header mcp-protocol-version: it differs from the version in params._meta"}}"#]],
    );
}

#[test]
fn a_mismatch_is_told_before_an_unknown_version() {
    let unknown = list().edited("2026-07-28", "v999.0.0");
    check(
        unknown.clone(),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"header mcp-protocol-version: it differs from the version in params._meta"}}"#]],
    );
    check(
        unknown.set("mcp-protocol-version", "v999.0.0"),
        expect![[r#"
            400
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"protocol version is not served: use one of data.supported","data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26"],"requested":"v999.0.0"}}}"#]],
    );
}

#[test]
fn an_older_revision_cannot_be_spoken_the_modern_way() {
    let older = list().edited("2026-07-28", "2025-11-25").set("mcp-protocol-version", "2025-11-25");
    check(
        older,
        expect![[r#"
            400
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"protocol version is not served: use one of data.supported","data":{"supported":["2026-07-28","2025-06-18","2025-03-26"],"requested":"2025-11-25"}}}"#]],
    );
}

#[test]
fn the_method_header_must_repeat_the_method_with_case() {
    check(
        list().without("mcp-method"),
        expect![[r#"
            400
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"header mcp-method: it is missing: repeat here what the body says"}}"#]],
    );
    check(
        list().set("mcp-method", "TOOLS/LIST"),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"header mcp-method: it differs from the body"}}"#]],
    );
}

#[test]
fn an_unknown_method_is_told_before_a_method_header() {
    let request = Request::modern("unknown/method", "{}").set("mcp-method", "tools/list");
    assert_eq!(body(&Client::new().send(&request))["error"]["code"], -32601);
}

#[test]
fn the_name_header_must_repeat_the_name() {
    check(
        call("ping", "{}").without("mcp-name"),
        expect![[r#"
            400
            content-type: application/json

            {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"header mcp-name: it is missing: repeat here what the body says"}}"#]],
    );
    check(
        call("ping", "{}").set("mcp-name", "echo"),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"header mcp-name: it differs from the body"}}"#]],
    );
}

#[test]
fn the_name_header_may_be_wrapped_in_base64() {
    let wrapped = |encoded: &str| call("ping", "{}").set("mcp-name", encoded);
    assert_eq!(Client::new().send(&wrapped("=?base64?cGluZw==?=")).status, 200);
    check(
        wrapped("=?base64?ZWNobw==?="),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"header mcp-name: it differs from the body"}}"#]],
    );
    check(
        wrapped("=?base64?cGluZw?="),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"header mcp-name: its base64 cannot be read"}}"#]],
    );
}

#[test]
fn the_markers_of_base64_compare_with_case() {
    let reply = Client::new().send(&call("ping", "{}").set("mcp-name", "=?BASE64?cGluZw==?="));
    assert_eq!(body(&reply)["error"]["code"], -32020);
}

#[test]
fn methods_and_versions_are_never_unwrapped() {
    let method = list().set("mcp-method", "=?base64?dG9vbHMvbGlzdA==?=");
    assert_eq!(body(&Client::new().send(&method))["error"]["code"], -32020);
    let version = list().set("mcp-protocol-version", "=?base64?MjAyNi0wNy0yOA==?=");
    assert_eq!(body(&Client::new().send(&version))["error"]["code"], -32020);
}

#[test]
fn a_name_that_looks_encoded_cannot_pass_for_another() {
    let request = call("=?base64?cGluZw==?=", "{}");
    assert_eq!(body(&Client::new().send(&request))["error"]["code"], -32020);
}

#[test]
fn a_header_line_that_stands_twice_is_malformed() {
    for (name, value) in [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "ping")] {
        let reply = Client::new().send(&call("ping", "{}").with(name, value));
        assert_eq!(reply.status, 400, "{name}");
        assert_eq!(body(&reply)["error"]["code"], -32020, "{name}");
    }
    check(
        call("ping", "{}").with("mcp-name", "ping"),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"header mcp-name: send it once, in visible ASCII"}}"#]],
    );
}

#[test]
fn white_space_around_a_header_is_no_part_of_it() {
    let reply = Client::new().send(&call("ping", "{}").set("mcp-name", " \tping "));
    assert_eq!(reply.status, 200);
}

#[test]
fn headers_that_mirror_nothing_are_ignored() {
    let request = list().with("mcp-name", "anything").with("mcp-param-x", "y");
    assert_eq!(Client::new().send(&request).status, 200);
}

#[test]
fn both_media_types_must_be_acceptable() {
    check(
        list().set("accept", "application/json"),
        expect![[r#"
        406
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"header accept: list application/json and text/event-stream"}}"#]],
    );
    for refused in ["text/event-stream", "text/html", "*/*;q=0", "application/json;q=0, text/*"] {
        assert_eq!(Client::new().send(&list().set("accept", refused)).status, 406, "{refused}");
    }
    assert_eq!(Client::new().send(&list().without("accept")).status, 406);
    for accepted in ["*/*", "text/event-stream;q=0.5,APPLICATION/JSON", "application/*, text/*"] {
        assert_eq!(Client::new().send(&list().set("accept", accepted)).status, 200, "{accepted}");
    }
    let two_lines = list().set("accept", "application/json").with("accept", "text/event-stream");
    assert_eq!(Client::new().send(&two_lines).status, 200);
}

#[test]
fn the_body_must_be_json_in_utf_8() {
    check(
        list().set("content-type", "text/plain"),
        expect![[r#"
        415
        content-type: application/json

        {"jsonrpc":"2.0","error":{"code":-32600,"message":"header content-type: send application/json in UTF-8"}}"#]],
    );
    for refused in ["application/json; charset=utf-16", "application/jsonp", "application/json; x=y"] {
        let reply = Client::new().send(&list().set("content-type", refused));
        assert_eq!(reply.status, 415, "{refused}");
    }
    assert_eq!(Client::new().send(&list().without("content-type")).status, 415);
    let twice = list().with("content-type", "application/json");
    assert_eq!(Client::new().send(&twice).status, 415);
    for accepted in ["application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
        let reply = Client::new().send(&list().set("content-type", accepted));
        assert_eq!(reply.status, 200, "{accepted}");
    }
}

#[test]
fn get_and_delete_are_not_offered() {
    check(
        Request::new(Method::GET, ""),
        expect![[r#"
            405
            content-type: application/json
            allow: POST

            {"jsonrpc":"2.0","error":{"code":-32600,"message":"nothing to get or to end here without a session: send JSON-RPC requests by POST"}}"#]],
    );
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let request = Request::new(method, "").with("mcp-protocol-version", "2026-07-28");
        assert_eq!(Client::new().send(&request).status, 405);
    }
}

#[test]
fn a_notification_is_accepted_without_an_answer() {
    let request = list().edited(r#""id":1,"#, "");
    check(request.edited("tools/list", "notifications/cancelled"), expect!["202"]);
}

#[test]
fn a_notification_never_runs_anything() {
    let client = Client::with_test_tools();
    let reply = client.send(&call("counts", "{}").edited(r#""id":1,"#, ""));
    assert_eq!(reply.status, 202);
    assert_eq!(client.calls.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[test]
fn a_session_id_is_ignored() {
    let reply = Client::new().send(&list().with("mcp-session-id", "anything"));
    assert_eq!(reply.status, 200);
}

#[test]
fn the_id_comes_back_exactly_as_it_was_sent() {
    for id in [r#""a\u00e9\"b""#, "0", "-7", "123456789012345678901234567890", r#""""#] {
        for request in [list(), call("unknown", "{}")] {
            let reply = Client::new().send(&request.edited(r#""id":1"#, &format!(r#""id":{id}"#)));
            let text = wire(&reply);
            assert!(text.contains(&format!(r#""id":{id},"#)), "{id}: {text}");
        }
    }
}

#[test]
fn stray_answers_change_nothing_and_a_forged_state_is_refused() {
    let client = Client::new();
    let with = |members: &str| client.send(&Request::modern("tools/call", &format!(r#"{{"name":"ping",{members}}}"#)));
    assert_eq!(with(r#""inputResponses":{"k":{}}"#).body, client.send(&call("ping", "{}")).body);
    assert_eq!(with(r#""inputResponses":null"#).body, client.send(&call("ping", "{}")).body);
    for wrong in [r#""requestState":"forged""#, r#""requestState":7"#, r#""inputResponses":[]"#] {
        let answer = with(wrong);
        assert_eq!((answer.status.as_u16(), body(&answer)["error"]["code"].clone()), (400, (-32602).into()), "{wrong}");
    }
}

#[test]
fn what_a_listen_stream_holds_is_bounded() {
    let listen = |uris: usize, bytes: usize| {
        let uris = vec!["u".repeat(bytes); uris];
        Request::modern(
            "subscriptions/listen",
            &json!({ "notifications": { "resourceSubscriptions": uris } }).to_string(),
        )
    };
    let code = |request: &Request| body(&Client::new().send(request))["error"]["code"].clone();
    assert_eq!(code(&listen(1001, 1)), -32602);
    assert_eq!(code(&listen(16, 8193)), -32602);
}

#[test]
fn a_client_that_names_event_streams_first_gets_one() {
    let reply = Client::new().send(&list().set("accept", "text/event-stream, application/json"));
    assert_eq!(reply.headers["content-type"], "text/event-stream");
    assert_eq!(reply.headers["x-accel-buffering"], "no");
    let json = Client::new().send(&list());
    let event = [b"data: ".as_slice(), &json.body, b"\n\n"].concat();
    assert_eq!(reply.body, event);
}
