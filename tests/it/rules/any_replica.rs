//! Replicas that share a Redis: whatever one of them knows of a session any other serves (protocol.md, P40;
//! redis-and-degradation.md, `replica-loss`). Over real HTTP and a real Redis.

mod changes;
mod outage;
mod streams;

use serde_json::{Value, json};
use server::features::Change;

use crate::support::message::{JUNE, LEGACY, WITH_SESSIONS};
use crate::support::patience::eventually;
use crate::support::provider::LISTED;
use crate::support::replicas::Replicas;
use crate::support::{Message, Session};

const TOOLS: &str = "notifications/tools/list_changed";
const PROMPTS: &str = "notifications/prompts/list_changed";

fn levels(messages: &[Value]) -> Vec<Value> {
    messages.iter().map(|message| message["params"]["level"].clone()).collect()
}

async fn logged(session: &Session) -> Vec<Value> {
    let call = session.message("tools/call", json!({ "name": "log" }));
    levels(&session.stream(&call).await.rest().await)
}

#[tokio::test]
async fn everything_is_announced_as_with_one_replica() {
    let replicas = Replicas::two().await;
    let one = crate::support::World::new().await;
    for revision in WITH_SESSIONS {
        let initialize = Message::initialize(revision);
        let shared = &replicas.worlds[1];
        let shared = shared.gateway.client.send(&initialize, Some(&shared.token)).await.result();
        let alone = one.gateway.client.send(&initialize, Some(&one.token)).await.result();
        assert_eq!(shared["capabilities"], alone["capabilities"], "{revision}");
        assert_eq!(shared["capabilities"]["resources"]["subscribe"], true, "{revision}");
    }
}

#[tokio::test]
async fn a_level_that_was_set_at_one_replica_holds_at_the_other_from_the_next_request_on() {
    let replicas = Replicas::two().await;
    for revision in WITH_SESSIONS {
        let here = replicas.session(revision).await;
        let there = replicas.at(1, &here);
        here.ask("logging/setLevel", json!({ "level": "emergency" })).await.result();
        assert_eq!(logged(&there).await, [json!("emergency"), json!(null)], "{revision}");
        there.ask("logging/setLevel", json!({ "level": "alert" })).await.result();
        assert_eq!(logged(&here).await, [json!("alert"), json!("emergency"), json!(null)], "{revision}");
    }
}

#[tokio::test]
async fn a_session_that_was_ended_at_one_replica_is_unknown_at_the_other() {
    let replicas = Replicas::two().await;
    for revision in WITH_SESSIONS {
        let here = replicas.session(revision).await;
        let there = replicas.at(1, &here);
        let mut stream = there.listen().await;
        let call = there.call_message("wait", json!({}));
        let mut calling = there.stream(&call).await;
        calling.message().await;
        assert_eq!(here.delete().await.status, 204);
        assert!(stream.rest().await.is_empty(), "{revision}: its stream ends");
        assert!(calling.rest().await.is_empty(), "{revision}: its call ends");
        for session in [&here, &there] {
            assert_eq!(session.ask("ping", json!({})).await.status, 404, "{revision}");
            assert_eq!(session.delete().await.status, 404, "{revision}");
        }
    }
}

#[tokio::test]
async fn what_is_subscribed_at_one_replica_is_told_on_the_stream_at_the_other() {
    let replicas = Replicas::two().await;
    for revision in WITH_SESSIONS {
        let here = replicas.session(revision).await;
        let there = replicas.at(1, &here);
        let mut stream = there.listen().await;
        here.ask("resources/subscribe", json!({ "uri": LISTED })).await.result();
        // The message that tells of it may come after the change itself.
        eventually("the stream hears of the resource", async || {
            replicas.worlds[0].fixtures.touch(LISTED);
            replicas.worlds[0].fixtures.tell(Change::Tools);
            let first = stream.message().await;
            if first["method"] == TOOLS {
                return None;
            }
            assert_eq!(first["params"]["uri"], LISTED, "{revision}");
            assert_eq!(stream.method().await, TOOLS);
            Some(())
        })
        .await;
    }
}

