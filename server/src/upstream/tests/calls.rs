//! Calls that work, and what passes in both directions.

use std::sync::Arc;

use serde_json::json;

use super::{
    fake::{Reply, answer},
    support::{ECHO, HELLO, Running, blocks, context, legacy, meta, modern, progress, wanted},
};
use crate::features::Notes;

#[tokio::test]
async fn arguments_and_results_pass_byte_for_byte() {
    let running = Running::start(modern(ECHO, |received| {
        Reply::result(
            received,
            r#"{"resultType":"complete","isError":true,"content":[{"type":"new","n":1.0e3 ,"t":"\u00e4"}],
               "structuredContent":{"b":1,"a":[ ]},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"x"},"k":1.0}}"#,
        )
    }))
    .await;
    let arguments = r#"{"b": 1.50,"a":"\u00e4\/","b2":[ 1 ,2]}"#;
    let outcome = running.call(&context(Notes::default()), "up__echo", arguments).await;
    assert!(running.called().text.contains(&format!(r#""arguments":{arguments}"#)), "{}", running.called().text);
    assert_eq!(running.called().body["params"]["name"], "echo");
    assert_eq!(blocks(&outcome), r#"[{"type":"new","n":1.0e3 ,"t":"\u00e4"}]"#);
    assert_eq!(outcome.structured_content().unwrap().get(), r#"{"b":1,"a":[ ]}"#);
    assert_eq!(outcome.meta().unwrap().get(), r#"{"k":1.0}"#);
    assert!(outcome.is_error());
}

#[tokio::test]
async fn an_answer_may_be_an_event_stream_in_any_shape() {
    let streams: [fn(String) -> Vec<String>; 4] = [
        |answer| vec![format!("data: {answer}\n\n")],
        |answer| {
            vec!["id: 1\ndata:\n\n: hello\r\n\r\n".to_owned(), format!("event: message\r\ndata: {answer}\r\n\r\n")]
        },
        // Two lines of data, and every byte on its own.
        |answer| {
            let (first, last) = answer.split_at(1);
            format!("data: {first}\rdata: {last}\r\r").chars().map(String::from).collect()
        },
        |answer| vec![format!("event: other\ndata: not JSON\n\ndata: {answer}\n\n")],
    ];
    for stream in streams {
        let handler = move |received: &_| Reply::stream(stream(answer(received, HELLO))).then_hangs();
        let running = Running::start(modern(ECHO, handler)).await;
        running.assert_works().await;
    }
}

#[tokio::test]
async fn progress_reaches_the_client_that_wants_it_under_a_token_of_our_own() {
    let handler = |received: &super::fake::Received| {
        let token = &received.body["params"]["_meta"]["progressToken"];
        let note = |token: &serde_json::Value, rest: serde_json::Value| {
            let mut params = rest;
            params["progressToken"] = token.clone();
            json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }).to_string()
        };
        Reply::events([
            note(token, json!({ "progress": 1, "total": 3, "message": "one" })),
            note(&json!("other"), json!({ "progress": 2 })),
            note(token, json!({ "progress": 1 })),
            note(token, json!({ "progress": "many" })),
            note(token, json!({ "progress": 2.5, "message": "x".repeat(2000) })),
            json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": 1 } })
                .to_string(),
            answer(received, HELLO),
        ])
    };
    for running in
        [Running::start(modern(ECHO, handler)).await, Running::start(legacy("2025-06-18", ECHO, handler)).await]
    {
        let (notes, mut receiver) = wanted();
        running.call(&context(notes), "up__echo", "{}").await;
        assert_eq!(progress(&mut receiver), ["1/3 one", "2.5/? "]);
        let call = running.called();
        assert_eq!(meta(&call)["progressToken"], call.body["id"]);
    }
}

#[tokio::test]
async fn a_client_without_interest_in_progress_asks_for_none() {
    let running = Running::start(modern(ECHO, |received| Reply::result(received, HELLO))).await;
    running.assert_works().await;
    assert!(meta(&running.called()).get("progressToken").is_none());
}

#[tokio::test]
async fn the_trace_goes_on_upstream() {
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let handler = |received: &_| Reply::result(received, HELLO);
    for running in
        [Running::start(modern(ECHO, handler)).await, Running::start(legacy("2025-11-25", ECHO, handler)).await]
    {
        let mut context = context(Notes::default());
        context.traceparent = Some(Arc::from(traceparent));
        running.call(&context, "up__echo", "{}").await;
        assert_eq!(meta(&running.called())["traceparent"], traceparent);
    }
}

#[tokio::test]
async fn arguments_that_a_modern_tool_wants_in_headers_are_sent_there() {
    let tools = r#"[{"name":"echo","inputSchema":{"type":"object","properties":
        {"region":{"type":"string","x-mcp-header":"Region"},"n":{"type":"integer","x-mcp-header":"N"}}}}]"#;
    let running = Running::start(modern(tools, |received| Reply::result(received, HELLO))).await;
    running.call(&context(Notes::default()), "up__echo", r#"{"region":"a\r\nx: y","n":7}"#).await;
    let call = running.called();
    assert_eq!(call.header("mcp-param-region"), Some("=?base64?YQ0KeDogeQ==?="));
    assert_eq!(call.header("mcp-param-n"), Some("7"));
    assert_eq!(call.header("x"), None);

    let running = Running::start(legacy("2025-11-25", tools, |received| Reply::result(received, HELLO))).await;
    running.call(&context(Notes::default()), "up__echo", r#"{"region":"eu"}"#).await;
    assert_eq!(running.called().header("mcp-param-region"), None);
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own() {
    let running = Running::start(modern(ECHO, |received| Reply::result(received, HELLO))).await;
    futures::future::join_all((0..10).map(|_| running.assert_works())).await;
    let mut ids: Vec<_> =
        running.fake.received("tools/call").iter().map(|call| call.body["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10);
}

#[tokio::test]
async fn a_stream_that_the_upstream_closes_early_is_resumed() {
    let handler = |received: &super::fake::Received| match received.method() {
        "tools/call" => Reply::stream([format!("retry: 0\nid: at-{}\ndata:\n\n", received.body["id"])]),
        "GET" => {
            let id = received.header("last-event-id").unwrap().strip_prefix("at-").unwrap();
            Reply::events([format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{HELLO}}}"#)])
        }
        _ => Reply::status(404, ""),
    };
    let running = Running::start(legacy("2025-11-25", ECHO, handler)).await;
    running.assert_works().await;
    let resumed = running.fake.received("GET").remove(0);
    assert_eq!(resumed.header("accept"), Some("text/event-stream"));
    assert_eq!(resumed.header("mcp-session-id"), Some("s-1"));
    assert_eq!(resumed.header("mcp-protocol-version"), Some("2025-11-25"));
}

#[tokio::test]
async fn a_call_that_has_arrived_is_not_made_again_when_its_stream_cannot_be_resumed() {
    let handler = |received: &super::fake::Received| match received.method() {
        "tools/call" => Reply::stream(["retry: 0\nid: x\ndata:\n\n".to_owned()]),
        _ => Reply::status(404, ""),
    };
    let running = Running::start(legacy("2025-11-25", ECHO, handler)).await;
    assert_eq!(running.error().await, "upstream \"up\" cannot be reached");
    assert_eq!(running.fake.received("tools/call").len(), 1);
    running.fake.wait_for("notifications/cancelled", 1).await;
    // Whether it is still there is seen at once, not with the next poll.
    running.fake.wait_for("tools/list", 2).await;
}

#[tokio::test]
async fn one_connection_serves_call_after_call_whether_json_or_stream() {
    let handlers: [fn(&super::fake::Received) -> Reply; 2] =
        [|received| Reply::result(received, HELLO), |received| Reply::events([answer(received, HELLO)])];
    for handler in handlers {
        let running = Running::start(modern(ECHO, handler)).await;
        for _ in 0..5 {
            running.assert_works().await;
            running.upstream.link.aside.finished().await;
        }
        let calls = running.fake.received("tools/call");
        assert!(calls.iter().all(|call| call.from == calls[0].from));
    }
}
