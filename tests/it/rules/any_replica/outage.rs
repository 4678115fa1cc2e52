//! What is served while the Redis is away, and afterwards (redis-and-degradation.md, section 6).

use serde_json::json;
use server::features::Change;

use crate::support::Message;
use crate::support::message::{LEGACY, WITH_SESSIONS};
use crate::support::patience::eventually;
use crate::support::provider::LISTED;
use crate::support::replicas::Replicas;

#[tokio::test]
async fn sessions_go_on_and_what_only_the_store_knows_is_503_and_never_404() {
    let mut replicas = Replicas::two().await;
    for revision in WITH_SESSIONS {
        let here = replicas.session(revision).await;
        let there = replicas.at(1, &here);
        let mut open = here.listen().await;
        replicas.redis.kill();
        for session in [&here, &there] {
            session.ask("ping", json!({})).await.result();
            let said = session.ask("tools/call", json!({ "name": "say", "arguments": { "text": "on" } })).await;
            assert_eq!(said.result()["content"][0]["text"], "on");
            let call = session.call_message("steps", json!({}));
            assert_eq!(session.stream(&call).await.rest().await.len(), 4, "{revision}: streams of calls go on");
            session.ask("logging/setLevel", json!({ "level": "alert" })).await.assert_try_again();
            session.ask("resources/subscribe", json!({ "uri": LISTED })).await.assert_try_again();
            session.delete().await.assert_try_again();
        }
        there.refused_get(&[]).await.assert_try_again();
        there.refused_get(&[("last-event-id", "1-0")]).await.assert_try_again();
        there.answer(&json!(1), json!({})).await.assert_try_again();
        replicas.worlds[0].fixtures.tell(Change::Tools);
        assert_eq!(open.method().await, super::TOOLS, "{revision}: an open stream goes on");
        let opened = replicas.session(revision).await;
        opened.ask("ping", json!({})).await.result();
        replicas.redis.start_again().unwrap();
        eventually("the level can be set again", async || {
            (there.ask("logging/setLevel", json!({ "level": "alert" })).await.status == 200).then_some(())
        })
        .await;
        assert_eq!(there.delete().await.status, 204);
        // The other one may reach the store a little later; until then it serves, since it assumes nothing.
        eventually("the session is over everywhere", async || {
            (here.ask("ping", json!({})).await.status == 404).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_stream_that_outlived_the_outage_can_be_gone_on_with_elsewhere() {
    let mut replicas = Replicas::two().await;
    let here = replicas.session(LEGACY).await;
    let there = replicas.at(1, &here);
    let mut stream = here.listen().await;
    replicas.redis.kill();
    replicas.worlds[0].fixtures.tell(Change::Prompts);
    stream.message().await;
    replicas.redis.start_again().unwrap();
    eventually("the store is used again", async || {
        (here.ask("logging/setLevel", json!({ "level": "alert" })).await.status == 200).then_some(())
    })
    .await;
    // The data of before is lost: the Redis of these tests keeps nothing.
    let seen = stream.last_id();
    let mut moved = there.resume(&seen, None).await;
    let before: u64 = seen.split_once('-').unwrap().1.parse().unwrap();
    for _ in 0..3 {
        moved.message().await;
        let number: u64 = moved.last_id().split_once('-').unwrap().1.parse().unwrap();
        assert!(number > before, "no event id comes twice");
    }
}

#[tokio::test]
async fn the_modern_era_does_not_notice() {
    let mut replicas = Replicas::two().await;
    let world = &replicas.worlds[0];
    let (mut stream, _) = world.listen(json!(1), json!({ "toolsListChanged": true })).await;
    replicas.redis.kill();
    let call = Message::call(crate::support::Era::Modern, "say", json!({ "text": "on" }));
    assert_eq!(world.result(&call).await["content"][0]["text"], "on");
    world.fixtures.tell(Change::Tools);
    assert_eq!(stream.method().await, super::TOOLS);
}
