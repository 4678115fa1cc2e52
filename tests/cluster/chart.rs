//! The chart's life: upgrade, uninstall, reinstall, and fewer rights.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::{
    command::{output, repository, run},
    install,
};

use crate::{
    identity::api_servers_issuer,
    space::{MCP_SERVERS, NAME, Space},
    world::World,
};

/// What `UPDATE_EXPECT=1` writes anew, as with the snapshots of the unit tests.
const UPDATE: &str = "UPDATE_EXPECT";

/// The chart's output for two sets of values is reviewed like code: `tests/fixtures/chart`.
pub(crate) fn renders_as_recorded(world: &World) -> Result<()> {
    let sets = [
        ("cluster-wide", ""),
        (
            "namespaces",
            ",watchNamespaces={team-a,team-b},networkPolicy.enabled=true,metrics.service.enabled=false,\
             redis.image=registry.example.com/redis:7,\
             hostPolicy.team-a={mcp.team-a.example.com,*.team-a.example.com},hostPolicy.*={mcp.example.com}",
        ),
    ];
    for (name, values) in sets {
        let mut helm = world.cluster.helm();
        helm.args(["template", install::RELEASE]).arg(repository().join("charts").join("mcp-operator"));
        let images =
            "image.repository=registry.example.com/mcp-operator,server.image=registry.example.com/mcp-server:0.1.0";
        helm.args(["--namespace", install::NAMESPACE, "--set", &format!("crds.enabled=false,{images}{values}")]);
        compare(name, &output(&mut helm)?)?;
    }
    Ok(())
}

fn compare(name: &str, rendered: &str) -> Result<()> {
    let file = repository().join("tests").join("fixtures").join("chart").join(format!("{name}.yaml"));
    #[expect(clippy::disallowed_methods, reason = "the variable of expect-test, which unit tests use too")]
    if std::env::var_os(UPDATE).is_some() {
        return fs::write(&file, rendered).with_context(|| format!("cannot write {}", file.display()));
    }
    let recorded = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let differs = recorded.lines().zip(rendered.lines()).find(|(recorded, rendered)| recorded != rendered);
    ensure!(
        recorded == rendered,
        "the chart renders otherwise than {} (first: {differs:?}); if that is meant, run `{UPDATE}=1 cargo e2e chart::renders` and review",
        file.display()
    );
    Ok(())
}

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
    space.change(&json!({ "replicas": 2 }))?;
    space.wait_ready()?;
    let now = space.pods()?;
    ensure!(pods.iter().all(|pod| now.contains(pod)), "pods were replaced or restarted: {pods:?}, now {now:?}");
    Ok(())
}

pub(crate) fn a_list_of_namespaces_needs_no_cluster_role(world: &World) -> Result<()> {
    let (inside, outside) = (Space::new(world, "inside")?, Space::new(world, "outside")?);
    let namespace = &inside.namespace;
    let watched = format!("watchNamespaces={{{namespace}}},hostPolicy.{namespace}={{{}}}", inside.host());
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
    // The API server's keys need no right of the chart's.
    let mut server = inside.server();
    let api_server = json!({ "issuer": api_servers_issuer(world)?, "preset": "kubernetes", "scopeMappings": [] });
    server["spec"]["auth"]["issuers"].as_array_mut().context("the server has issuers")?.push(api_server);
    inside.apply(&server)?;
    inside.wait_ready()?;
    inside.wait_pong()?;
    let mut elsewhere = inside.server();
    elsewhere["metadata"]["name"] = json!("elsewhere");
    elsewhere["spec"]["publicUrl"] = json!("https://elsewhere.test/mcp");
    inside.apply(&elsewhere)?;
    inside.wait_condition("elsewhere", "SpecValid", |condition| condition["reason"] == "HostNotAllowed")?;
    std::thread::sleep(Duration::from_secs(2));
    let status: Value = outside.get(MCP_SERVERS, NAME)?["status"].clone();
    ensure!(status["conditions"].is_null(), "the operator worked in a namespace that it should not watch: {status}");
    Ok(())
}
