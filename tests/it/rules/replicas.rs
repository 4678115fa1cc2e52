//! Several pods without a shared store: what a session needs of one pod alone is not there, and is not announced.

use serde_json::json;

use crate::support::message::{LEGACY, MARCH, WITH_SESSIONS};
use crate::support::session::everything;
use crate::support::{GatewayOptions, Message, World};

async fn two_replicas() -> World {
    World::with(|options| options.policy.replicas = 2).await
}

#[tokio::test]
async fn get_and_delete_are_405_and_say_so_inside_a_session() {
    let world = two_replicas().await;
    for revision in WITH_SESSIONS {
        let session = world.session(revision).await;
        let answers = [
            session.refused_get(&[]).await,
            session.refused_get(&[("last-event-id", "1-0")]).await,
            session.delete().await,
        ];
        for answer in answers {
            assert_eq!((answer.status.as_u16(), answer.code()), (405, -32600), "{revision}");
            assert_eq!(answer.header("allow"), Some("POST"));
        }
        session.ask("ping", json!({})).await.result();
    }
}

#[tokio::test]
async fn nothing_that_needs_a_stream_of_the_session_is_announced_or_served() {
    let world = two_replicas().await;
    let announced = json!({ "tools": {}, "resources": {}, "prompts": {}, "completions": {} });
    for revision in WITH_SESSIONS {
        let initialized = world.gateway.client.send(&Message::initialize(revision), Some(&world.token)).await;
        assert_eq!(initialized.result()["capabilities"], announced, "{revision}");
        let session = world.session(revision).await;
        for (method, params) in [
            ("resources/subscribe", json!({ "uri": "test://listed" })),
            ("resources/unsubscribe", json!({ "uri": "test://listed" })),
            ("logging/setLevel", json!({ "level": "debug" })),
        ] {
            assert_eq!(session.ask(method, params).await.code(), -32601, "{revision} {method}");
        }
    }
}

#[tokio::test]
async fn a_client_is_not_asked_where_its_answer_may_reach_another_pod() {
    let world = two_replicas().await;
    for revision in [LEGACY, MARCH] {
        let session = world.session(revision).await;
        for what in ["form", "roots", "sampling"] {
            let call = json!({ "name": "ask", "arguments": { "what": what } });
            let answer = session.ask("tools/call", call).await;
            assert!(!answer.is_stream(), "{revision} {what}");
            assert_eq!(answer.result()["isError"], true, "{revision} {what}");
        }
    }
}

#[tokio::test]
async fn calls_and_their_progress_are_served_as_ever() {
    let world = two_replicas().await;
    let session = world.session(LEGACY).await;
    let mut stream = session.stream(&session.call_message("steps", json!({}))).await;
    assert_eq!(stream.rest().await.len(), 4);
}

/// Modern requests carry all that they need, so nothing changes for them.
#[tokio::test]
async fn the_modern_era_has_everything() {
    let world = two_replicas().await;
    let discovered = world.result(&Message::modern("server/discover", json!({}))).await;
    assert_eq!(discovered["capabilities"]["resources"], json!({ "listChanged": true, "subscribe": true }));
    let (_stream, acknowledged) = world.listen(json!(1), json!({ "toolsListChanged": true })).await;
    assert_eq!(acknowledged["params"]["notifications"]["toolsListChanged"], true);
}

/// A session is sealed in its id: another pod with the same key serves it, and one with another key does not know it.
#[tokio::test]
async fn a_session_goes_on_at_a_pod_with_the_same_sealing_key_alone() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for key in [1, 2] {
        std::fs::write(path(&key.to_string()), [key; 32]).unwrap();
    }
    let with_key = |options: &mut GatewayOptions, key: &str| {
        options.policy.replicas = 2;
        options.config.sealing_key_files = vec![path(key)];
    };
    let one = World::with(|options| with_key(options, "1")).await;
    let issuer = &one.gateway.issuer;
    std::fs::write(path("ca.crt"), issuer.ca_pem()).unwrap();
    let pod = async |key: &str| {
        World::with(|options| {
            with_key(options, key);
            options.trust(issuer.issuer_url(), &path("ca.crt"));
        })
        .await
    };
    let (same, other) = (pod("1").await, pod("2").await);
    let session = one.session(LEGACY).await;
    session.ask("ping", json!({})).await.result();
    session.at(&same.gateway.client).ask("ping", json!({})).await.result();
    assert_eq!(session.at(&other.gateway.client).ask("ping", json!({})).await.status, 404);
    // A state and a cursor of one pod are good at the other too, and for the same caller alone.
    let ask = || Message::modern("tools/call", json!({ "name": "ask" })).able(everything());
    let state = one.result(&ask()).await["requestState"].clone();
    let retry = ask().with("/params/requestState", state).with("/params/inputResponses", json!({}));
    let at = async |world: &World| world.gateway.client.send(&retry, Some(&one.token)).await;
    assert_eq!(at(&same).await.result()["resultType"], "complete");
    assert_eq!(at(&other).await.code(), -32602);
}
