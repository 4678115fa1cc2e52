//! Sessions of the older revisions: whose they are, how they end, who reads their stream (digest 3.1; section 9, points
//! 6 and 14; protocol.md, section 6).

use serde_json::json;
use server::features::Change;

use crate::support::message::{LEGACY, WITH_SESSIONS};
use crate::support::provider::{LISTED, OTHER};
use crate::support::{Message, World, eventually};

const TOOLS: &str = "notifications/tools/list_changed";

#[tokio::test]
async fn a_session_of_somebody_else_is_an_unknown_one_for_every_method() {
    let world = World::new().await;
    let mine = world.session(LEGACY).await;
    let theirs = mine.with_token(&world.gateway.token_of("somebody-else"));
    let mut unknown = mine.clone();
    unknown.id = "guessed".to_owned();
    let mut texts = Vec::new();
    for session in [&theirs, &unknown] {
        let posted = session.send(&session.message("ping", json!({})).with("/id", json!(1))).await;
        let notified = session.notify("notifications/cancelled", json!({ "requestId": 1 })).await;
        let answered = session.answer(&json!(1), json!({})).await;
        let read = session.refused_get(&[]).await;
        let resumed = session.refused_get(&[("last-event-id", "1-0")]).await;
        let deleted = session.delete().await;
        let answers = [posted, notified, answered, read, resumed, deleted];
        assert!(answers.iter().all(|answer| answer.status == 404), "{answers:?}");
        texts.push(answers.map(|answer| answer.text()));
    }
    assert_eq!(texts[0], texts[1], "nothing tells that it exists");
    mine.ask("ping", json!({})).await.result();
}

#[tokio::test]
async fn an_ended_session_is_an_unknown_one_and_its_streams_are_over() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let session = world.session(revision).await;
        let mut standalone = session.listen().await;
        let call = session.call_message("wait", json!({}));
        let mut calling = session.stream(&call).await;
        assert_eq!(calling.method().await, "notifications/progress");
        assert_eq!(session.delete().await.status, 204);
        assert!(standalone.rest().await.is_empty(), "{revision}");
        assert!(calling.rest().await.is_empty(), "{revision}: an answer after the end");
        assert_eq!(session.ask("ping", json!({})).await.status, 404);
        assert_eq!(session.refused_get(&[("last-event-id", &calling.last_id())]).await.status, 404);
        assert_eq!(session.delete().await.status, 404);
    }
}

#[tokio::test]
async fn a_session_ends_at_its_time_whatever_its_use() {
    let world = World::with(|options| options.policy.limits.session_lifetime_seconds = 60).await;
    let session = world.session(LEGACY).await;
    world.clock.forward(50);
    session.ask("ping", json!({})).await.result();
    world.clock.forward(10);
    assert_eq!(session.ask("ping", json!({})).await.status, 404);
    assert_eq!(session.refused_get(&[]).await.status, 404);
}

/// CVE-2026-33946: one owner at a time.
#[tokio::test]
async fn a_second_get_takes_the_stream_over_and_the_first_one_ends() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    let mut first = session.listen().await;
    world.fixtures.tell(Change::Tools);
    assert_eq!(first.method().await, TOOLS);
    let mut second = session.listen().await;
    assert!(first.rest().await.is_empty());
    world.fixtures.tell(Change::Tools);
    assert_eq!(second.method().await, TOOLS);
}

#[tokio::test]
async fn a_message_goes_to_one_stream_only() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    let mut standalone = session.listen().await;
    let mut calling = session.stream(&session.call_message("steps", json!({}))).await;
    assert_eq!(calling.rest().await.len(), 4, "three steps and the result");
    world.fixtures.tell(Change::Tools);
    assert_eq!(standalone.method().await, TOOLS, "nothing of the call came here");
}

#[tokio::test]
async fn updates_come_on_the_stream_of_the_session_that_subscribed() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let (one, other) = (world.session(revision).await, world.session(revision).await);
        let (mut ones, mut others) = (one.listen().await, other.listen().await);
        one.ask("resources/subscribe", json!({ "uri": LISTED })).await.result();
        world.fixtures.touch(OTHER);
        world.fixtures.touch(LISTED);
        assert_eq!(ones.message().await["params"]["uri"], LISTED);
        one.ask("resources/unsubscribe", json!({ "uri": LISTED })).await.result();
        world.fixtures.touch(LISTED);
        world.fixtures.tell(Change::Tools);
        assert_eq!(ones.method().await, TOOLS);
        assert_eq!(others.method().await, TOOLS);
    }
}

#[tokio::test]
async fn log_messages_come_after_the_session_has_set_a_level_and_from_it_on() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let (session, silent) = (world.session(revision).await, world.session(revision).await);
        session.ask("logging/setLevel", json!({ "level": "alert" })).await.result();
        let mut stream = session.stream(&session.message("tools/call", json!({ "name": "log" }))).await;
        let levels: Vec<_> = stream.rest().await.iter().map(|message| message["params"]["level"].clone()).collect();
        assert_eq!(levels, [json!("alert"), json!("emergency"), json!(null)]);
        assert!(!silent.ask("tools/call", json!({ "name": "log" })).await.is_stream(), "the level of another session");
        let unknown = session.ask("logging/setLevel", json!({ "level": "loud" })).await;
        assert_eq!(unknown.code(), -32602);
    }
}

