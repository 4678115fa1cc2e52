//! The end of a process as clients see it: calls are answered, streams end in order (protocol.md, section 7; section
//! 9, point 7).

use serde_json::json;

use crate::support::World;
use crate::support::message::{LEGACY, WITH_SESSIONS};
use crate::support::world::call;

#[tokio::test]
async fn listen_streams_end_with_their_result() {
    let world = World::new().await;
    let filter = json!({ "toolsListChanged": true });
    let (mut number, _) = world.listen(json!(7), filter.clone()).await;
    let (mut text, _) = world.listen(json!("seven"), filter).await;
    let ended = world.gateway.stop();
    for (stream, id) in [(&mut number, json!(7)), (&mut text, json!("seven"))] {
        let messages = stream.rest().await;
        let [result] = messages.as_slice() else { panic!("one result: {messages:?}") };
        assert_eq!(result["id"], id);
        assert_eq!(result["result"]["resultType"], "complete");
        assert_eq!(result["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id);
    }
    ended.await;
}

#[tokio::test]
async fn streams_of_sessions_end() {
    let world = World::new().await;
    let mut streams = Vec::new();
    for revision in WITH_SESSIONS {
        streams.push(world.session(revision).await.listen().await);
    }
    let ended = world.gateway.stop();
    for stream in &mut streams {
        assert!(stream.rest().await.is_empty());
    }
    ended.await;
}

#[tokio::test]
async fn calls_in_flight_are_answered_in_both_eras() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    let mut modern = world.gateway.client.stream(&call("wait", json!({})), &world.token).await;
    let mut legacy = session.stream(&session.call_message("wait", json!({}))).await;
    modern.message().await;
    legacy.message().await;
    let (mut listening, _) = world.listen(json!(1), json!({ "toolsListChanged": true })).await;
    let ended = world.gateway.stop();
    // Streams end some time after the stop, and calls may go on after that.
    listening.rest().await;
    for _ in 0..2 {
        world.fixtures.release();
    }
    for stream in [&mut modern, &mut legacy] {
        let messages = stream.rest().await;
        assert_eq!(messages.last().unwrap()["result"]["content"][0]["text"], "released");
    }
    ended.await;
    assert_eq!(world.fixtures.counts(), (2, 2, 0));
}
