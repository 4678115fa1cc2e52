//! A person signs in: the official SDK, told nothing but the URL of the endpoint, through Traefik, at a real Keycloak.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::{
    cluster::{HOST_ADDRESS, NODE_ADDRESS},
    command::wait_until,
    keycloak::{Keycloak, PERSON},
    sdk_oauth::{MODES, Run, SdkOAuth, ensure_walked},
};

use crate::{
    clients::WITH_HOSTS,
    space::{PATIENCE, Space},
    world::World,
};

/// 401, metadata, discovery, registration, PKCE, a token with `resource`, a call: each step found by the one before.
pub(crate) fn an_sdk_finds_its_way_from_the_url_to_a_call(world: &World) -> Result<()> {
    let space = Space::new(world, "sign-in")?;
    let endpoint = space.endpoint();
    let address = HOST_ADDRESS.parse()?;
    let keycloak = world.wait(Keycloak::start(address, &world.ca, &[&endpoint], &world.options))?;
    let mut server = space.server();
    server["spec"]["auth"]["issuers"] = json!([{
        "issuer": keycloak.issuer_url(),
        "preset": "keycloak",
        "allowPrivateAddresses": true,
        "caConfigMapRef": { "name": "issuer-ca" },
    }]);
    server["spec"]["authorization"] = json!({ "rules": [
        { "tools": ["ping"], "scopes": ["tools:ping"], "principalKinds": ["Human"] },
    ]});
    space.apply(&server)?;
    space.wait_ready()?;
    let stranger = space.client_with(&[])?;
    wait_until("the endpoint asks for a token through the ingress", PATIENCE, || {
        let answer =
            world.send(&stranger, &stranger.call("ping", &json!({}))).map_err(|problem| format!("{problem:#}"))?;
        if answer.status == 401 { Ok(()) } else { Err(answer.status.to_string()) }
    })?;
    let discovery = world.wait(keycloak.discovery())?;
    let sdk = SdkOAuth::installed(&world.options)?;
    for (mode, revision) in MODES {
        let answer = run(&space, &sdk, &keycloak, mode)?;
        ensure!(answer["protocolVersion"] == revision, "{mode}: {answer}");
        ensure!(answer["results"][0]["structured"]["message"] == "pong", "{mode}: {answer}");
        ensure_walked(&answer, &endpoint, &discovery).with_context(|| format!("{mode}: {answer}"))?;
        println!("        {mode}: signed in, called with the scopes {}", answer["granted"]);
    }
    Ok(())
}

/// One run, in a mount namespace whose hosts file knows the endpoint's name.
fn run(space: &Space<'_>, sdk: &SdkOAuth, keycloak: &Keycloak, mode: &str) -> Result<Value> {
    let work = tempfile::tempdir()?;
    let (hosts, authority) = (work.path().join("hosts"), work.path().join("ca.crt"));
    fs::write(&hosts, format!("127.0.0.1 localhost\n{NODE_ADDRESS} {}\n", space.host()))?;
    fs::write(&authority, keycloak.ca_pem())?;
    let mut launcher = Command::new("unshare");
    launcher.args(["--mount", "--propagation", "private", "sh", "-c", WITH_HOSTS, "sh"]).arg(&hosts);
    launcher.args(["timeout", "90"]);
    let calls = json!([{ "name": "ping", "arguments": {} }]);
    let person = (PERSON, keycloak.password());
    sdk.run(launcher, &Run { endpoint: &space.endpoint(), mode, calls: &calls, ca_file: &authority, person })
}
