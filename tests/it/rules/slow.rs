//! Clients that do not read what they asked for (protocol.md, section 2, "slow stream reader").

use serde_json::{Value, json};

use crate::support::message::{Era, LEGACY};
use crate::support::{Message, World, eventually};

/// Far more than the sockets of loopback hold.
const COUNT: u64 = 512;
const BYTES: u64 = 64 * 1024;

fn flood() -> Value {
    json!({ "name": "flood", "arguments": { "count": COUNT, "bytes": BYTES } })
}

/// Until the call has ended, with nobody reading it.
async fn until_flooded(world: &World) {
    let labels = ["outcome=\"success\"", "tool=\"flood\""];
    eventually("the call has ended, unread", async || {
        (world.gateway.client.counted("mcp_server_requests_total", &labels).await == 1).then_some(())
    })
    .await;
}

/// The call does not wait for a slow reader: it ends, and others are served meanwhile.
#[tokio::test]
async fn a_reader_that_is_too_slow_is_sent_away_and_holds_up_nobody() {
    let world = World::new().await;
    let message = Message::modern("tools/call", flood()).logging("debug");
    let mut slow = world.gateway.client.another().stream(&message, &world.token).await;
    until_flooded(&world).await;
    world.result(&Message::call(Era::Modern, "say", json!({ "text": "a" }))).await;
    let messages = slow.rest().await;
    assert!(messages.len() < usize::try_from(COUNT).unwrap(), "all of it was kept for a reader that did not read");
    assert!(messages.iter().all(|message| message.get("result").is_none()), "an answer after a gap");
}

#[tokio::test]
async fn who_was_too_slow_in_a_session_comes_back_for_the_answer() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    session.ask("logging/setLevel", json!({ "level": "debug" })).await.result();
    let call = session.message("tools/call", flood());
    let mut slow = session.elsewhere().stream(&call).await;
    until_flooded(&world).await;
    assert!(slow.rest().await.iter().all(|message| message.get("result").is_none()));
    let rest = session.resume(&slow.last_id(), Some(&call)).await.rest().await;
    assert_eq!(rest.last().unwrap()["result"]["content"][0]["text"], "flooded");
}
