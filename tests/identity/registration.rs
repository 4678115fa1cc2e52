//! Clients that nobody has registered by hand: what Keycloak's policies let them be, and the official SDK as one of them.

use std::{fs, process::Command};

use serde_json::{Value, json};
use tests::{
    keycloak::PERSON,
    sdk_oauth::{MODES, Run, SdkOAuth, ensure_walked},
};

use crate::{gateway::assert_invalid, it::support::Era, world::World};

/// Of a program on the person's own machine.
const REDIRECT: &str = "http://localhost:49152/callback";

pub(crate) async fn a_client_with_a_foreign_redirect_is_refused(world: &mut World) {
    let (status, answer) =
        world.keycloak.register(&client("https://attacker.example.com/callback", "tools:ping")).await.unwrap();
    assert_eq!(status, 403, "{answer}");
    assert_eq!(answer["error"], "insufficient_scope", "Keycloak's word for a policy that says no: {answer}");
    assert!(answer["error_description"].as_str().unwrap().contains("Trusted Hosts"), "{answer}");
}

/// Whoever can bring mappers along gives himself any audience and any scope.
pub(crate) async fn a_client_with_a_mapper_of_its_own_is_refused(world: &mut World) {
    let mapper = json!({
        "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
        "config": { "included.custom.audience": world.found_at, "access.token.claim": "true" },
    });
    let client = json!({ "redirectUris": [REDIRECT], "publicClient": true, "protocolMappers": [mapper] });
    let (status, answer) = world.keycloak.register_as("default", &client).await.unwrap();
    assert_eq!(status, 403, "{answer}");
    assert!(answer["error_description"].as_str().unwrap().contains("Allowed Protocol Mapper Types"), "{answer}");
}

/// Nobody consents to what a workload does: without the role that the scopes need, whoever reaches Keycloak would call tools.
pub(crate) async fn a_workload_that_registered_itself_gets_neither_scope_nor_audience(world: &mut World) {
    let gateway = world.gateway().await;
    let metadata = json!({ "redirect_uris": [REDIRECT], "grant_types": ["client_credentials"], "scope": "tools:ping" });
    let (status, answer) = world.keycloak.register(&metadata).await.unwrap();
    assert_eq!(status, 201, "{answer}");
    let client = (answer["client_id"].as_str().unwrap(), answer["client_secret"].as_str().unwrap());
    let tokens = world.keycloak.client_credentials_of(client, &["tools:ping"], &[]).await.unwrap();
    assert_eq!(tokens.claims()["scope"], "");
    let answer = gateway.ping(Era::Modern, &tokens.access_token).await;
    assert_invalid(&answer, "the access token was not issued for this server");
}

/// A client that names scopes gets these and `basic`, and none of the realm's other default scopes: so the audience must
/// come with the scopes that it names.
pub(crate) async fn a_client_that_names_scopes_gets_the_audience_with_them(world: &mut World) {
    let (status, answer) = world.keycloak.register(&client(REDIRECT, "tools:ping")).await.unwrap();
    assert_eq!(status, 201, "{answer}");
    let id = answer["client_id"].as_str().unwrap();
    let (default, optional) = world.keycloak.client_scopes(id).await.unwrap();
    assert_eq!((default, optional), (vec!["basic".to_owned()], vec!["tools:ping".to_owned()]));
}

fn client(redirect: &str, scope: &str) -> Value {
    json!({
        "client_name": "a stranger", "redirect_uris": [redirect], "scope": scope,
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code"], "response_types": ["code"],
    })
}

pub(crate) async fn the_sdk_registers_signs_in_and_calls(world: &mut World) {
    let sdk = SdkOAuth::installed(&world.options).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.crt");
    fs::write(&ca_file, world.keycloak.ca_pem()).unwrap();
    let calls = json!([{ "name": "ping", "arguments": {} }]);
    let discovery = world.keycloak.discovery().await.unwrap();
    for (mode, revision) in MODES {
        let person = (PERSON, world.keycloak.password());
        let run = Run { endpoint: &world.found_at, mode, calls: &calls, ca_file: &ca_file, person };
        let mut launcher = Command::new("timeout");
        launcher.arg("60");
        let answer = tokio::task::block_in_place(|| sdk.run(launcher, &run)).unwrap();
        assert_eq!(answer["protocolVersion"], revision, "{mode}: {answer}");
        assert_eq!(answer["tools"], json!(["echo", "health_check", "ping"]), "{mode}: {answer}");
        assert_eq!(answer["results"][0]["structured"]["message"], "pong", "{mode}: {answer}");
        ensure_walked(&answer, &world.found_at, &discovery)
            .unwrap_or_else(|problem| panic!("{mode}: {problem:#} in {answer}"));
    }
}
