//! JSON-RPC over HTTP, mistake by mistake: status, code, and never an answer outside the schema.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::client::PUBLIC_URL;
use crate::support::message::{LEGACY, MODERN};
use crate::support::{Answer, Era, GatewayOptions, Message, SpawnedGateway, spawn_gateway};

const META: &str = "/params/_meta/io.modelcontextprotocol~1";

/// digest 2.1 and 2.2, protocol.md section 5.
#[tokio::test]
async fn a_modern_request_is_refused_with_the_code_of_its_mistake() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let call = || Message::call(Era::Modern, "ping", json!({}));
    let discover = || Message::modern("server/discover", json!({}));
    let version = format!("{META}protocolVersion");
    let rows = [
        ("no version header", discover().without_header("mcp-protocol-version"), 400, -32020),
        ("no version in _meta", discover().without(&version), 400, -32602),
        ("no _meta", discover().without("/params/_meta"), 400, -32602),
        ("header of another version", discover().with_header("mcp-protocol-version", LEGACY), 400, -32020),
        ("version that nobody serves", unsupported(), 400, -32022),
        ("no capabilities", discover().without(&format!("{META}clientCapabilities")), 400, -32602),
        ("no method header", discover().without_header("mcp-method"), 400, -32020),
        ("method header of another", discover().with_header("mcp-method", "tools/list"), 400, -32020),
        ("method header in capitals", discover().with_header("mcp-method", "SERVER/DISCOVER"), 400, -32020),
        ("method header twice", discover().header("mcp-method", "server/discover"), 400, -32020),
        ("no name header", call().without_header("mcp-name"), 400, -32020),
        ("name header of another tool", call().with_header("mcp-name", "echo"), 400, -32020),
        ("name header twice", call().header("mcp-name", "ping"), 400, -32020),
        ("name header in bad base64", call().with_header("mcp-name", "=?base64?cGluZw?="), 400, -32020),
        ("name header in base64 of another", call().with_header("mcp-name", "=?base64?ZWNobw==?="), 400, -32020),
        ("unknown tool", Message::call(Era::Modern, "no_such", json!({})), 400, -32602),
        ("no name", call().without("/params/name").without_header("mcp-name"), 400, -32602),
        ("arguments that are no object", call().with("/params/arguments", json!([])), 400, -32602),
        ("unknown method", Message::modern("no/such", json!({})), 404, -32601),
        ("initialize", Message::modern("initialize", json!({})), 404, -32601),
        ("ping", Message::modern("ping", json!({})), 404, -32601),
        ("logging/setLevel", Message::modern("logging/setLevel", json!({})), 404, -32601),
        ("cursor", Message::modern("tools/list", json!({ "cursor": "forged" })), 400, -32602),
        ("unknown log level", discover().with(&format!("{META}logLevel"), json!("loud")), 400, -32602),
        ("jsonrpc 1.0", discover().with("/jsonrpc", json!("1.0")), 400, -32600),
        ("no jsonrpc", discover().without("/jsonrpc"), 400, -32600),
        ("method that is no text", discover().with("/method", json!(1)), 400, -32600),
    ];
    for (row, message, status, code) in rows {
        let answer = ask(&gateway, &message).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{row}: {}", answer.text());
    }
}

#[tokio::test]
async fn an_unserved_version_is_answered_with_those_that_are() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let data = &ask(&gateway, &unsupported()).await.json()["error"]["data"];
    assert_eq!(*data, json!({ "supported": [MODERN, LEGACY, "2025-06-18", "2025-03-26"], "requested": "2099-01-01" }));
}

