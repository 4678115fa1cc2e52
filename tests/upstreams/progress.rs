//! Progress: under the client's own token, and only where it was asked for.

use serde_json::json;

use crate::{
    voice::{PROGRESS_TOKEN, REVISIONS},
    world::World,
};

pub(crate) async fn progress_carries_the_clients_own_token(world: &mut World) {
    for fronted in &world.peers {
        let (tool, arguments) = fronted.expected.slow;
        let tool = fronted.tool(tool);
        for revision in REVISIONS {
            let voice = world.voice(revision).await;
            let heard = voice.send(&voice.call_with_progress(&tool, arguments)).await;
            let what = format!("{tool} in {revision}");
            assert_ne!(heard.result()["isError"], true, "{what}");
            let notes = heard.notifications();
            assert_eq!(notes.len(), 3, "{what}: {notes:?}");
            for (note, step) in notes.iter().zip(1..) {
                assert_eq!(note["method"], "notifications/progress", "{what}");
                let params = &note["params"];
                assert_eq!(params["progressToken"], PROGRESS_TOKEN, "{what}");
                assert_eq!(params["progress"].as_f64(), Some(f64::from(step)), "{what}");
                assert_eq!(params["total"].as_f64(), Some(3.0), "{what}");
                let message = if fronted.expected.is_ours { json!(format!("step {step}")) } else { json!(null) };
                assert_eq!(params["message"], message, "{what}");
            }
            let silent = voice.call(&tool, arguments).await;
            assert!(silent.notifications().is_empty(), "{what}, without a token: {:?}", silent.notifications());
        }
    }
}
