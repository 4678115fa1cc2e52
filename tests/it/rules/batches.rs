//! Batches, which 2025-03-26 alone knows (digest 3.2; section 9, point 4; protocol.md, section 2).

use serde_json::{Value, json};

use crate::support::message::{MARCH, WITH_SESSIONS};
use crate::support::provider::LISTED;
use crate::support::{Answer, Session, World};

fn request(id: u64, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn say(id: u64, text: &str) -> Value {
    request(id, "tools/call", &json!({ "name": "say", "arguments": { "text": text } }))
}

fn initialized() -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })
}

/// Each response is checked against the schema of its method, and that each request has one.
async fn send(session: &Session, items: Vec<Value>) -> Answer {
    session.send(&session.body(Value::Array(items))).await
}

#[tokio::test]
async fn each_request_of_a_batch_has_one_response_and_a_notification_none() {
    let world = World::new().await;
    let session = world.session(MARCH).await;
    let batch = vec![
        say(1, "one"),
        initialized(),
        request(2, "resources/read", &json!({ "uri": LISTED })),
        request(3, "no/such", &json!({})),
        request(4, "tools/list", &json!({})),
        say(5, "five"),
    ];
    let responses = send(&session, batch).await.json();
    let responses = responses.as_array().unwrap();
    assert_eq!(responses.len(), 5);
    let of = |id: u64| responses.iter().find(|response| response["id"] == id).unwrap();
    assert_eq!(of(1)["result"]["content"][0]["text"], "one");
    assert_eq!(of(3)["error"]["code"], -32601);
    assert_eq!(of(5)["result"]["content"][0]["text"], "five");
}

#[tokio::test]
async fn a_batch_without_requests_is_accepted_without_a_body() {
    let world = World::new().await;
    let session = world.session(MARCH).await;
    let answer = send(&session, vec![initialized(), initialized()]).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (202, 0));
}

#[tokio::test]
async fn a_batch_of_responses_answers_what_was_asked() {
    let world = World::new().await;
    let session = world.session(MARCH).await;
    let ask = session.message("tools/call", json!({ "name": "ask", "arguments": { "what": "roots" } }));
    let (mut one, mut other) = (session.stream(&ask).await, session.stream(&ask.clone().with("/id", json!(7))).await);
    let ids = [one.message().await["id"].clone(), other.message().await["id"].clone()];
    let responses = ids.map(|id| json!({ "jsonrpc": "2.0", "id": id, "result": { "roots": [] } }));
    let answer = send(&session, responses.into()).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (202, 0));
    for stream in [&mut one, &mut other] {
        assert!(stream.rest().await[0].get("result").is_some());
    }
}

#[tokio::test]
async fn an_empty_batch_and_one_that_is_too_long_are_refused() {
    let world = World::new().await;
    let session = world.session(MARCH).await;
    let many = |count: u64| (0..count).map(|id| request(id, "ping", &json!({}))).collect::<Vec<_>>();
    assert_eq!(send(&session, many(32)).await.json().as_array().unwrap().len(), 32);
    for items in [vec![], many(33), many(1000)] {
        let refused = send(&session, items).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, -32600));
    }
}

#[tokio::test]
async fn what_is_no_message_is_an_invalid_request_among_the_others() {
    let world = World::new().await;
    let session = world.session(MARCH).await;
    let odd = json!({ "jsonrpc": "1.0", "id": 9, "method": "ping" });
    let responses = send(&session, vec![json!(7), json!([]), odd, say(1, "served")]).await.json();
    let codes: Vec<_> = responses.as_array().unwrap().iter().map(|one| one["error"]["code"].as_i64()).collect();
    assert_eq!(codes, [Some(-32600), Some(-32600), Some(-32600), None]);
    assert_eq!(responses[0].get("id"), None, "an unreadable id is left out");
}

#[tokio::test]
async fn no_session_is_opened_inside_a_batch_and_none_is_needed_for_its_refusal() {
    let world = World::new().await;
    let session = world.session(MARCH).await;
    let params = json!({ "protocolVersion": MARCH, "capabilities": {}, "clientInfo": { "name": "a", "version": "1" } });
    let answer = send(&session, vec![request(1, "initialize", &params)]).await;
    assert_eq!(answer.json()[0]["error"]["code"], -32601);
    assert!(answer.header("mcp-session-id").is_none());
}

#[tokio::test]
async fn no_other_revision_takes_a_batch() {
    let world = World::new().await;
    for revision in WITH_SESSIONS.into_iter().filter(|revision| *revision != MARCH) {
        let session = world.session(revision).await;
        for items in [vec![say(1, "one")], vec![initialized()], vec![]] {
            let refused = send(&session, items).await;
            assert_eq!((refused.status.as_u16(), refused.code()), (400, -32600), "{revision}");
        }
    }
    assert_eq!(world.fixtures.counts().0, 0);
}
