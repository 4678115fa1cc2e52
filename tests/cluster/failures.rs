//! Bad input changes nothing that runs, and a dead operator is nobody's problem for long.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::{
    command::{output, run, wait_until},
    install,
};

use crate::{
    audit::{Entry, listed},
    space::{CHILDREN, PATIENCE, Space, named},
    world::World,
};

pub(crate) fn a_missing_ca_is_named_and_old_pods_serve(world: &World) -> Result<()> {
    let space = Space::new(world, "ca")?;
    space.ready_server()?;
    space.wait_pong()?;
    let pods = space.pods()?;
    let issuer = |ca: &str| {
        json!({ "auth": { "issuers": [{
            "issuer": world.issuer.issuer_url(), "caConfigMapRef": { "name": ca }, "allowPrivateAddresses": true,
        }] } })
    };
    space.change(&issuer("gone"))?;
    let object = space.wait_for("Ready", |ready| ready["status"] == "False")?;
    let messages = object["status"]["conditions"].to_string();
    ensure!(messages.contains("gone"), "no condition names the ConfigMap `gone`: {messages}");
    space.wait_pong()?;
    ensure!(space.pods()? == pods, "pods were replaced or restarted");
    space.change(&issuer("issuer-ca"))?;
    space.wait_ready().context("after the reference is right again").map(drop)
}

pub(crate) fn a_bad_image_is_named_and_old_pods_serve(world: &World) -> Result<()> {
    let space = Space::new(world, "image")?;
    space.ready_server()?;
    space.wait_pong()?;
    let before = space.pods()?;
    let image = "registry.invalid/no-such-image:1";
    space.change(&json!({ "pod": { "image": image } }))?;
    let named = |condition: &Value| {
        condition["status"] != "True" && condition["message"].as_str().unwrap_or_default().contains(image)
    };
    space.wait_for("WorkloadAvailable", named)?;
    space.wait_pong()?;
    let after = space.pods()?;
    ensure!(before.iter().all(|pod| after.contains(pod)), "the pods that served are gone: {before:?}, now {after:?}");
    space.change(&json!({ "pod": { "image": null } }))?;
    space.wait_ready().context("after the image is right again").map(drop)
}

pub(crate) fn a_killed_operator_finishes_what_it_began(world: &World) -> Result<()> {
    let whole = Space::new(world, "undisturbed")?;
    whole.ready_server()?;
    let space = Space::new(world, "killed")?;
    space.apply(&space.server())?;
    kill_operators(world)?;
    space.wait_ready()?;
    space.wait_pong()?;
    let kinds = |space: &Space<'_>| -> Result<Vec<String>> {
        let mut names: Vec<String> = space.children(CHILDREN)?.iter().map(named).collect();
        // Names of configurations hold a hash, which differs with the host.
        names
            .iter_mut()
            .filter(|name| name.contains("-config-"))
            .for_each(|name| "ConfigMap/configuration".clone_into(name));
        names.sort();
        Ok(names)
    };
    let (expected, found) = (kinds(&whole)?, kinds(&space)?);
    ensure!(expected == found, "undisturbed there are {expected:?}, after the kill {found:?}");
    wait_for_operators(world)
}

pub(crate) fn an_operator_restart_writes_nothing(world: &World) -> Result<()> {
    let space = Space::new(world, "restart")?;
    space.ready_server()?;
    world.settle()?;
    let mark = world.audit.mark()?;
    run(operators(world).args(["rollout", "restart", &format!("deployment/{}", install::RELEASE)]))?;
    wait_for_operators(world)?;
    wait_until("a new operator leads", PATIENCE, || {
        let entries = world.audit.of_operator(mark).map_err(|problem| format!("{problem:#}"))?;
        let lists =
            entries.iter().filter(|entry| entry.verb == "list" && entry.object_ref.resource == "mcpservers").count();
        if lists > 0 { Ok(()) } else { Err("nobody has listed McpServers".to_owned()) }
    })?;
    // The verification of pods has no event in the API to wait for.
    std::thread::sleep(std::time::Duration::from_secs(5));
    let entries = world.audit.of_operator(mark)?;
    let writes: Vec<&Entry> = entries.iter().filter(|entry| entry.is_write() && !entry.is_background()).collect();
    ensure!(writes.is_empty(), "a restart wrote:\n  {}", listed(&writes));
    Ok(())
}

/// All of them, at once and without a word: whichever leads is in the middle of something.
pub(crate) fn kill_operators(world: &World) -> Result<()> {
    run(operators(world).args(["delete", "pods", install::POD_SELECTOR, "--grace-period=0", "--force"]))
}

/// `kubectl` in the namespace of the operators.
pub(crate) fn operators(world: &World) -> std::process::Command {
    let mut kubectl = world.cluster.kubectl();
    kubectl.args(["--namespace", install::NAMESPACE]);
    kubectl
}

pub(crate) fn wait_for_operators(world: &World) -> Result<()> {
    output(operators(world).args(["rollout", "status", &format!("deployment/{}", install::RELEASE), "--timeout=90s"]))
        .map(drop)
}
