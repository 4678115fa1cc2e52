//! A Keycloak that dies: tokens go on to work, and when it is back its new ones and its new keys do.

use crate::{gateway::assert_pong, it::support::Era, world::World};

pub(crate) async fn a_dead_issuer_stops_nobody_and_is_found_again(world: &mut World) {
    let gateway = world.gateway().await;
    let before = world.keycloak.code_flow(&["tools:ping"]).await.unwrap();
    world.keycloak.kill();
    assert!(world.keycloak.discovery().await.is_err(), "it is still there");
    for era in Era::BOTH {
        assert_pong(&gateway.ping(era, &before.access_token).await);
    }
    assert!(gateway.is_ready().await);

    world.keycloak.start_again().await.unwrap();
    assert_pong(&gateway.ping(Era::Modern, &before.access_token).await);
    let after = world.keycloak.refresh(&before.refresh_token.unwrap()).await.unwrap();
    assert_pong(&gateway.ping(Era::Modern, &after.access_token).await);

    world.keycloak.rotate_keys().await.unwrap();
    let rotated = world.keycloak.client_credentials(&["tools:ping"]).await.unwrap();
    assert_ne!(rotated.key_id(), after.key_id());
    assert_pong(&gateway.ping(Era::Modern, &rotated.access_token).await);
}
