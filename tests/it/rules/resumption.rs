//! Streams that are gone on with: `Last-Event-ID` (digest 3.1, 3.2; section 9, point 14).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use server::features::Change;

use crate::support::message::{JUNE, LEGACY, WITH_SESSIONS};
use crate::support::{Session, World};

fn texts(messages: &[Value]) -> Vec<String> {
    let text = |message: &Value| match &message["params"]["message"] {
        Value::String(text) => text.clone(),
        _ => message["result"]["content"][0]["text"].as_str().unwrap_or("?").to_owned(),
    };
    messages.iter().map(text).collect()
}

/// A call that waits, whose client went after the first message; and the id of that event.
async fn abandoned(session: &Session) -> (crate::support::Message, String) {
    let call = session.call_message("wait", json!({}));
    let mut stream = session.stream(&call).await;
    assert_eq!(texts(&[stream.message().await]), ["waiting"]);
    (call, stream.last_id())
}

#[tokio::test]
async fn who_comes_back_gets_exactly_what_was_missed() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let session = world.session(revision).await;
        let (call, seen) = abandoned(&session).await;
        world.fixtures.release();
        let mut resumed = session.resume(&seen, Some(&call)).await;
        assert_eq!(texts(&resumed.rest().await), ["released", "released"], "{revision}: progress and result");
        // Once more from the same place, and from the end.
        let mut again = session.resume(&seen, Some(&call)).await;
        assert_eq!(texts(&again.rest().await), ["released", "released"], "{revision}");
        let mut nothing = session.resume(&again.last_id(), Some(&call)).await;
        assert!(nothing.rest().await.is_empty(), "{revision}");
    }
}

#[tokio::test]
async fn who_comes_back_before_the_end_gets_the_rest_as_it_comes() {
    let world = World::new().await;
    let session = world.session(JUNE).await;
    let (call, seen) = abandoned(&session).await;
    let mut resumed = session.resume(&seen, Some(&call)).await;
    world.fixtures.release();
    assert_eq!(texts(&resumed.rest().await), ["released", "released"]);
}

#[tokio::test]
async fn the_standalone_stream_goes_on_where_it_was_left() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    let mut stream = session.listen().await;
    world.fixtures.tell(Change::Tools);
    assert_eq!(stream.method().await, "notifications/tools/list_changed");
    let seen = stream.last_id();
    world.fixtures.tell(Change::Prompts);
    assert_eq!(stream.method().await, "notifications/prompts/list_changed");
    drop(stream);
    world.fixtures.tell(Change::Resources);
    let mut resumed = session.resume(&seen, None).await;
    assert_eq!(resumed.method().await, "notifications/prompts/list_changed", "sent, and perhaps never read");
    assert_eq!(resumed.method().await, "notifications/resources/list_changed");
}

#[tokio::test]
async fn no_event_of_another_stream_is_ever_replayed() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    let mut standalone = session.listen().await;
    world.fixtures.tell(Change::Tools);
    standalone.message().await;
    let (one, seen_of_one) = abandoned(&session).await;
    let (_other, _) = abandoned(&session).await;
    world.fixtures.release();
    world.fixtures.release();
    // The schema check panics at an answer to any request but `one`.
    let mut resumed = session.resume(&seen_of_one, Some(&one)).await;
    assert_eq!(texts(&resumed.rest().await), ["released", "released"]);
    world.fixtures.tell(Change::Tools);
    assert_eq!(standalone.method().await, "notifications/tools/list_changed", "nor was anything sent here");
}

#[tokio::test]
async fn an_event_of_another_session_is_an_unknown_one() {
    let world = World::new().await;
    let (one, other) = (world.session(LEGACY).await, world.session(LEGACY).await);
    let (_, seen) = abandoned(&one).await;
    let (_, _) = abandoned(&other).await;
    let refused = other.refused_get(&[("last-event-id", &seen)]).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, -32600));
}

