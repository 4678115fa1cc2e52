//! From `kubectl apply` to an endpoint that answers, and what that costs.

use anyhow::{Result, ensure};
use serde_json::json;
use tests::command::output;

use crate::{
    audit::{Entry, listed},
    space::{CHILDREN, MCP_SERVERS, Space, named},
    world::World,
};

pub(crate) fn apply_to_ready_in_few_writes_and_no_read(world: &World) -> Result<()> {
    let space = Space::new(world, "ready")?;
    let mark = world.audit.mark()?;
    let took = space.ready_server()?;
    let children = space.children(&format!("{CHILDREN},secrets"))?;
    let entries = world.audit.of_operator(mark)?;
    let here: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.object_ref.namespace == space.namespace && !entry.is_background())
        .collect();
    let of = |wanted: fn(&Entry) -> bool| here.iter().filter(|entry| entry.is_write() && wanted(entry)).count();
    let status_writes = of(|entry| entry.object_ref.subresource == "status");
    let events = of(|entry| entry.object_ref.resource == "events");
    let writes = of(|_| true);
    println!(
        "        Ready after {:.1} s; {writes} writes: {} for {} children, {status_writes} of status, {events} events",
        took.as_secs_f32(),
        writes - status_writes - events,
        children.len()
    );
    let reads: Vec<&Entry> =
        here.iter().copied().filter(|entry| !entry.is_write() && !entry.begins_a_watch()).collect();
    ensure!(reads.is_empty(), "the operator read from the API:\n  {}", listed(&reads));
    ensure!(
        writes - status_writes - events == children.len(),
        "children were written more than once:\n  {}",
        listed(&here)
    );
    // The first says that the work has begun, the second that it is done.
    ensure!(status_writes <= 2, "status was written {status_writes} times, 2 are allowed:\n  {}", listed(&here));
    let names: Vec<String> = children.iter().map(named).collect();
    for kind in ["ServiceAccount", "Deployment", "Service", "NetworkPolicy", "Ingress", "ConfigMap", "Secret"] {
        ensure!(names.iter().any(|name| name.starts_with(&format!("{kind}/"))), "there is no {kind} among {names:?}");
    }
    Ok(())
}

pub(crate) fn requests_pass_the_ingress(world: &World) -> Result<()> {
    let space = Space::new(world, "requests")?;
    space.ready_server()?;
    space.wait_pong()?;
    let anonymous = space.client()?;

    let answer = world.send(&anonymous, &anonymous.call("ping", &json!({})))?;
    ensure!(answer.status == 401, "expected 401 without a token, got {}", answer.status);
    let metadata = format!("https://{}/.well-known/oauth-protected-resource/mcp", space.host());
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    ensure!(
        challenge.contains(&format!("resource_metadata=\"{metadata}\"")),
        "the challenge does not name {metadata}: {challenge}"
    );

    let answer = world.send(&anonymous, &anonymous.get("/.well-known/oauth-protected-resource/mcp")?)?;
    ensure!(answer.body["resource"] == space.endpoint(), "the metadata's resource is {}", answer.body["resource"]);
    ensure!(
        answer.body["authorization_servers"] == json!([world.issuer.issuer_url()]),
        "the metadata is {}",
        answer.body
    );

    let answer = world.send(&anonymous, &anonymous.get("/mcp/capabilities")?)?;
    ensure!([200, 401].contains(&answer.status), "capabilities are not routed: {}", answer.status);

    let limited = space.client_with(&["tools:ping"])?;
    let answer = world.send(&limited, &limited.call("echo", &json!({ "message": "x" })))?;
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    ensure!(
        answer.status == 403 && challenge.contains("insufficient_scope"),
        "expected 403, got {} with {challenge}",
        answer.status
    );

    let stranger = anonymous.with_token(&world.issuer.token(&["tools:ping"], "https://another.test/mcp"));
    let answer = world.send(&stranger, &stranger.call("ping", &json!({})))?;
    ensure!(answer.status == 401, "a token for another resource was answered with {}", answer.status);
    Ok(())
}

pub(crate) fn get_fits_120_columns(world: &World) -> Result<()> {
    let space = Space::new(world, "columns")?;
    space.ready_server()?;
    let shown = output(&mut space.kubectl(&["get", MCP_SERVERS]))?;
    println!("{shown}");
    let widest = shown.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or_default();
    ensure!(widest <= 120, "the widest line has {widest} columns");
    ensure!(shown.contains("1/1") && shown.contains("2026-07-28"), "replicas or eras are missing");
    Ok(())
}