#[tokio::test]
async fn what_a_client_cancels_ends_and_is_not_answered() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let before = world.fixtures.counts();
        let session = world.session(revision).await;
        let call = session.call_message("wait", json!({}));
        let mut stream = session.stream(&call).await;
        assert_eq!(stream.method().await, "notifications/progress");
        let cancel = json!({ "requestId": call.body["id"], "reason": "no longer needed" });
        assert_eq!(session.notify("notifications/cancelled", cancel).await.status, 202);
        assert!(stream.rest().await.is_empty(), "{revision}: an answer to what was cancelled");
        let (started, finished, cancelled) = world.fixtures.counts();
        assert_eq!((started, finished, cancelled), (before.0 + 1, before.1, before.2 + 1), "{revision}");
    }
}

#[tokio::test]
async fn a_cancelled_call_that_had_said_nothing_is_answered_by_nothing() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    for (accept, status) in [("application/json, text/event-stream", 200), ("application/json", 202)] {
        let started = world.fixtures.counts().0;
        let call = session.message("tools/call", json!({ "name": "wait" })).with_header("accept", accept);
        let cancel = async {
            eventually("it has started", async || (world.fixtures.counts().0 == started + 1).then_some(())).await;
            session.notify("notifications/cancelled", json!({ "requestId": call.body["id"] })).await
        };
        let (answer, _) = tokio::join!(session.send(&call), cancel);
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (status, ""));
    }
}

/// protocol.md, section 2: those of sessions count like those of `subscriptions/listen`.
#[tokio::test]
async fn streams_of_sessions_are_bounded_for_each_principal() {
    let world = World::with(|options| options.policy.limits.streams_per_principal = 2).await;
    let sessions = [world.session(LEGACY).await, world.session(LEGACY).await, world.session(LEGACY).await];
    let _first = sessions[0].listen().await;
    let second = world.listen(json!(1), json!({ "toolsListChanged": true })).await;
    assert_eq!(sessions[2].refused_get(&[]).await.status, 429);
    drop(second);
    let opened = eventually("a place is free again", async || sessions[2].listen_or_refusal().await.ok());
    let mut third = opened.await;
    world.fixtures.tell(Change::Tools);
    assert_eq!(third.method().await, TOOLS);
}

#[tokio::test]
async fn nothing_is_cancelled_from_another_session_or_under_another_id() {
    let world = World::new().await;
    let (session, another) = (world.session(LEGACY).await, world.session(LEGACY).await);
    let call = session.call_message("wait", json!({})).with("/id", json!(1));
    let mut stream = session.stream(&call).await;
    assert_eq!(stream.method().await, "notifications/progress");
    another.notify("notifications/cancelled", json!({ "requestId": 1 })).await;
    for id in [json!("1"), json!(2), json!(1.5), json!(null)] {
        assert_eq!(session.notify("notifications/cancelled", json!({ "requestId": id })).await.status, 202);
    }
    world.fixtures.release();
    let messages = stream.rest().await;
    assert_eq!(messages.last().unwrap()["result"]["content"][0]["text"], "released");
}

/// The gateway sees that the client is gone, and the call goes on: in the older era only the notification cancels.
#[tokio::test]
async fn a_client_that_goes_does_not_cancel_its_call_in_a_session() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let before = world.fixtures.counts();
        let session = world.session(revision).await;
        let connections = world.gateway.client.connections().await;
        let elsewhere = session.elsewhere();
        let streamed = session.call_message("wait", json!({}));
        let mut stream = elsewhere.stream(&streamed).await;
        assert_eq!(stream.method().await, "notifications/progress");
        drop(stream);
        let silent = session.message("tools/call", json!({ "name": "wait" }));
        let unanswered = elsewhere.send(&silent);
        let started =
            eventually("both have started", async || (world.fixtures.counts().0 == before.0 + 2).then_some(()));
        tokio::select! {
            biased;
            answer = unanswered => panic!("it was answered: {answer:?}"),
            () = started => {}
        }
        drop(elsewhere);
        world.until_connections(connections).await;
        world.fixtures.release();
        world.fixtures.release();
        eventually("both have finished", async || {
            (world.fixtures.counts() == (before.0 + 2, before.1 + 2, 0)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_session_id_is_long_random_and_visible_ascii() {
    let world = World::new().await;
    let (one, other) = (world.session(LEGACY).await, world.session(LEGACY).await);
    assert_ne!(one.id, other.id);
    for id in [one.id, other.id] {
        assert!(id.len() >= 32 && id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "{id}");
    }
}

/// A modern request beside a session is served as if there were none: also one that the session would refuse.
#[tokio::test]
async fn a_session_beside_modern_marks_decides_nothing() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    for id in [session.id.as_str(), "guessed"] {
        let message = Message::modern("server/discover", json!({})).header("mcp-session-id", id);
        world.result(&message).await;
    }
}
