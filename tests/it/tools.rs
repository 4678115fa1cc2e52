//! The foundry's own tools, called with real tokens of both algorithms, in both eras.

use expect_test::{Expect, expect};
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::issuer::DEFAULT_SUBJECT;

use crate::support::client::PUBLIC_URL;
use crate::support::{Answer, Era, GatewayOptions, Message, spawn_gateway};

const ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];

/// What the tool `echo` takes at most (features.md, P1-16).
const ECHO_LIMIT_BYTES: usize = 64 * 1024;

#[tokio::test]
async fn ping_tool_success() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    for (algorithm, era) in every_algorithm_and_era() {
        let token = gateway.issuer.token_with(algorithm, &["tools:ping"], PUBLIC_URL);
        let message = Message::call(era, "ping", json!({})).header("x-correlation-id", "ping-1");
        let answer = gateway.client.send(&message, Some(&token)).await;
        let content = structured(&answer);
        assert_eq!(members(&content), ["authenticated_user", "correlation_id", "message", "timestamp"]);
        assert_eq!(content["message"], "pong");
        assert_eq!(content["authenticated_user"], DEFAULT_SUBJECT);
        assert_eq!(content["correlation_id"], "ping-1");
        assert_eq!(answer.header("x-correlation-id"), Some("ping-1"));
    }
    assert_eq!(gateway.calls_run().await, 4, "each call ran once");
}

#[tokio::test]
async fn ping_tool_missing_auth() {
    missing_auth("ping", json!({})).await;
}

#[tokio::test]
async fn ping_tool_invalid_scope() {
    invalid_scope(
        "ping",
        json!({}),
        expect![[
            r#"Bearer error="insufficient_scope", error_description="the access token lacks a scope that this operation needs", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="tools:ping""#
        ]],
    )
    .await;
}

#[tokio::test]
async fn health_check_tool_success() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    for (algorithm, era) in every_algorithm_and_era() {
        // Any valid token will do: no scope at all.
        let token = gateway.issuer.token_with(algorithm, &[], PUBLIC_URL);
        let answer = gateway.client.call(era, "health_check", json!({}), &token).await;
        let content = structured(&answer);
        assert_eq!(content["checks"]["auth"], json!({ "status": "passing" }));
        // Neither a collector nor Redis is configured, so nothing is said about them.
        assert_eq!(members(&content["checks"]), ["auth", "memory"]);
        assert_eq!(content["status"], content["checks"]["memory"]["status"], "the worst of all");
    }
}

#[tokio::test]
async fn health_check_tool_missing_auth() {
    missing_auth("health_check", json!({})).await;
}

#[tokio::test]
async fn echo_tool_success() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let largest = "x".repeat(ECHO_LIMIT_BYTES);
    for (algorithm, era) in every_algorithm_and_era() {
        let token = gateway.issuer.token_with(algorithm, &["tools:echo"], PUBLIC_URL);
        for (message, length) in [("héllo", 5), ("", 0), (&largest, ECHO_LIMIT_BYTES)] {
            let arguments = json!({ "message": message });
            let answer = gateway.client.call(era, "echo", arguments, &token).await;
            let content = structured(&answer);
            assert_eq!(content["message"], message);
            assert_eq!(content["message_length"], length);
        }
        for (arguments, named) in [
            (json!({ "message": format!("{largest}x") }), "65536"),
            (json!({ "message": 1 }), "message"),
            (json!({}), "message"),
            (json!({ "message": "a", "extra": 1 }), "extra"),
        ] {
            let result = gateway.client.call(era, "echo", arguments, &token).await.result();
            assert_eq!(result["isError"], true, "{result}");
            let text = result["content"][0]["text"].as_str().unwrap();
            assert!(text.contains(named) && text.len() < 1024, "{text}");
        }
    }
}

#[tokio::test]
async fn echo_tool_missing_auth() {
    missing_auth("echo", json!({ "message": "a" })).await;
}

#[tokio::test]
async fn echo_tool_invalid_scope() {
    invalid_scope(
        "echo",
        json!({ "message": "a" }),
        expect![[
            r#"Bearer error="insufficient_scope", error_description="the access token lacks a scope that this operation needs", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="tools:echo""#
        ]],
    )
    .await;
}

/// Nothing that could be taken for a credential is one, but a bearer token in the header.
async fn missing_auth(tool: &str, arguments: Value) {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let token = gateway.issuer.token(&["tools:ping", "tools:echo"], PUBLIC_URL);
    for era in Era::BOTH {
        let message = Message::call(era, tool, arguments.clone());
        let elsewhere =
            message.clone().header("cookie", &format!("access_token={token}")).with("/access_token", json!(token));
        for (message, authorization) in [(&message, None), (&message, Some("Basic dXNlcjp3b3Jk")), (&elsewhere, None)] {
            let answer = gateway.client.send_as(message, authorization).await;
            refused(
                &answer,
                StatusCode::UNAUTHORIZED,
                &expect![[
                    r#"Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="tools:echo tools:ping""#
                ]],
            );
        }
    }
    assert_eq!(gateway.calls_run().await, 0, "a refused call ran");
}

/// A token for another tool: both algorithms, both eras, and the tool does not run.
async fn invalid_scope(tool: &str, arguments: Value, challenge: Expect) {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    for (algorithm, era) in every_algorithm_and_era() {
        let others = ["tools:other", "tools", "TOOLS:PING", "TOOLS:ECHO"];
        let token = gateway.issuer.token_with(algorithm, &others, PUBLIC_URL);
        let answer = gateway.client.call(era, tool, arguments.clone(), &token).await;
        refused(&answer, StatusCode::FORBIDDEN, &challenge);
        assert_eq!(answer.json()["error"], "insufficient_scope");
    }
    assert_eq!(gateway.calls_run().await, 0, "a refused call ran");
}

fn refused(answer: &Answer, status: StatusCode, challenge: &Expect) {
    assert_eq!(answer.status, status, "{}", answer.text());
    challenge.assert_eq(answer.header("www-authenticate").unwrap());
    let body = answer.json();
    assert_eq!(members(&body), ["correlation_id", "error", "error_description"]);
    assert_eq!(body["correlation_id"], answer.header("x-correlation-id").unwrap());
}

/// The structured content of a success, after what holds for every tool: its text mirror is the same document.
fn structured(answer: &Answer) -> Value {
    let result = answer.result();
    assert_ne!(result["isError"], true, "{result}");
    let content = result["structuredContent"].clone();
    let [mirror] = result["content"].as_array().unwrap().as_slice() else {
        panic!("one block of text: {result}");
    };
    let mirror: Value = serde_json::from_str(mirror["text"].as_str().unwrap()).unwrap();
    assert_eq!(mirror, content);
    content["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(content["correlation_id"], answer.header("x-correlation-id").unwrap());
    content
}

fn members(object: &Value) -> Vec<&str> {
    let mut members: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    members
}

fn every_algorithm_and_era() -> impl Iterator<Item = (Algorithm, Era)> {
    ALGORITHMS.into_iter().flat_map(|algorithm| Era::BOTH.map(|era| (algorithm, era)))
}
