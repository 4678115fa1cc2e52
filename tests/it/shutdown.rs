//! The end of a process: not ready at once, what was begun is finished, telemetry leaves, exit code 0.

use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::client::{PUBLIC_HOST, PUBLIC_URL};
use crate::support::collector::{Collector, attribute};
use crate::support::process::GatewayProcess;
use crate::support::world::listen;
use crate::support::{Era, GatewayOptions, Message, eventually};

/// protocol.md, section 7, `sigterm`, with a request whose body is still on its way in the place of a slow call.
#[tokio::test]
async fn sigterm_finishes_what_was_begun_and_exits_0() {
    let collector = Collector::start().await;
    let mut options = GatewayOptions::default();
    options.config.observability.otlp_endpoint = Some(collector.endpoint());
    let mut process = GatewayProcess::start(options).await;
    let token = process.issuer.token(&["tools:echo"], PUBLIC_URL);
    let message = Message::call(Era::Modern, "echo", json!({ "message": "the last call" }));

    let mut stream = TcpStream::connect(process.client.public_address()).await.unwrap();
    let (head, body) = head_and_body(&message, &token);
    let (first, rest) = body.split_at(body.len() / 2);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(first.as_bytes()).await.unwrap();
    eventually("the request is in flight", async || {
        let metrics = process.client.admin("/metrics").await.text();
        metrics.lines().any(|line| line.contains("in_flight") && line.ends_with(" 1")).then_some(())
    })
    .await;

    process.terminate();
    eventually("the process is not ready", async || {
        let ready = process.client.admin("/readyz").await;
        (ready.status == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    assert_eq!(process.client.admin("/livez").await.status, StatusCode::OK);
    assert_eq!(process.client.admin("/report").await.json()["draining"], true);

    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("the last call"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");

    let (status, _) = process.ended().await;
    assert_eq!(status.code(), Some(0), "{status}");
    let spans = collector.spans();
    let called = spans.iter().filter_map(|span| attribute(span, "gen_ai.tool.name"));
    assert_eq!(called.collect::<Vec<_>>(), ["echo"], "the last span was exported before the end");
}

/// The other half of that row: each stream ends with its own result, and the process does not wait for its clients.
#[tokio::test]
async fn sigterm_ends_500_streams_with_their_results_and_exits_0() {
    const STREAMS: u32 = 500;
    let mut options = GatewayOptions::default();
    options.policy.limits.streams_per_principal = STREAMS;
    let mut process = GatewayProcess::start(options).await;
    let token = process.issuer.token(&["tools:echo"], PUBLIC_URL);
    let mut streams = Vec::new();
    for id in 0..STREAMS {
        let message = listen(json!(id), json!({ "toolsListChanged": true }));
        let mut stream = process.client.stream(&message, &token).await;
        assert_eq!(stream.method().await, "notifications/subscriptions/acknowledged");
        streams.push((id, stream));
    }
    process.terminate();
    for (id, stream) in &mut streams {
        let messages = stream.rest().await;
        let [result] = messages.as_slice() else { panic!("one result: {messages:?}") };
        assert_eq!((&result["id"], &result["result"]["resultType"]), (&json!(id), &json!("complete")));
    }
    let (status, _) = process.ended().await;
    assert_eq!(status.code(), Some(0), "{status}");
}

#[tokio::test]
async fn an_idle_process_ends_at_once_and_frees_its_ports() {
    let mut process = GatewayProcess::start(GatewayOptions::default()).await;
    let address = process.client.public_address();
    process.terminate();
    let (status, _) = process.ended().await;
    assert_eq!(status.code(), Some(0), "{status}");
    tokio::net::TcpListener::bind(address).await.unwrap();
}

fn head_and_body(message: &Message, token: &str) -> (String, String) {
    let body = message.body.to_string();
    let mut head = vec![
        "POST /mcp HTTP/1.1".to_owned(),
        format!("host: {PUBLIC_HOST}"),
        format!("authorization: Bearer {token}"),
        format!("content-length: {}", body.len()),
    ];
    head.extend(message.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    (head.join("\r\n") + "\r\n\r\n", body)
}