#[tokio::test]
async fn subscriptions_at_two_replicas_at_once_are_both_kept() {
    let replicas = Replicas::two().await;
    let here = replicas.session(LEGACY).await;
    let there = replicas.at(1, &here);
    let subscribe =
        async |session: &Session, uri: &str| session.ask("resources/subscribe", json!({ "uri": uri })).await;
    for _ in 0..8 {
        let (one, other) = tokio::join!(subscribe(&here, LISTED), subscribe(&there, "test://other"));
        one.result();
        other.result();
        let mut stream = here.listen().await;
        for uri in [LISTED, "test://other"] {
            replicas.worlds[0].fixtures.touch(uri);
            assert_eq!(stream.message().await["params"]["uri"], uri);
        }
        let unsubscribe = async |session: &Session, uri: &str| {
            session.ask("resources/unsubscribe", json!({ "uri": uri })).await.result();
        };
        tokio::join!(unsubscribe(&there, LISTED), unsubscribe(&here, "test://other"));
    }
}

#[tokio::test]
async fn a_change_at_one_replica_is_told_at_the_other_in_both_eras() {
    let replicas = Replicas::two().await;
    let mut streams = Vec::new();
    for revision in WITH_SESSIONS {
        let session = replicas.session(revision).await;
        streams.push(replicas.at(1, &session).listen().await);
    }
    let (mut modern, _) = replicas.worlds[1].listen(json!(1), json!({ "toolsListChanged": true })).await;
    replicas.worlds[0].fixtures.tell(Change::Tools);
    for stream in &mut streams {
        assert_eq!(stream.method().await, TOOLS);
    }
    assert_eq!(modern.method().await, TOOLS);
}

#[tokio::test]
async fn a_question_is_answered_at_any_replica_and_once() {
    let replicas = Replicas::two().await;
    let answer = json!({ "action": "accept", "content": { "name": "Ada" } });
    for revision in [LEGACY, JUNE] {
        let here = replicas.session(revision).await;
        let there = replicas.at(1, &here);
        let call = here.message("tools/call", json!({ "name": "ask", "arguments": { "what": "form" } }));
        let mut stream = here.stream(&call).await;
        let question = stream.message().await;
        let stranger = replicas.at(1, &replicas.session(revision).await);
        assert_eq!(stranger.answer(&question["id"], answer.clone()).await.status, 400, "another session");
        assert_eq!(there.answer(&question["id"], answer.clone()).await.status, 202);
        let messages = stream.rest().await;
        let text = messages[0]["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.contains("Ada"), "{revision}: {text}");
        eventually("the question is gone", async || {
            (there.answer(&question["id"], answer.clone()).await.status == 400).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_client_that_answers_with_an_error_at_another_replica_has_given_no_answer() {
    let replicas = Replicas::two().await;
    let here = replicas.session(LEGACY).await;
    let call = here.message("tools/call", json!({ "name": "ask", "arguments": { "what": "form" } }));
    let mut stream = here.stream(&call).await;
    let question = stream.message().await;
    let error = json!({ "jsonrpc": "2.0", "id": question["id"], "error": { "code": -1, "message": "no" } });
    let there = replicas.at(1, &here);
    assert_eq!(there.send(&there.body(error)).await.status, 202);
    assert_eq!(stream.rest().await[0]["result"]["isError"], true);
}

#[tokio::test]
async fn what_is_cancelled_at_one_replica_ends_at_the_other() {
    let replicas = Replicas::two().await;
    let here = replicas.session(LEGACY).await;
    let call = here.call_message("wait", json!({}));
    let mut stream = here.stream(&call).await;
    stream.message().await;
    let cancel = json!({ "requestId": call.body["id"] });
    assert_eq!(replicas.at(1, &here).notify("notifications/cancelled", cancel).await.status, 202);
    assert!(stream.rest().await.is_empty(), "a cancelled call is not answered");
}

/// redis-and-degradation.md, `every-ttl` and `hashed-keys`.
#[tokio::test]
async fn every_key_has_an_end_and_nothing_that_is_stored_can_be_read() {
    let replicas = Replicas::start_with(2, &["appendonly yes"], |_, _| {}).await;
    let here = replicas.session(LEGACY).await;
    let there = replicas.at(1, &here);
    let _standalone = there.listen().await;
    here.ask("resources/subscribe", json!({ "uri": LISTED })).await.result();
    here.ask("logging/setLevel", json!({ "level": "alert" })).await.result();
    let mut calling = here.stream(&here.call_message("steps", json!({}))).await;
    calling.rest().await;
    let ask = here.message("tools/call", json!({ "name": "ask", "arguments": { "what": "form" } }));
    let _asking = here.stream(&ask).await.message().await;
    there.delete().await;
    let secrets = [LISTED, "alert", "jsonrpc", "steps", "your name", &here.id, "tools/call"];
    let keys = replicas.ends_and_cannot_be_read(&secrets);
    assert!(keys >= 4, "{keys} keys");
}
