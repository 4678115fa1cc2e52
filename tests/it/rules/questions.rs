//! Requests of the server to clients of the older era, and what is taken for an answer (digest 3.1; protocol.md,
//! section 6).

use serde_json::{Value, json};

use crate::support::events::EventStream;
use crate::support::message::{JUNE, LEGACY, MARCH, WITH_SESSIONS};
use crate::support::session::everything;
use crate::support::{Message, Session, World};

/// A call that asks, and what it asked.
async fn asked(session: &Session, what: &str) -> (EventStream, Value) {
    let call = session.message("tools/call", json!({ "name": "ask", "arguments": { "what": what } }));
    let mut stream = session.stream(&call).await;
    let question = stream.message().await;
    (stream, question)
}

fn accepted() -> Value {
    json!({ "action": "accept", "content": { "name": "Ada" } })
}

async fn text(stream: &mut EventStream) -> String {
    let messages = stream.rest().await;
    let [answer] = messages.as_slice() else { panic!("one answer: {messages:?}") };
    answer["result"]["content"][0]["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_question_comes_on_the_stream_of_its_call_and_is_answered_by_a_post() {
    let world = World::new().await;
    let sampled = json!({ "role": "assistant", "content": { "type": "text", "text": "Paris" }, "model": "m" });
    for revision in WITH_SESSIONS {
        for (what, method, answer) in [
            ("form", "elicitation/create", accepted()),
            ("sampling", "sampling/createMessage", sampled.clone()),
            ("roots", "roots/list", json!({ "roots": [{ "uri": "file:///a" }] })),
        ] {
            if (revision, what) == (MARCH, "form") {
                continue; // It knows no elicitation; see below.
            }
            let session = world.session(revision).await;
            let (mut stream, question) = asked(&session, what).await;
            assert_eq!(question["method"], method, "{revision}");
            assert_eq!(session.answer(&question["id"], answer.clone()).await.status, 202);
            let text = text(&mut stream).await;
            assert!(text.starts_with(&format!("{what}: answer=")), "{revision}: {text}");
        }
    }
}

#[tokio::test]
async fn what_a_revision_does_not_know_is_not_asked_in_it() {
    let world = World::new().await;
    for (revision, what) in
        [(MARCH, "form"), (MARCH, "url"), (JUNE, "url"), (JUNE, "sampling_tools"), (MARCH, "sampling_tools")]
    {
        let session = world.session(revision).await;
        let call = session.message("tools/call", json!({ "name": "ask", "arguments": { "what": what } }));
        let answer = session.send(&call).await;
        assert!(!answer.is_stream(), "{revision} {what}: {}", answer.text());
        assert_eq!(answer.result()["isError"], true, "{revision} {what}");
    }
    for what in ["url", "sampling_tools"] {
        let session = world.session(LEGACY).await;
        let (_stream, question) = asked(&session, what).await;
        assert!(question["method"].is_string(), "{question}");
    }
}

#[tokio::test]
async fn what_a_client_did_not_declare_is_not_asked() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let session = Session::open(&world.gateway.client, &world.token, revision, &json!({})).await;
        for what in ["form", "sampling", "roots"] {
            let call = session.message("tools/call", json!({ "name": "ask", "arguments": { "what": what } }));
            let answer = session.send(&call).await;
            assert!(!answer.is_stream(), "{revision} {what}");
            assert_eq!(answer.result()["isError"], true, "{revision} {what}");
        }
    }
}

#[tokio::test]
async fn an_answer_from_another_session_or_another_person_is_refused() {
    let world = World::new().await;
    let (session, another) = (world.session(LEGACY).await, world.session(LEGACY).await);
    let (mut stream, question) = asked(&session, "form").await;
    let somebody_else = world.gateway.token_of("somebody-else");
    let foreign = json!({ "action": "decline" });
    assert_eq!(session.with_token(&somebody_else).answer(&question["id"], foreign.clone()).await.status, 404);
    assert_eq!(another.answer(&question["id"], foreign.clone()).await.status, 400);
    let theirs = Session::open(&world.gateway.client, &somebody_else, LEGACY, &everything()).await;
    assert_eq!(theirs.answer(&question["id"], foreign).await.status, 400);
    assert_eq!(session.answer(&question["id"], accepted()).await.status, 202);
    assert!(text(&mut stream).await.contains("Ada"));
}

#[tokio::test]
async fn an_answer_to_nothing_and_a_second_answer_are_refused() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    let (mut stream, question) = asked(&session, "form").await;
    let id = question["id"].clone();
    for unknown in [json!(99), json!(id.to_string()), json!(-1)] {
        let refused = session.answer(&unknown, accepted()).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, -32600), "{unknown}");
    }
    let without_id = session.send(&session.body(json!({ "jsonrpc": "2.0", "result": {} }))).await;
    assert_eq!(without_id.status, 400);
    assert_eq!(session.answer(&id, accepted()).await.status, 202);
    assert_eq!(session.answer(&id, json!({ "action": "decline" })).await.status, 400);
    assert!(text(&mut stream).await.contains("Ada"));
}

#[tokio::test]
async fn an_answer_after_the_call_has_ended_is_refused() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    let (mut stream, question) = asked(&session, "form").await;
    let called = json!({ "requestId": 0 });
    session.notify("notifications/cancelled", called).await;
    let call = session.message("tools/call", json!({ "name": "ask", "arguments": { "what": "roots" } }));
    let mut other = session.stream(&call).await;
    let other_question = other.message().await;
    session.notify("notifications/cancelled", json!({ "requestId": call.body["id"] })).await;
    assert!(other.rest().await.is_empty());
    assert_eq!(session.answer(&other_question["id"], json!({ "roots": [] })).await.status, 400, "too late");
    assert_eq!(session.answer(&question["id"], accepted()).await.status, 202);
    assert!(text(&mut stream).await.contains("Ada"));
}

#[tokio::test]
async fn an_error_of_the_client_is_told_to_the_tool_as_no_answer() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    let (mut stream, question) = asked(&session, "sampling").await;
    let error = json!({ "code": -1, "message": "the user said no" });
    let refusal = json!({ "jsonrpc": "2.0", "id": question["id"], "error": error });
    assert_eq!(session.send(&session.body(refusal)).await.status, 202);
    let messages = stream.rest().await;
    assert_eq!(messages[0]["result"]["isError"], true);
}

/// digest 2.1: never a JSON-RPC response from a client of this era.
#[tokio::test]
async fn an_answer_with_modern_marks_is_refused_also_beside_the_right_session() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    let (mut stream, question) = asked(&session, "form").await;
    let answer = json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "action": "decline" } });
    let mut message = Message::modern("", json!({})).header("mcp-session-id", &session.id);
    message.body = answer;
    let refused = world.gateway.client.send(&message, Some(&world.token)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, -32600));
    session.answer(&question["id"], accepted()).await;
    assert!(text(&mut stream).await.contains("Ada"));
}

#[tokio::test]
async fn whoever_reads_no_streams_is_not_asked() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    let call = session.message("tools/call", json!({ "name": "ask" })).with_header("accept", "application/json");
    assert_eq!(session.send(&call).await.result()["isError"], true);
}
