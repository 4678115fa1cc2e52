//! People: the login form, PKCE, refreshed tokens, and what the end of a session does and does not do.

use std::time::Duration;

use serde_json::json;
use tests::keycloak::{ACCESS_TOKEN_SECONDS, GROUP, OUTSIDER, Tokens};

use crate::{
    gateway::{assert_invalid, assert_pong},
    it::support::{Era, eventually},
    world::World,
};

/// What the gateway adds to `exp`, and one second.
const BEYOND_LEEWAY: Duration = Duration::from_secs(31);

pub(crate) async fn a_person_signs_in_with_pkce_and_calls(world: &mut World) {
    let gateway = world.gateway().await;
    let tokens = world.keycloak.code_flow(&["tools:ping"]).await.unwrap();
    let claims = tokens.claims();
    assert_eq!(claims["scope"], "tools:ping");
    assert_eq!(claims["groups"], json!([GROUP]));
    assert_eq!(claims["azp"], "person");
    for era in Era::BOTH {
        assert_pong(&gateway.ping(era, &tokens.access_token).await);
    }
}

/// Whose role the scopes need: everybody in the realm can ask for them.
pub(crate) async fn a_person_without_the_role_gets_neither_scope_nor_audience(world: &mut World) {
    let gateway = world.gateway().await;
    let tokens = world.keycloak.code_flow_of(OUTSIDER, &["tools:ping"]).await.unwrap();
    assert_eq!(tokens.claims()["scope"], "");
    let answer = gateway.ping(Era::Modern, &tokens.access_token).await;
    assert_invalid(&answer, "the access token was not issued for this server");
}

pub(crate) async fn without_pkce_nobody_signs_in(world: &mut World) {
    let answer = world.keycloak.authorization_without_pkce(&["tools:ping"]).await.unwrap();
    let query = answer.query().unwrap();
    assert!(query.contains("error=invalid_request") && query.contains("code_challenge_method"), "{answer}");
}

pub(crate) async fn a_refreshed_token_calls(world: &mut World) {
    let gateway = world.gateway().await;
    let first = world.keycloak.code_flow(&["tools:ping"]).await.unwrap();
    let second = world.keycloak.refresh(&first.refresh_token.unwrap()).await.unwrap();
    assert_ne!(first.access_token, second.access_token);
    assert_pong(&gateway.ping(Era::Modern, &second.access_token).await);
}

pub(crate) async fn refresh_and_id_tokens_are_refused(world: &mut World) {
    let gateway = world.gateway().await;
    let tokens = world.keycloak.code_flow(&["openid", "tools:ping"]).await.unwrap();
    for era in Era::BOTH {
        // It is for Keycloak itself, which alone has the key to it.
        let answer = gateway.ping(era, tokens.refresh_token.as_ref().unwrap()).await;
        assert_invalid(&answer, "the access token is signed with an algorithm that is not accepted");
        // This one has the key and, in this realm, the audience of the access token.
        let answer = gateway.ping(era, tokens.id_token.as_ref().unwrap()).await;
        assert_invalid(&answer, "the token is not an access token");
        assert_pong(&gateway.ping(era, &tokens.access_token).await);
    }
}

/// A resource server cannot see that a session has ended: the lifetime of access tokens is the bound.
pub(crate) async fn an_ended_session_gives_no_new_token_and_the_old_one_lives_until_exp(world: &mut World) {
    let gateway = world.gateway().await;
    let tokens = world.keycloak.code_flow(&["tools:ping"]).await.unwrap();
    let claims = tokens.claims();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), ACCESS_TOKEN_SECONDS);
    world.keycloak.end_sessions().await.unwrap();
    let refused = world.keycloak.refresh(tokens.refresh_token.as_ref().unwrap()).await.err().unwrap().to_string();
    assert!(refused.contains("invalid_grant"), "{refused}");
    assert_pong(&gateway.ping(Era::Modern, &tokens.access_token).await);
    gateway.forward(Duration::from_secs(ACCESS_TOKEN_SECONDS.unsigned_abs()) + BEYOND_LEEWAY);
    assert_invalid(&gateway.ping(Era::Modern, &tokens.access_token).await, "the access token has expired");
}

pub(crate) async fn an_offline_token_ends_with_the_consent(world: &mut World) {
    let gateway = world.gateway().await;
    let tokens = offline_tokens(world).await;
    let tokens = world.keycloak.refresh(&tokens.refresh_token.unwrap()).await.unwrap();
    assert_pong(&gateway.ping(Era::Modern, &tokens.access_token).await);
    world.keycloak.revoke_consent().await.unwrap();
    let refused = world.keycloak.refresh(&tokens.refresh_token.unwrap()).await.err().unwrap().to_string();
    assert!(refused.contains("invalid_grant"), "{refused}");
}

pub(crate) async fn an_offline_token_ends_with_all_sessions(world: &mut World) {
    let token = offline_tokens(world).await.refresh_token.unwrap();
    // Keycloak then refuses what was issued in an earlier second.
    eventually("the token is refused", async || {
        world.keycloak.end_sessions().await.unwrap();
        let refused = world.keycloak.refresh(&token).await.err()?.to_string();
        assert!(refused.contains("invalid_grant"), "{refused}");
        Some(())
    })
    .await;
}

/// With a refresh token that belongs to no session.
async fn offline_tokens(world: &World) -> Tokens {
    world.keycloak.code_flow(&["tools:ping", "offline_access"]).await.unwrap()
}