#[tokio::test]
async fn what_a_server_must_not_demand_is_not_demanded() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let call = || Message::call(Era::Modern, "ping", json!({}));
    let rows = [
        ("no client info", call().without(&format!("{META}clientInfo"))),
        ("name header in base64", call().with_header("mcp-name", "=?base64?cGluZw==?=")),
        ("no arguments", call().without("/params/arguments")),
        ("an undeclared Mcp-Param", call().header("mcp-param-other", "x")),
        ("a session id of the older era", call().header("mcp-session-id", "abc")),
        ("an id that is text", call().with("/id", json!("one"))),
        ("a garbage traceparent", call().with("/params/_meta/traceparent", json!("garbage"))),
    ];
    for (row, message) in rows {
        let answer = ask(&gateway, &message).await;
        assert_eq!(answer.status, StatusCode::OK, "{row}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_legacy_request_is_refused_with_the_code_of_its_mistake() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let list = || Message::legacy("tools/list", json!({}));
    let rows = [
        ("unknown version header", list().with_header("mcp-protocol-version", "1999-01-01"), 400, -32022),
        ("no session", list().without_session(), 400, -32600),
        ("no session and no version", list().without_session().without_header("mcp-protocol-version"), 400, -32600),
        ("unknown session", list().header("mcp-session-id", "abc"), 404, -32600),
        ("unknown tool", Message::call(Era::Legacy, "no_such", json!({})), 200, -32602),
        ("unknown method", Message::legacy("no/such", json!({})), 200, -32601),
        ("server/discover", Message::legacy("server/discover", json!({})), 200, -32601),
        ("resources/list", Message::legacy("resources/list", json!({})), 200, -32601),
        ("cursor", Message::legacy("tools/list", json!({ "cursor": "forged" })), 200, -32602),
    ];
    for (row, message, status, code) in rows {
        let answer = ask(&gateway, &message).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{row}: {}", answer.text());
    }
}

/// protocol.md section 5, `not-json`, `odd-json`, `batch`, `client-response`: bodies that are no request.
#[tokio::test]
async fn a_body_that_is_no_request_is_a_parse_error_or_an_invalid_request() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let nested = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"a":{}1{}}}}}"#,
        "[".repeat(100),
        "]".repeat(100)
    );
    let rows: [(&str, &[u8], i64); 15] = [
        ("cut off", b"{bad", -32700),
        ("empty", b"", -32700),
        ("invalid UTF-8", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", -32700),
        ("a byte order mark", b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}", -32700),
        ("two documents", b"{\"jsonrpc\":\"2.0\"}{\"jsonrpc\":\"2.0\"}", -32700),
        ("a lone surrogate", br#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#, -32700),
        ("depth 10,000", deep.as_bytes(), -32700),
        ("depth 100", nested.as_bytes(), -32600),
        ("a method twice", br#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#, -32600),
        ("an array", b"[]", -32600),
        ("a batch", br#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#, -32600),
        ("text", b"\"text\"", -32600),
        ("id null", br#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#, -32600),
        ("a fractional id", br#"{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}"#, -32600),
        ("a response", br#"{"jsonrpc":"2.0","id":1,"result":{}}"#, -32600),
    ];
    for (row, body, code) in rows {
        let answer = post(&gateway, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{row}: {}", answer.text());
        let json = answer.json();
        assert_eq!(json["jsonrpc"], "2.0", "{row}");
        let codes: &[i64] = if row.starts_with("depth") || row.ends_with("twice") {
            &[-32700, -32600] // protocol.md takes either for odd JSON
        } else {
            &[code]
        };
        assert!(codes.contains(&answer.code()), "{row}: {json}");
        assert_ne!(json.get("id"), Some(&Value::Null), "{row}: an unreadable id is left out");
    }
}

#[tokio::test]
async fn get_and_delete_are_405_without_legacy_marks_and_say_what_is_served() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let token = gateway.issuer.token(&[], PUBLIC_URL);
    for method in [Method::GET, Method::DELETE] {
        for (version, status) in [(Some(MODERN), 405), (None, 405), (Some(LEGACY), 400)] {
            let mut request = gateway.client.request(method.clone(), "/mcp").bearer_auth(&token);
            request = request.header("accept", "text/event-stream");
            if let Some(version) = version {
                request = request.header("mcp-protocol-version", version);
            }
            let answer = Answer::read(request.send().await.unwrap()).await;
            answer.assert_discreet(Some(&token));
            assert_eq!((answer.status.as_u16(), answer.code()), (status, -32600), "{method} {version:?}");
            if status == 405 {
                assert!(answer.header("allow").unwrap().contains("POST"));
            }
        }
    }
}

/// CVE-2026-25536 in small: equal ids, interleaved eras, one connection pool, each gets its own.
#[tokio::test]
async fn equal_ids_never_mix_up_answers() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let token = gateway.issuer.token(&["tools:echo"], PUBLIC_URL);
    let calls = (0..200).map(|number| {
        let (client, token) = (&gateway.client, &token);
        async move {
            let era = Era::BOTH[number % 2];
            let text = format!("payload {number}");
            let answer = client.call(era, "echo", json!({ "message": text }), token).await;
            assert_eq!(answer.result()["structuredContent"]["message"], text);
        }
    });
    futures::future::join_all(calls).await;
}

/// features.md, P1-13: whatever comes, the answer is one of the protocol and shows nothing of our insides.
#[tokio::test]
async fn mutilated_requests_are_answered_without_a_look_inside() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let original = Message::call(Era::Modern, "echo", json!({ "message": "a" })).body.to_string();
    let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
    for round in 0..400 {
        let mut body = original.clone().into_bytes();
        for _ in 0..=random.below(3) {
            let at = random.below(body.len());
            match random.below(4) {
                0 => drop(body.remove(at)),
                1 => body[at] = u8::try_from(random.below(256)).unwrap(),
                2 => body.insert(at, b"\"{}[],:\\0-e"[random.below(11)]),
                _ => body.truncate(at.max(1)),
            }
        }
        let answer = post(&gateway, &body).await;
        let text = answer.text();
        assert!(!answer.status.is_server_error(), "{round}: {text}");
        // Without its id a request is a notification, and those are answered with nothing.
        if answer.status == StatusCode::ACCEPTED {
            assert_eq!(text, "", "{round}");
            continue;
        }
        assert_eq!(answer.json()["jsonrpc"], "2.0", "{round}: {text}");
        for inside in ["panicked", "::", ".rs", "/work", "/src", "line ", "column ", "serde"] {
            assert!(!text.contains(inside), "{round}: `{inside}` in {text}");
        }
    }
}

/// The same numbers in each run: a failure can be looked at again.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

fn unsupported() -> Message {
    Message::modern("server/discover", json!({}))
        .with(&format!("{META}protocolVersion"), json!("2099-01-01"))
        .with_header("mcp-protocol-version", "2099-01-01")
}

/// With a token for everything, so that only the mistake can be refused.
async fn ask(gateway: &SpawnedGateway, message: &Message) -> Answer {
    let token = gateway.issuer.token(&["tools:ping", "tools:echo"], PUBLIC_URL);
    gateway.client.send(message, Some(&token)).await
}

async fn post(gateway: &SpawnedGateway, body: &[u8]) -> Answer {
    let token = gateway.issuer.token(&["tools:ping", "tools:echo"], PUBLIC_URL);
    let request = gateway.client.request(Method::POST, "/mcp").bearer_auth(&token);
    let request = request
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", "tools/call")
        .header("mcp-name", "echo");
    let answer = Answer::read(request.body(body.to_vec()).send().await.unwrap()).await;
    answer.assert_discreet(Some(&token));
    answer
}