#[tokio::test]
async fn an_event_id_that_was_never_sent_is_refused() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    let (_, _) = abandoned(&session).await;
    for id in ["", "x", "1", "1-", "-1", "99-0", "1-0-0", "4294967296-0", "0-0"] {
        let refused = session.refused_get(&[("last-event-id", id)]).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, -32600), "{id}");
    }
    let twice = session.refused_get(&[("last-event-id", "1-0"), ("last-event-id", "1-0")]).await;
    assert_eq!(twice.status, 400);
}

#[tokio::test]
async fn event_ids_are_unique_over_the_session() {
    let world = World::with(|options| options.policy.limits.sessions_per_principal = 1).await;
    let session = world.session(LEGACY).await;
    let mut seen = BTreeSet::new();
    for round in 0..3 {
        let mut standalone = session.listen().await;
        world.fixtures.tell(Change::Tools);
        let mut calls = [
            session.stream(&session.call_message("steps", json!({}))).await,
            session.stream(&session.call_message("steps", json!({}))).await,
        ];
        let mut ids = Vec::new();
        for stream in &mut calls {
            while let Some(event) = stream.next().await {
                ids.push(event.id.unwrap());
            }
        }
        while standalone.next().await.unwrap().message().is_none() {}
        ids.push(standalone.last_id());
        for id in ids {
            assert!(seen.insert(id.clone()), "round {round}: {id} a second time");
        }
        // The gateway forgets what hangs on the session, since another one takes its place; the session lives on.
        world.session(LEGACY).await;
    }
}

/// What hung on the session is gone: its old event ids name nothing, least of all an event of a new stream.
#[tokio::test]
async fn an_event_from_before_a_session_was_forgotten_is_unknown() {
    let world = World::with(|options| options.policy.limits.sessions_per_principal = 1).await;
    let session = world.session(LEGACY).await;
    let (_, seen) = abandoned(&session).await;
    world.session(LEGACY).await;
    let (_, _) = abandoned(&session).await;
    assert_eq!(session.refused_get(&[("last-event-id", &seen)]).await.status, 400);
}

#[tokio::test]
async fn streams_begin_with_an_empty_event_in_2025_11_25_and_in_no_other_revision() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let session = world.session(revision).await;
        let mut calling = session.stream(&session.call_message("steps", json!({}))).await;
        let first = calling.next().await.unwrap();
        assert_eq!(first.message().is_none(), revision == LEGACY, "{revision}: {first:?}");
        assert_eq!(first.retry.is_some(), revision == LEGACY, "{revision}: {first:?}");
        let mut standalone = session.listen().await;
        world.fixtures.tell(Change::Tools);
        assert_eq!(standalone.next().await.unwrap().message().is_none(), revision == LEGACY, "{revision}");
        let mut once_more = session.listen().await;
        world.fixtures.tell(Change::Tools);
        assert_eq!(once_more.next().await.unwrap().message().is_none(), revision == LEGACY, "{revision}");
    }
}

/// Only a client of 2025-11-25 knows that a stream may end before its answer (digest 3.2).
#[tokio::test]
async fn a_client_is_let_go_before_its_answer_in_2025_11_25_alone() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let session = world.session(revision).await;
        let call = session.call_message("let_go", json!({}));
        let mut stream = session.stream(&call).await;
        if revision == LEGACY {
            assert!(stream.rest().await.iter().all(|message| message.get("result").is_none()));
            stream = session.resume(&stream.last_id(), Some(&call)).await;
        }
        world.fixtures.release();
        assert_eq!(texts(&stream.rest().await).last().unwrap(), "released", "{revision}");
    }
}

#[tokio::test]
async fn without_replay_events_nothing_that_was_read_is_kept() {
    let world = World::with(|options| options.policy.limits.replay_events = 0).await;
    let session = world.session(LEGACY).await;
    let call = session.call_message("steps", json!({}));
    let mut stream = session.stream(&call).await;
    let first = stream.next().await.unwrap().id.unwrap();
    stream.rest().await;
    assert!(session.resume(&first, Some(&call)).await.rest().await.is_empty());
}
