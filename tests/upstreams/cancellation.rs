//! Cancellation: an upstream does not work for nobody. The peers of ours count what was broken off.

use serde_json::json;

use crate::{
    it::support::eventually,
    voice::Voice,
    world::{Fronted, World},
};

/// A call that would take minutes.
const LONG: &str = r#"{"steps":10000,"milliseconds":20}"#;

pub(crate) async fn whoever_leaves_in_the_modern_era_stops_the_upstream(world: &mut World) {
    let voice = world.voice("2026-07-28").await;
    for fronted in world.ours() {
        let direct = fronted.voice().await;
        let before = interrupted(&direct).await;
        let mut response = voice.post(&voice.call_with_progress(&fronted.tool("slow"), LONG)).await;
        response.chunk().await.unwrap().expect("it says how far it is");
        drop(response);
        until_interrupted(fronted, &direct, before + 1).await;
    }
}

pub(crate) async fn whoever_cancels_in_the_older_era_stops_the_upstream(world: &mut World) {
    for fronted in world.ours() {
        let direct = fronted.voice().await;
        for revision in ["2025-11-25", "2025-06-18", "2025-03-26"] {
            let voice = world.voice(revision).await;
            let before = interrupted(&direct).await;
            let call = voice.call_with_progress(&fronted.tool("slow"), LONG).with("/id", json!("to be cancelled"));
            let mut response = voice.post(&call).await;
            response.chunk().await.unwrap().expect("it says how far it is");
            let cancel = voice.message("notifications/cancelled", json!({ "requestId": "to be cancelled" }));
            assert_eq!(voice.post(&cancel.without("/id")).await.status(), 202);
            until_interrupted(fronted, &direct, before + 1).await;
            // No answer comes, and the stream ends.
            let rest = response.text().await.unwrap();
            assert!(!rest.contains(r#""result""#) && !rest.contains(r#""error""#), "{rest}");
        }
    }
}

async fn until_interrupted(fronted: &Fronted, direct: &Voice, count: u64) {
    let what = format!("{} stops", fronted.name);
    eventually(&what, async || (interrupted(direct).await >= count).then_some(())).await;
    assert_eq!(interrupted(direct).await, count, "{} stopped more than one", fronted.name);
}

async fn interrupted(direct: &Voice) -> u64 {
    direct.call("interrupted", "{}").await.result()["structuredContent"]["result"].as_u64().unwrap()
}
