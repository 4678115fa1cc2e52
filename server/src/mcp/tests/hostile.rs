//! Bodies that are not what they should be: a defined error, never a panic, nothing of our insides.

use expect_test::expect;
use proptest::prelude::*;

use super::support::{Client, Request, body, check, wire};
use crate::protocol::Era;

fn code(request: &Request) -> (u16, serde_json::Value, bool) {
    let reply = Client::new().send(request);
    let body = body(&reply);
    (reply.status.as_u16(), body["error"]["code"].clone(), body.get("id").is_some())
}

#[test]
fn what_is_not_json_is_a_parse_error_without_an_id() {
    check(
        Request::post("{bad"),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","error":{"code":-32700,"message":"the body is not one JSON document in UTF-8"}}"#]],
    );
    let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let with = |before: &[u8], after: &[u8]| [before, ping.as_slice(), after].concat();
    let bodies: [Vec<u8>; 9] = [
        Vec::new(),
        b"\xff\xfe".to_vec(),
        with(b"\xef\xbb\xbf", b""),
        with(b"", b"x"),
        with(b"", ping),
        br#"{"jsonrpc":"2.0","id":"\ud800","method":"ping"}"#.to_vec(),
        br#"{"jsonrpc":"2.0","id":"a\x80","method":"ping"}"#.to_vec(),
        br#"{"jsonrpc":"2.0","id":1e999,"method":"ping"}"#.to_vec(),
        br#"{"jsonrpc":"2.0","id":1,"method":"ping",}"#.to_vec(),
    ];
    for body in bodies {
        let text = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(code(&Request::post(body)), (400, (-32700).into(), false), "{text}");
    }
}

#[test]
fn a_body_of_a_wrong_shape_is_an_invalid_request() {
    check(
        Request::post("[]"),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","error":{"code":-32600,"message":"batches are not accepted: post one message"}}"#]],
    );
    for body in ["7", "\"text\"", "null", "{}", r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#] {
        assert_eq!(code(&Request::post(body)), (400, (-32600).into(), false), "{body}");
    }
}

#[test]
fn the_version_of_json_rpc_is_two() {
    check(
        Request::legacy("ping", "{}").edited("2.0", "1.0"),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"jsonrpc must be \"2.0\""}}"#]],
    );
    let missing = Request::legacy("ping", "{}").edited(r#""jsonrpc":"2.0","#, "");
    assert_eq!(code(&missing), (400, (-32600).into(), true));
}

