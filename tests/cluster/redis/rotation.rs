//! New passwords and keys while somebody calls.

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tests::{
    command::{run, wait_until},
    load::Plan,
};

use super::{Asked, REDIS, load, with_managed_redis};
use crate::{
    failures::{kill_operators, wait_for_operators},
    rollout::{start, straight_to_the_service},
    space::{MCP_SERVERS, NAME, PATIENCE, Space},
    world::World,
};

/// Three rollouts of two pods that drain: longer than what is usually waited for.
const ROTATION: u32 = 3;

/// The same where each step waits besides for another operator to lead.
const ROTATION_WITH_KILLS: u32 = 12;

/// Calls of all clients together while operators are killed.
const CALLS_PER_SECOND: u32 = 200;

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

/// Whenever something of the rotation is seen to have moved, all operators are killed.
///
/// Source: operator.md, `crash-in-rotation`.
pub(crate) fn a_rotation_goes_on_whenever_the_operator_is_killed(world: &World) -> Result<()> {
    let space = Space::new(world, "kills")?;
    with_managed_redis(&space, &json!({}))?;
    space.wait_pong()?;
    let plan = Plan { calls_per_second: CALLS_PER_SECOND, streams: 0, ..straight_to_the_service(&space)? };
    let load = start(&space, plan)?;
    let (mut step, mut kills, mut proven) = (step_of(&space)?, 0, 0);
    run(&mut space.kubectl(&["annotate", MCP_SERVERS, NAME, "mcpfoundry.dev/rotate-at=now"]))?;
    wait_until("the rotation is over", PATIENCE * ROTATION_WITH_KILLS, || {
        let look = || -> Result<Value> {
            proven += usize::from(one_credential_works(&space)?);
            let now = step_of(&space)?;
            if now != step {
                kill_operators(world)?;
                (step, kills) = (now, kills + 1);
            }
            in_use(&space)
        };
        let found = { look }().map_err(|problem| format!("{problem:#}"))?;
        if found == json!({ "sealingKeys": [2, 1], "redisCredentials": [2] }) { Ok(()) } else { Err(found.to_string()) }
    })
    .with_context(|| load.report().to_string())?;
    wait_for_operators(world)?;
    space.wait_ready()?;
    secrets_are(&space, &["redis-2", "sealing-1", "sealing-2"])?;
    let report = load.finish()?;
    println!("        operators killed {kills} times, a credential seen to work {proven} times; {report}");
    ensure!(kills >= 2 && proven > 0, "killed {kills} times, proven {proven} times: that shows nothing");
    ensure!(report.failed() == 0, "{} calls failed", report.failed());
    Ok(())
}

/// What a step of the rotation changes: Secrets, what is noted of them, and what the workloads mount.
fn step_of(space: &Space<'_>) -> Result<String> {
    let of = |resource: &str, name: &str| space.get(resource, name);
    let secrets = space.children("secrets")?;
    let names: Vec<&Value> = secrets.iter().map(|secret| &secret["metadata"]["name"]).collect();
    let (set, deployment) = (of("statefulset", REDIS)?, of("deployment", NAME)?);
    let mounted = [&set, &deployment].map(|object| object["spec"]["template"]["spec"]["volumes"].clone());
    Ok(json!({ "names": names, "mounted": mounted }).to_string())
}

/// Whether the Redis could be asked; then one of the credentials that there are lets in.
fn one_credential_works(space: &Space<'_>) -> Result<bool> {
    let secrets = space.children("secrets")?;
    let Ok(pod) = space.get("pod", &format!("{REDIS}-0")) else { return Ok(false) };
    let redis = Asked { space, ip: pod["status"]["podIP"].as_str().unwrap_or_default() };
    // While it restarts nobody answers.
    let Ok(answer) = redis.ask(None, &["PING"]) else { return Ok(false) };
    ensure!(answer.starts_with("NOAUTH"), "a stranger is answered {answer}");
    for secret in &secrets {
        let is_ours = secret["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(REDIS));
        let text = |key: &str| -> Option<String> {
            String::from_utf8(STANDARD.decode(secret["data"][key].as_str()?).ok()?).ok()
        };
        if let (true, Some(user), Some(password)) = (is_ours, text("username"), text("password"))
            && redis.ask(Some((&user, &password)), &["PING"]).is_ok_and(|answer| answer == "PONG")
        {
            return Ok(true);
        }
    }
    // It may have gone meanwhile.
    ensure!(redis.ask(None, &["PING"]).is_err(), "no credential lets in");
    Ok(false)
}

fn in_use(space: &Space<'_>) -> Result<Value> {
    Ok(space.get(MCP_SERVERS, NAME)?["status"]["secrets"].clone())
}

fn secrets_are(space: &Space<'_>, wanted: &[&str]) -> Result<()> {
    wait_until("the former Secret is gone", PATIENCE, || {
        let secrets = space.children("secrets").map_err(|problem| format!("{problem:#}"))?;
        let names = secrets.iter().filter_map(|secret| secret["metadata"]["name"].as_str());
        let prefix = format!("{NAME}-");
        let mut found: Vec<&str> =
            names.filter_map(|name| name.strip_prefix(&prefix)?.rsplit_once('-').map(|(purpose, _)| purpose)).collect();
        found.sort_unstable();
        if found == wanted { Ok(()) } else { Err(found.join(", ")) }
    })
    .context("with the Secrets that are left")
}
