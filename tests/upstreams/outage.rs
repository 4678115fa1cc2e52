//! A peer that dies: its tools fail at once and say why, the others notice nothing, and it is found again.

use crate::{
    it::support::eventually,
    report,
    voice::{REVISIONS, Voice},
    world::World,
};

const ECHO: &str = r#"{"message":"x"}"#;

pub(crate) async fn a_dead_peer_is_nobody_elses_problem_and_is_found_again(world: &mut World) {
    for index in 0..world.peers.len() {
        // Before the death: sessions must survive that of somebody else.
        let mut voices = Vec::new();
        for revision in REVISIONS {
            voices.push(world.voice(revision).await);
        }
        world.peers[index].peer.kill();
        for voice in &voices {
            dead_and_alone(world, index, voice).await;
        }
        let name = world.peers[index].name;
        eventually("the report says that it is away", async || {
            let found = report::of(&world.gateway, name).await;
            (found["ready"] == false).then(|| assert!(found["lastError"].is_string(), "{found}"))
        })
        .await;
        world.peers[index].peer.start_again().unwrap_or_else(|problem| panic!("{problem:#}"));
        let tool = world.peers[index].tool("echo");
        eventually(&format!("{tool} works again"), async || {
            let answer = voices[0].call(&tool, ECHO).await;
            (answer.result()["isError"] != true).then_some(())
        })
        .await;
        for voice in &voices {
            assert!(voice.call(&tool, ECHO).await.said().ends_with('x'), "{tool} in {}", voice.revision);
        }
        eventually("the report says that it is back", async || {
            (report::of(&world.gateway, name).await["ready"] == true).then_some(())
        })
        .await;
    }
}

async fn dead_and_alone(world: &World, dead: usize, voice: &Voice) {
    let listed = voice.names().await;
    for (index, fronted) in world.peers.iter().enumerate() {
        let tool = fronted.tool("echo");
        assert!(listed.contains(&tool), "{tool} is not listed in {}", voice.revision);
        let answer = voice.call(&tool, ECHO).await;
        if index == dead {
            let said = answer.failure();
            assert_eq!(said, format!("upstream {:?} cannot be reached", fronted.name), "in {}", voice.revision);
        } else {
            assert!(answer.said().ends_with('x'), "{tool} in {}: {}", voice.revision, answer.answer());
        }
    }
}
