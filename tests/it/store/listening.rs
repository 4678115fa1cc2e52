//! Messages between replicas, and that nobody who missed one is left in the belief that there was none.

use bytes::Bytes;
use server::store::{Heard, Store};
use tests::redis::{RedisServer, RedisSetup};

use super::running::{PREFIX, Running, standalone, until_heard};
use crate::support::eventually;

fn message(text: &'static str) -> Heard {
    Heard::Message(Bytes::from_static(text.as_bytes()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_replica_tells_every_replica_hears() {
    let redis = RedisServer::start(RedisSetup::default()).unwrap();
    let replicas = [
        Running::ready(standalone(&redis.address())).await,
        Running::ready(standalone(&redis.address())).await,
        Running::ready(standalone(&redis.address())).await,
    ];
    let mut listeners: Vec<_> = replicas.iter().map(|replica| replica.store.hear()).collect();
    until_subscribed(&redis, 3).await;
    replicas[0].store.tell(Bytes::from_static(b"hello")).await.unwrap();
    for listener in &mut listeners {
        until_heard(listener, &message("hello")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_each_new_connection_a_gap_is_heard_and_then_messages() {
    let redis = RedisServer::start(RedisSetup::default()).unwrap();
    let running = Running::start(standalone(&redis.address()));
    let mut listener = running.store.hear();
    until_heard(&mut listener, &Heard::Gap).await;
    for _ in 0..2 {
        assert_eq!(redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap(), "1");
        until_heard(&mut listener, &Heard::Gap).await;
        redis.ask(&["PUBLISH", &format!("{PREFIX}v1:events"), "after"]).unwrap();
        until_heard(&mut listener, &message("after")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_others_and_those_that_are_too_large_are_not_heard() {
    let redis = RedisServer::start(RedisSetup::default()).unwrap();
    let running = Running::ready(standalone(&redis.address())).await;
    let mut listener = running.store.hear();
    until_subscribed(&redis, 1).await;
    let channel = &format!("{PREFIX}v1:events")[..];
    redis.ask(&["PUBLISH", "mcpf:team-b/tools:v1:events", "of another"]).unwrap();
    redis.ask(&["PUBLISH", channel, &"x".repeat(16 * 1024 + 1)]).unwrap();
    redis.ask(&["PUBLISH", channel, "ours"]).unwrap();
    loop {
        match listener.recv().await.unwrap() {
            Heard::Gap => {}
            heard @ Heard::Message(_) => return assert_eq!(heard, message("ours")),
        }
    }
}

async fn until_subscribed(redis: &RedisServer, listeners: usize) {
    eventually("all listen", async || {
        let said = redis.ask(&["PUBSUB", "NUMSUB", &format!("{PREFIX}v1:events")]).unwrap();
        said.ends_with(&format!("\n{listeners}")).then_some(())
    })
    .await;
}
