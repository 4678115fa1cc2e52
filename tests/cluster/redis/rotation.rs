//! New passwords and keys while somebody calls.

mod clock;
mod credentials;
mod goal;
mod killed;
mod session;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::command::{run, wait_until};

use super::{REDIS, load, with_managed_redis};
use crate::{
    space::{MCP_SERVERS, NAME, PATIENCE, Space},
    world::World,
};

pub(crate) use killed::a_rotation_goes_on_whenever_the_operator_is_killed;

/// Three rollouts of two pods that drain: longer than what is usually waited for.
const ROTATION: u32 = 3;

/// The former sealing key stays for the longest session, a day: of it only that it is kept can be seen here.
///
/// Source: operator.md, P19; redis-and-degradation.md, `password-rotation`.
pub(crate) fn a_rotation_fails_no_call_and_leaves_one_of_each(world: &World) -> Result<()> {
    let space = Space::new(world, "rotate")?;
    with_managed_redis(&space, &json!({}))?;
    space.wait_pong()?;
    ensure!(in_use(&space)? == json!({ "sealingKeys": [1], "redisCredentials": [1] }), "{}", in_use(&space)?);
    let calls = load::during(&space, || {
        run(&mut space.kubectl(&["annotate", MCP_SERVERS, NAME, "mcpfoundry.dev/rotate-at=now"]))?;
        wait_until("the rotation is over", PATIENCE * ROTATION, || {
            let found = in_use(&space).map_err(|problem| format!("{problem:#}"))?;
            let wanted = json!({ "sealingKeys": [2, 1], "redisCredentials": [2] });
            if found == wanted { Ok(()) } else { Err(found.to_string()) }
        })?;
        secrets_are(&space, &["redis-2", "sealing-1", "sealing-2"])?;
        space.wait_ready()?;
        space.wait_for("RedisReady", |condition| condition["status"] == "True").map(drop)
    })?;
    println!("        {calls} calls, none failed");
    let status = space.get(MCP_SERVERS, NAME)?["status"].clone();
    ensure!(status["lastHandledRotateAt"] == "now", "status answers {}", status["lastHandledRotateAt"]);
    let pod = space.get("pod", &format!("{REDIS}-0"))?;
    ensure!(!pod["spec"]["volumes"].to_string().contains("tools-redis-1-"), "the Redis mounts the former line");
    Ok(())
}

fn in_use(space: &Space<'_>) -> Result<Value> {
    Ok(space.get(MCP_SERVERS, NAME)?["status"]["secrets"].clone())
}

fn secrets_are(space: &Space<'_>, wanted: &[&str]) -> Result<()> {
    wait_until("the former Secret is gone", PATIENCE, || {
        let found = secrets(space).map_err(|problem| format!("{problem:#}"))?;
        if found == wanted { Ok(()) } else { Err(found.join(", ")) }
    })
    .context("with the Secrets that are left")
}

/// Purpose and revision of each that the operator made, sorted.
fn secrets(space: &Space<'_>) -> Result<Vec<String>> {
    let secrets = space.children("secrets")?;
    let names = secrets.iter().filter_map(|secret| secret["metadata"]["name"].as_str());
    let prefix = format!("{NAME}-");
    let without_uid = |name: &str| Some(name.strip_prefix(&prefix)?.rsplit_once('-')?.0.to_owned());
    let mut found: Vec<String> = names.filter_map(without_uid).collect();
    found.sort_unstable();
    Ok(found)
}
