//! Many clients with the same ids at once: each gets its own answers (P39, CVE-2026-25536). The whole number of calls
//! is for `cargo run --release --package tests --example load`.

use futures::future::join_all;
use serde_json::json;

use crate::support::message::{JUNE, LEGACY, MARCH};
use crate::support::session::everything;
use crate::support::{Message, Session, World};

const CLIENTS: usize = 200;
const CALLS: usize = 50;

/// Calls at a time. Chosen: below what one principal may have in flight, as all clients are one person here.
const AT_A_TIME: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_with_equal_ids_each_get_their_own_answers() {
    let world = World::new().await;
    let places = tokio::sync::Semaphore::new(AT_A_TIME);
    let clients = (0..CLIENTS).map(|client| {
        let (world, places) = (&world, &places);
        async move {
            let revision = [None, Some(LEGACY), Some(JUNE), Some(MARCH)][client % 4];
            let session = match revision {
                Some(revision) if client < 48 => {
                    Some(Session::open(&world.gateway.client, &world.token, revision, &everything()).await)
                }
                _ => None,
            };
            for call in 0..CALLS {
                let _place = places.acquire().await.unwrap();
                let text = format!("client {client}, call {call}");
                let params = json!({ "name": "say", "arguments": { "text": text } });
                let message = match &session {
                    Some(session) => session.message("tools/call", params),
                    None => Message::modern("tools/call", params),
                };
                let answer = world.gateway.client.send(&message.with("/id", json!(call)), Some(&world.token)).await;
                assert_eq!(answer.result()["content"][0]["text"], text);
            }
        }
    });
    join_all(clients).await;
}
