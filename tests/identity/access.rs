//! Audience and scopes: what Keycloak puts into a token decides what it is good for.

use crds::gateway_config::PrincipalKind;
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    gateway::{assert_invalid, assert_pong},
    it::support::{Era, client::PUBLIC_URL},
    world::World,
};

const NOT_FOR_US: &str = "the access token was not issued for this server";

pub(crate) async fn a_token_with_audience_and_scope_calls(world: &mut World) {
    let gateway = world.gateway().await;
    let tokens = world.keycloak.client_credentials(&["tools:ping", "tools:echo"]).await.unwrap();
    let claims = tokens.claims();
    let mut audiences: Vec<_> = claims["aud"].as_array().unwrap().iter().collect();
    audiences.sort_by_key(|audience| audience.to_string());
    // One for each mapper; Keycloak's order is none.
    assert_eq!(audiences, [world.found_at.as_str(), PUBLIC_URL]);
    for era in Era::BOTH {
        assert_pong(&gateway.ping(era, &tokens.access_token).await);
        let answer = gateway.call(era, "echo", json!({ "message": "grüße" }), &tokens.access_token).await;
        assert_eq!(answer.result()["structuredContent"]["message"], "grüße");
    }
}

pub(crate) async fn a_token_without_the_audience_is_invalid(world: &mut World) {
    let gateway = world.gateway().await;
    let tokens = world.keycloak.client_credentials(&[]).await.unwrap();
    assert!(tokens.claims().get("aud").is_none(), "{}", tokens.claims());
    for era in Era::BOTH {
        assert_invalid(&gateway.ping(era, &tokens.access_token).await, NOT_FOR_US);
    }
}

pub(crate) async fn a_token_without_the_scope_is_told_which(world: &mut World) {
    let gateway = world.gateway().await;
    let tokens = world.keycloak.client_credentials(&["tools:echo"]).await.unwrap();
    for era in Era::BOTH {
        let answer = gateway.ping(era, &tokens.access_token).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
        assert!(challenge.contains(r#"scope="tools:ping""#), "{challenge}");
    }
}

/// What a service account is told from a person by, in real tokens of both.
pub(crate) async fn people_and_service_accounts_are_told_apart(world: &mut World) {
    let workload = world.keycloak.client_credentials(&["tools:ping"]).await.unwrap();
    let person = world.keycloak.code_flow(&["tools:ping"]).await.unwrap();
    let (humans, workloads) =
        (world.gateway_for(PrincipalKind::Human).await, world.gateway_for(PrincipalKind::Workload).await);
    for (gateway, welcome, stranger) in [(&humans, &person, &workload), (&workloads, &workload, &person)] {
        assert_pong(&gateway.ping(Era::Modern, &welcome.access_token).await);
        let answer = gateway.ping(Era::Modern, &stranger.access_token).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
        assert_eq!(answer.json()["error"], "access_denied", "{}", answer.text());
    }
}

/// RFC 8707 is not in this version: the audience comes from the mapper alone, whatever a client asks for.
pub(crate) async fn the_parameter_resource_gives_no_audience(world: &mut World) {
    let gateway = world.gateway().await;
    let resource = [("resource", PUBLIC_URL)];
    let tokens = world.keycloak.client_credentials_with(&[], &resource).await.unwrap();
    assert_invalid(&gateway.ping(Era::Modern, &tokens.access_token).await, NOT_FOR_US);
    let other = [("resource", "https://other.example.com/mcp")];
    let tokens = world.keycloak.client_credentials_with(&["tools:ping"], &other).await.unwrap();
    assert_pong(&gateway.ping(Era::Modern, &tokens.access_token).await);
}
