//! A tightened rule must not wait for a rollout.

use anyhow::{Result, ensure};
use serde_json::json;
use tests::command::wait_until;

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
    wait_until("ping needs the new scope", PATIENCE, || {
        let answer = world.send(&client, &client.call("ping", &json!({}))).map_err(|problem| format!("{problem:#}"))?;
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        if answer.status == 403 && challenge.contains("ping:strict") {
            Ok(())
        } else {
            Err(format!("status {}", answer.status))
        }
    })?;
    let object = space.wait_for("PolicyInForce", |condition| condition["status"] == "True")?;
    ensure!(object["status"]["policyRevision"].is_string(), "status names no policy revision");
    let strict = space.client_with(&["ping:strict"])?;
    let answer = world.send(&strict, &strict.call("ping", &json!({})))?;
    answer.result()?;
    ensure!(space.pods()? == pods, "pods were replaced or restarted");
    Ok(())
}
