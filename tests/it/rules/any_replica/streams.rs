//! Streams that are gone on with at another replica.

use serde_json::{Value, json};
use server::features::Change;
use tests::load::Order;

use crate::support::message::{JUNE, LEGACY, WITH_SESSIONS};
use crate::support::replicas::Replicas;

use super::{PROMPTS, TOOLS};

fn texts(messages: &[Value]) -> Vec<String> {
    let text = |message: &Value| match &message["params"]["message"] {
        Value::String(text) => text.clone(),
        _ => message["result"]["content"][0]["text"].as_str().unwrap_or("?").to_owned(),
    };
    messages.iter().map(text).collect()
}

#[tokio::test]
async fn a_call_that_goes_on_at_one_replica_is_read_at_the_other() {
    let replicas = Replicas::two().await;
    for revision in WITH_SESSIONS {
        let here = replicas.session(revision).await;
        let there = replicas.at(1, &here);
        let call = here.call_message("wait", json!({}));
        let mut stream = here.stream(&call).await;
        assert_eq!(texts(&[stream.message().await]), ["waiting"]);
        let seen = stream.last_id();
        let mut resumed = there.resume(&seen, Some(&call)).await;
        assert!(stream.rest().await.is_empty(), "{revision}: one reader at a time");
        replicas.worlds[0].fixtures.release();
        assert_eq!(texts(&resumed.rest().await), ["released", "released"], "{revision}: as it comes");
        // After its end, from the same place at both, and from the end.
        for session in [&there, &here] {
            let mut again = session.resume(&seen, Some(&call)).await;
            assert_eq!(texts(&again.rest().await), ["released", "released"], "{revision}: once more");
            let mut nothing = session.resume(&again.last_id(), Some(&call)).await;
            assert!(nothing.rest().await.is_empty(), "{revision}");
        }
    }
}

#[tokio::test]
async fn an_event_of_another_session_or_of_none_is_unknown_at_every_replica() {
    let replicas = Replicas::two().await;
    let (here, other) = (replicas.session(LEGACY).await, replicas.session(LEGACY).await);
    let mut stream = here.stream(&here.call_message("wait", json!({}))).await;
    stream.message().await;
    let seen = stream.last_id();
    for id in [seen.as_str(), "1-0", "99-0", "x"] {
        let refused = replicas.at(1, &other).refused_get(&[("last-event-id", id)]).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, -32600), "{id}");
    }
    replicas.worlds[0].fixtures.release();
}

#[tokio::test]
async fn the_standalone_stream_moves_with_its_client_and_loses_nothing() {
    let replicas = Replicas::start(3).await;
    for revision in WITH_SESSIONS {
        let session = replicas.session(revision).await;
        let mut stream = session.listen().await;
        let mut order = Order::default();
        let mut seen = |id: String| order.event(&id).unwrap_or_else(|problem| panic!("{revision}: {problem}"));
        replicas.worlds[0].fixtures.tell(Change::Prompts);
        assert_eq!(stream.method().await, PROMPTS);
        let first = stream.last_id();
        seen(first.clone());
        // Sent, and perhaps never read.
        replicas.worlds[0].fixtures.tell(Change::Tools);
        assert_eq!(stream.method().await, TOOLS);
        drop(stream);
        let mut moved = replicas.at(1, &session).resume(&first, None).await;
        assert_eq!(moved.method().await, TOOLS, "{revision}: what was missed comes first");
        seen(moved.last_id());
        // Nobody knows what changed while nobody wrote: all that may have.
        let mut after_move = Vec::new();
        for _ in 0..3 {
            after_move.push(moved.method().await);
            seen(moved.last_id());
        }
        after_move.sort();
        assert_eq!(after_move, [PROMPTS, "notifications/resources/list_changed", TOOLS], "{revision}");
        replicas.worlds[2].fixtures.tell(Change::Prompts);
        assert_eq!(moved.method().await, PROMPTS, "{revision}: and then it goes on");
        seen(moved.last_id());
        let mut third = replicas.at(2, &session).resume(&moved.last_id(), None).await;
        assert!(moved.rest().await.is_empty(), "{revision}: the reader before ends");
        for _ in 0..3 {
            third.message().await;
            seen(third.last_id());
        }
    }
}

/// Back and forth, while all replicas have something to say, and from whichever event was read last.
#[tokio::test]
async fn a_client_that_moves_all_the_time_finds_each_number_once() {
    const MOVES: usize = 45;
    let replicas = Replicas::start(3).await;
    let session = replicas.session(JUNE).await;
    let mut order = Order::default();
    let mut stream = session.listen().await;
    replicas.worlds[0].fixtures.tell(Change::Prompts);
    stream.message().await;
    order.event(&stream.last_id()).unwrap();
    for number in 0..MOVES {
        let next = replicas.at(number * 2 % 3, &session);
        let seen = stream.last_id();
        let talk = async {
            for world in &replicas.worlds {
                world.fixtures.tell(Change::Prompts);
                tokio::task::yield_now().await;
            }
        };
        // The stream before is still open, and ends when its writer learns that it has moved.
        let (moved, ()) = tokio::join!(next.resume(&seen, None), talk);
        stream = moved;
        for _ in 0..=number % 5 {
            stream.message().await;
            order.event(&stream.last_id()).unwrap_or_else(|problem| panic!("move {number}: {problem}"));
        }
    }
}

#[tokio::test]
async fn a_second_get_at_another_replica_takes_the_stream_over() {
    let replicas = Replicas::two().await;
    let here = replicas.session(JUNE).await;
    let there = replicas.at(1, &here);
    let mut first = here.listen().await;
    let mut second = there.listen().await;
    assert!(first.rest().await.is_empty());
    for _ in 0..3 {
        second.message().await;
    }
    replicas.worlds[0].fixtures.tell(Change::Tools);
    assert_eq!(second.method().await, TOOLS);
    let mut third = here.listen().await;
    assert!(second.rest().await.is_empty());
    for _ in 0..3 {
        third.message().await;
    }
    replicas.worlds[1].fixtures.tell(Change::Tools);
    assert_eq!(third.method().await, TOOLS);
}

#[tokio::test]
async fn a_released_client_comes_back_for_its_answer_at_another_replica() {
    let replicas = Replicas::two().await;
    let here = replicas.session(LEGACY).await;
    let call = here.call_message("let_go", json!({}));
    let mut stream = here.stream(&call).await;
    while stream.next().await.is_some() {}
    let mut resumed = replicas.at(1, &here).resume(&stream.last_id(), Some(&call)).await;
    replicas.worlds[0].fixtures.release();
    let messages = resumed.rest().await;
    assert_eq!(texts(&messages).last().unwrap(), "released");
}
