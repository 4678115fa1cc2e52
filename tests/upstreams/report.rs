//! What the admin port says of the peers, which is what the operator reads.

use serde_json::{Value, json};

use crate::{it::support::SpawnedGateway, world::World};

pub(crate) async fn each_peer_is_met_in_the_newest_revision_that_it_speaks(world: &mut World) {
    for fronted in &world.peers {
        let found = of(&world.gateway, fronted.name).await;
        assert_eq!(found["ready"], true, "{found}");
        assert_eq!(found["connectedOnce"], true, "{found}");
        assert_eq!(found["protocolVersion"], fronted.revision, "{found}");
        assert_eq!(found["serverName"], fronted.expected.server_name, "{found}");
        assert!(found["serverVersion"].as_str().is_some_and(|version| !version.is_empty()), "{found}");
        assert_eq!(found["tools"], fronted.expected.tools, "{found}");
        assert!(found.get("lastError").is_none(), "{found}");
    }
    let report = world.gateway.client.admin("/report").await.json();
    let names: Vec<_> = report["upstreams"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, world.peers.iter().map(|fronted| json!(fronted.name)).collect::<Vec<_>>());
    let of_upstreams: u64 = world.peers.iter().map(|fronted| fronted.expected.tools).sum();
    assert_eq!(report["tools"]["count"], of_upstreams + 3, "and the built-ins");
}

/// What is reported of one upstream.
pub(crate) async fn of(gateway: &SpawnedGateway, name: &str) -> Value {
    let report = gateway.client.admin("/report").await.json();
    let all = report["upstreams"].as_array().unwrap();
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name} is not in {report}")).clone()
}
