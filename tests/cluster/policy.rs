//! A tightened rule must not wait for a rollout.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::{command::wait_until, mcp_client::McpClient};

use crate::{
    space::{PATIENCE, Space},
    world::World,
};

pub(crate) fn a_tightened_rule_is_in_force_without_a_restart(world: &World) -> Result<()> {
    let space = Space::new(world, "policy")?;
    space.ready_server()?;
    space.wait_pong()?;
    let pods = space.pods()?;
    let client = space.client_with(&["tools:ping"])?;
    space.change(&json!({ "authorization": { "rules": [{ "tools": ["ping"], "scopes": ["ping:strict"] }] } }))?;
    wait_for_challenge(&space, &client)?;
    let object = space.wait_for("PolicyInForce", |condition| condition["status"] == "True")?;
    ensure!(object["status"]["policyRevision"].is_string(), "status names no policy revision");
    let strict = space.client_with(&["ping:strict"])?;
    let answer = world.send(&strict, &strict.call("ping", &json!({})))?;
    answer.result()?;
    ensure!(space.pods()? == pods, "pods were replaced or restarted");
    Ok(())
}

/// One edit tightens a rule, changes the configuration and names an image that does not exist: the rollout hangs, and the pods
/// that serve enforce the rule all the same.
pub(crate) fn a_tightened_rule_is_in_force_beside_a_broken_image(world: &World) -> Result<()> {
    let image = "registry.invalid/no-such-image:1";
    let space = Space::new(world, "both")?;
    space.ready_server()?;
    space.wait_pong()?;
    let before = space.pods()?;
    let client = space.client_with(&["tools:ping"])?;
    let changed = Instant::now();
    space.change(&json!({
        "authorization": { "rules": [{ "tools": ["ping"], "scopes": ["ping:strict"] }] },
        "observability": { "logLevel": "Debug" },
        "pod": { "image": image },
    }))?;
    wait_for_challenge(&space, &client)?;
    println!("        the rule was in force {:.1} s after the edit", changed.elapsed().as_secs_f32());

    let message = |condition: &Value| condition["message"].as_str().unwrap_or_default().to_owned();
    space.wait_for("WorkloadAvailable", |found| found["status"] == "False" && message(found).contains(image))?;
    let told = |found: &Value| {
        found["status"] == "True"
            && message(found).contains("enforced by 1 of 1 pods that serve (1 of them with a configuration of before)")
    };
    space.wait_for("PolicyInForce", told)?;
    space.wait_for("Ready", |ready| ready["status"] == "False")?;
    let after = space.pods()?;
    ensure!(before.iter().all(|pod| after.contains(pod)), "the pods that served are gone: {before:?}, now {after:?}");
    let strict = space.client_with(&["ping:strict"])?;
    world.send(&strict, &strict.call("ping", &json!({})))?.result()?;

    space.change(&json!({ "pod": { "image": null } }))?;
    space.wait_ready().context("after the image is right again").map(drop)
}

/// `ping` is refused for want of the new scope, now or soon.
fn wait_for_challenge(space: &Space<'_>, client: &McpClient) -> Result<()> {
    wait_until("ping needs the new scope", PATIENCE, || {
        let answer =
            space.world.send(client, &client.call("ping", &json!({}))).map_err(|problem| format!("{problem:#}"))?;
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        if answer.status == 403 && challenge.contains("ping:strict") {
            Ok(())
        } else {
            Err(format!("status {}", answer.status))
        }
    })
}
