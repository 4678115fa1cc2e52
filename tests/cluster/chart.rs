//! The chart's life: upgrade, uninstall, reinstall, and fewer rights.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use tests::{
    command::{output, run},
    install,
};

use crate::{
    space::{MCP_SERVERS, NAME, Space},
    world::World,
};

pub(crate) fn upgrade_uninstall_and_reinstall_keep_the_servers(world: &World) -> Result<()> {
    let space = Space::new(world, "chart")?;
    space.ready_server()?;
    space.wait_pong()?;
    let (uid, pods) = (space.get(MCP_SERVERS, NAME)?["metadata"]["uid"].clone(), space.pods()?);

    run(install::upgrade(&world.cluster, &world.images).args(["--set", "logLevel=debug"]))?;
    run(world.cluster.helm().args(["uninstall", install::RELEASE, "--namespace", install::NAMESPACE, "--wait"]))?;
    ensure!(space.get(MCP_SERVERS, NAME)?["metadata"]["uid"] == uid, "uninstalling the chart removed the McpServer");
    space.wait_pong()?;

    run(&mut install::upgrade(&world.cluster, &world.images))?;
    space.change(&serde_json::json!({ "replicas": 2 }))?;
    space.wait_ready()?;
    let now = space.pods()?;
    ensure!(pods.iter().all(|pod| now.contains(pod)), "pods were replaced or restarted: {pods:?}, now {now:?}");
    Ok(())
}

pub(crate) fn a_list_of_namespaces_needs_no_cluster_role(world: &World) -> Result<()> {
    let (inside, outside) = (Space::new(world, "inside")?, Space::new(world, "outside")?);
    let watched = format!("watchNamespaces={{{}}}", inside.namespace);
    run(install::upgrade(&world.cluster, &world.images).args(["--set", &watched]))?;
    let result = watched_only(world, &inside, &outside);
    // The next tests want an operator that works everywhere.
    run(&mut install::upgrade(&world.cluster, &world.images))?;
    result?;
    outside.wait_ready().map(drop)
}

fn watched_only(world: &World, inside: &Space<'_>, outside: &Space<'_>) -> Result<()> {
    let selector = format!("--selector=app.kubernetes.io/instance={}", install::RELEASE);
    let roles =
        output(world.cluster.kubectl().args(["get", "clusterroles,clusterrolebindings", &selector, "--output=name"]))?;
    ensure!(roles.trim().is_empty(), "there is {roles}");
    outside.apply(&outside.server())?;
    inside.ready_server()?;
    inside.wait_pong()?;
    std::thread::sleep(Duration::from_secs(2));
    let status: Value = outside.get(MCP_SERVERS, NAME)?["status"].clone();
    ensure!(status["conditions"].is_null(), "the operator worked in a namespace that it should not watch: {status}");
    Ok(())
}