#[test]
fn an_id_is_a_string_or_an_integer() {
    for id in ["null", "1.5", "1.0", "1e3", "true", "[]", "{}"] {
        let request = Request::legacy("ping", "{}").edited(r#""id":1"#, &format!(r#""id":{id}"#));
        assert_eq!(code(&request), (400, (-32600).into(), false), "{id}");
    }
}

#[test]
fn a_text_as_id_has_a_kib_and_no_byte_more() {
    let with_id = |bytes: usize| {
        let id = "i".repeat(bytes);
        Request::legacy("ping", "{}").edited(r#""id":1"#, &format!(r#""id":"{id}""#))
    };
    assert_eq!(Client::new().send(&with_id(1024)).status, 200);
    assert_eq!(code(&with_id(1025)), (400, (-32600).into(), false));
    let digits = Request::legacy("ping", "{}").edited(r#""id":1"#, &format!(r#""id":{}"#, "1".repeat(1025)));
    assert_eq!(code(&digits).0, 400);
}

#[test]
fn a_request_that_is_an_answer_too_is_neither() {
    for member in [r#""result":{}"#, r#""error":{"code":1,"message":"m"}"#, r#""result":null"#] {
        let request = Request::legacy("ping", "{}").edited(r#""id":1"#, &format!(r#""id":1,{member}"#));
        assert_eq!(code(&request), (400, (-32600).into(), false), "{member}");
    }
}

#[test]
fn an_answer_is_of_json_rpc_2_and_says_one_thing() {
    let client = Client::new();
    let id = client.session(None);
    let message = |sent: &str| {
        let answer = client.send(&Request::post(sent).with("mcp-session-id", &id));
        (answer.status.as_u16(), body(&answer)["error"]["message"].clone())
    };
    let version = r#"jsonrpc must be "2.0""#;
    assert_eq!(message(r#"{"id":1,"result":{}}"#), (400, version.into()));
    assert_eq!(message(r#"{"jsonrpc":"1.0","id":1,"error":{"code":1,"message":""}}"#), (400, version.into()));
    let both = "a response is a result or an error, not both";
    assert_eq!(message(r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#), (400, both.into()));
}

#[test]
fn a_method_is_a_string() {
    let request = Request::legacy("ping", "{}").edited(r#""ping""#, "7");
    assert_eq!(code(&request), (400, (-32600).into(), true));
}

#[test]
fn params_are_an_object() {
    for params in ["[]", "null", "7", "\"x\""] {
        let reply = code(&Request::legacy("ping", params));
        assert_eq!(reply, (400, (-32602).into(), true), "{params}");
    }
}

#[test]
fn a_posted_response_is_refused() {
    check(
        Request::post(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","error":{"code":-32600,"message":"a response was posted, but nothing was asked"}}"#]],
    );
    let error = Request::post(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}"#)
        .with("mcp-protocol-version", "2025-11-25");
    assert_eq!(code(&error), (400, (-32600).into(), false));
}

#[test]
fn equal_names_are_refused_wherever_they_stand() {
    check(
        Request::post(r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","error":{"code":-32600,"message":"two members of one object have the same name"}}"#]],
    );
    let call = Request::call(Era::Modern, "echo", r#"{"message":"x"}"#);
    for (once, twice) in [
        (r#""name":"echo""#, r#""name":"echo","name":"ping""#),
        (r#""name":"echo""#, r#""name":"echo","\u006eame":"ping""#),
        (r#""_meta":{"#, r#""_meta":{"a":1,"a":1,"#),
        (r#""message":"x""#, r#""message":"x","message":"y""#),
        (r#""message":"x""#, r#""message":{"deep":[{"a":1,"b":2,"a":3}]}"#),
    ] {
        let reply = code(&call.clone().edited(once, twice));
        assert_eq!(reply, (400, (-32600).into(), false), "{twice}");
    }
}

#[test]
fn nesting_is_bounded_at_64_levels() {
    // The body, its params and its arguments are three levels around the value.
    let nested = |levels: usize| {
        let value = "[".repeat(levels) + &"]".repeat(levels);
        Request::call(Era::Legacy, "echo", &format!(r#"{{"message":{value}}}"#))
    };
    assert_eq!(Client::new().send(&nested(61)).status, 200);
    check(
        nested(62),
        expect![[r#"
        400
        content-type: application/json

        {"jsonrpc":"2.0","error":{"code":-32600,"message":"the body nests deeper than 64 levels"}}"#]],
    );
    assert_eq!(code(&nested(10_000)).0, 400);
}

#[test]
fn members_of_one_object_are_bounded() {
    let members = |count: usize| {
        let members: Vec<String> = (0..count).map(|n| format!(r#""m{n}":0"#)).collect();
        Request::legacy("ping", &format!("{{{}}}", members.join(",")))
    };
    assert_eq!(Client::new().send(&members(10_000)).status, 200);
    assert_eq!(code(&members(10_001)), (400, (-32600).into(), false));
}

#[test]
fn a_huge_number_is_refused_or_carried_but_never_computed() {
    let digits = "9".repeat(1024 * 1024);
    let request = Request::legacy("ping", &format!(r#"{{"x":{digits}}}"#));
    assert_eq!(code(&request), (400, (-32700).into(), false));
}

#[test]
fn odd_tool_names_are_unknown_and_never_repeated() {
    let long = "x".repeat(10 * 1024);
    for name in ["ріng", "../ping", "ping\\r\\nx: y", "PING", "", &long] {
        let reply = Client::new().send(&Request::call(Era::Legacy, name, "{}"));
        assert_eq!(body(&reply)["error"]["code"], -32602);
        assert!(name.is_empty() || !wire(&reply).contains(name), "{name} came back");
        assert_eq!(reply.record.tool, None);
    }
}

#[test]
fn a_message_at_the_limit_is_echoed_and_one_byte_more_is_not() {
    let client = Client::new();
    let echo = |message: &str| {
        let arguments = format!(r#"{{"message":"{message}"}}"#);
        body(&client.send(&Request::call(Era::Modern, "echo", &arguments)))["result"].clone()
    };
    let full = echo(&"x".repeat(65_536));
    assert_eq!(full["structuredContent"]["message_length"], 65_536);
    let over = echo(&"x".repeat(65_537));
    expect![[r#"{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"tools","version":"0.1.0"}},"content":[{"text":"argument `message`: 65537 bytes are too many, at most 65536 (64 KiB) are echoed; send a shorter message","type":"text"}],"isError":true,"resultType":"complete"}"#]].assert_eq(&over.to_string());
    // In bytes, not in characters.
    assert_eq!(echo(&"é".repeat(32_768))["isError"], false);
    assert_eq!(echo(&"é".repeat(32_769))["isError"], true);
}

#[test]
fn names_from_the_caller_are_cut_in_error_texts() {
    let arguments = format!(r#"{{"message":"x","{}":1}}"#, "é".repeat(100_000));
    let reply = Client::new().send(&Request::call(Era::Modern, "echo", &arguments));
    assert_eq!(body(&reply)["result"]["isError"], true);
    assert!(reply.body.len() < 2_000);
}

/// Any JSON, with names and values that mean something to us more often than chance would have it.
fn json() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("jsonrpc".to_owned()),
        Just("id".to_owned()),
        Just("method".to_owned()),
        Just("params".to_owned()),
        Just("_meta".to_owned()),
        Just("name".to_owned()),
        Just("arguments".to_owned()),
        Just("cursor".to_owned()),
        Just("io.modelcontextprotocol/protocolVersion".to_owned()),
        Just("io.modelcontextprotocol/clientCapabilities".to_owned()),
        "[a-z\\\\u0\"]{0,6}",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("\"2.0\"".to_owned()),
        Just("\"tools/call\"".to_owned()),
        Just("\"tools/list\"".to_owned()),
        Just("\"2026-07-28\"".to_owned()),
        Just("\"echo\"".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:e}")),
        ".{0,8}".prop_map(|text| serde_json::Value::String(text).to_string()),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        let members = prop::collection::vec((name.clone(), inner.clone()), 0..8);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            members.prop_map(|members| {
                let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn answers_as_specified(request: &Request) -> Result<(), TestCaseError> {
    let reply = Client::new().send(request);
    let status = reply.status.as_u16();
    prop_assert!([200, 202, 400, 404].contains(&status), "status {status}");
    prop_assert_eq!(reply.body.is_empty(), status == 202);
    prop_assert!(reply.record.outcome.is_some());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_get_a_defined_answer(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        answers_as_specified(&Request::post(bytes))?;
    }

    #[test]
    fn any_json_gets_a_defined_answer(json in json()) {
        answers_as_specified(&Request::post(json.clone()))?;
        let modern = Request::post(json.clone())
            .with("mcp-protocol-version", "2026-07-28")
            .with("mcp-method", "tools/call");
        answers_as_specified(&modern)?;
        answers_as_specified(&Request::post(json).with("mcp-protocol-version", "2025-11-25"))?;
    }

    #[test]
    fn any_params_get_a_defined_answer(json in json(), method in "tools/(list|call)|initialize|ping") {
        answers_as_specified(&Request::legacy(&method, &json))?;
    }

    #[test]
    fn any_arguments_get_a_defined_answer(json in json(), tool in "ping|echo|health_check|x") {
        answers_as_specified(&Request::call(Era::Legacy, &tool, &json))?;
    }

    #[test]
    fn a_message_comes_back_as_it_was(message in ".{0,64}") {
        let arguments = serde_json::json!({ "message": message }).to_string();
        let reply = body(&Client::new().send(&Request::call(Era::Modern, "echo", &arguments)));
        let content = &reply["result"]["structuredContent"];
        prop_assert_eq!(content["message"].as_str(), Some(message.as_str()));
        prop_assert_eq!(content["message_length"].as_u64(), Some(message.chars().count() as u64));
        let mirror = reply["result"]["content"][0]["text"].as_str().unwrap();
        let mirror: serde_json::Value = serde_json::from_str(mirror).unwrap();
        prop_assert_eq!(content, &mirror);
    }
}
