//! Calls: results of every peer reach clients of every revision as the peer has written them.

use crate::{voice::REVISIONS, world::World};

const MESSAGE: &str = r#"{"message":"grüße, 日本 \u0001 \"x\""}"#;

pub(crate) async fn results_pass_through_in_every_revision(world: &mut World) {
    for fronted in &world.peers {
        let expected = fronted.expected;
        let direct = fronted.voice().await;
        let sum = r#"{"a":2,"b":3}"#;
        let (structured, arguments) = expected.structured;
        let calls = [("echo", MESSAGE), (expected.add, sum), (structured, arguments)];
        for revision in REVISIONS {
            let voice = world.voice(revision).await;
            for (tool, arguments) in calls {
                let own = direct.call(tool, arguments).await;
                let passed = voice.call(&fronted.tool(tool), arguments).await;
                let what = format!("{} {tool} in {revision}", fronted.name);
                assert_eq!(passed.raw_content(), own.raw_content(), "{what}");
                let (own, passed) = (own.result(), passed.result());
                assert_ne!(passed["isError"], true, "{what}: {passed}");
                if revision == "2025-03-26" {
                    assert!(passed.get("structuredContent").is_none(), "{what}: {passed}");
                } else {
                    assert_eq!(passed["structuredContent"], own["structuredContent"], "{what}");
                }
            }
            let answer = voice.call(&fronted.tool(structured), arguments).await.result();
            let has_structure = answer["structuredContent"].is_object();
            assert_eq!(has_structure, revision != "2025-03-26", "{} in {revision}: {answer}", fronted.name);
        }
    }
}

pub(crate) async fn a_failing_tool_is_a_result(world: &mut World) {
    for fronted in &world.peers {
        let (tool, arguments) = fronted.expected.fail;
        let own = fronted.voice().await.call(tool, arguments).await.failure();
        for revision in REVISIONS {
            let passed = world.voice(revision).await.call(&fronted.tool(tool), arguments).await.failure();
            assert_eq!(passed, own, "{} in {revision}", fronted.name);
        }
    }
}

/// Nothing is asked of clients in the name of an upstream so far.
pub(crate) async fn a_tool_that_asks_for_input_is_told_that_it_cannot(world: &mut World) {
    for fronted in world.ours() {
        for revision in REVISIONS {
            let said = world.voice(revision).await.call(&fronted.tool("greet"), "{}").await.failure();
            // In the older era it hears from the gateway that its client cannot be asked, and says so itself.
            if fronted.revision == "2026-07-28" {
                let name = fronted.name;
                assert_eq!(
                    said,
                    format!("upstream {name:?} asks for input, which is not supported for upstream tools")
                );
            }
        }
    }
}
