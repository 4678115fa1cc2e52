//! Bounds on what is read (protocol.md, section 2): body, head, target, patience.

use futures::StreamExt as _;
use reqwest::{Body, Method, StatusCode};

use super::{raw, token};
use crate::support::client::PUBLIC_HOST;
use crate::support::raw::{exchange, request};
use crate::support::{Answer, GatewayOptions, SpawnedGateway, spawn_gateway};

const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

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
        // The client may still be writing when the connection closes, and then it sees a reset.
        if let Ok(response) = post(body).send().await {
            let answer = Answer::read(response).await;
            assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{row}");
            assert_eq!(answer.code(), -32600, "{row}");
            answer.assert_discreet(Some(&token));
        }
    }
    assert_eq!(refused_as_too_large(&gateway).await, 2);
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
    assert!(answer.header("x-correlation-id").is_some());

    let mut chunked = request("POST /mcp HTTP/1.1", &[&host, &authorization, json, "Transfer-Encoding: chunked"], "");
    for _ in 0..1024 {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.extend_from_slice(&spaces(0x10000));
        chunked.extend_from_slice(b"\r\n");
    }
    let answer = exchange(gateway.client.public_address(), &chunked).await;
    // 64 MiB were on their way: a reset may overtake the answer, but never a success.
    assert!(answer.is_none_or(|answer| answer.status == 413));
    assert_eq!(refused_as_too_large(&gateway).await, 2);
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

/// By the gateway's own count, also where the answer was lost.
async fn refused_as_too_large(gateway: &SpawnedGateway) -> usize {
    gateway.client.counted("mcp_server_refusals_total", &[r#"reason="body_too_large""#]).await
}

fn spaces(length: usize) -> Vec<u8> {
    vec![b' '; length]
}
