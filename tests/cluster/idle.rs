//! Twenty servers at rest cost the API server nothing.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::json;
use tests::command::output;

use crate::{
    audit::{Entry, listed},
    space::{PATIENCE, Space},
    world::World,
};

const SERVERS: usize = 20;

pub(crate) fn twenty_servers_cost_no_request(world: &World) -> Result<()> {
    let spaces: Vec<Space<'_>> = (0..SERVERS).map(|_| Space::new(world, "idle")).collect::<Result<_>>()?;
    for space in &spaces {
        let mut server = space.server();
        // Small, so that twenty fit on one node beside everything else.
        server["spec"]["pod"] = json!({ "resources": { "requests": { "cpu": "5m", "memory": "16Mi" } } });
        space.apply(&server)?;
    }
    for space in &spaces {
        space.wait_ready()?;
    }
    wait_for_earlier_tests(world)?;
    world.settle()?;
    let mark = world.audit.mark()?;
    println!("        watching {SERVERS} servers for {} s", world.idle.as_secs());
    thread::sleep(world.idle);
    let entries = world.audit.of_operator(mark)?;
    let asked: Vec<&Entry> = entries.iter().filter(|entry| !entry.is_background()).collect();
    let background = entries.len() - asked.len();
    println!("        {} requests beyond {background} watches and leases", asked.len());
    ensure!(asked.is_empty(), "an idle operator asked:\n  {}", listed(&asked));
    Ok(())
}

/// A namespace that is going loses its children one by one, and the operator looks at each: that is no idleness.
fn wait_for_earlier_tests(world: &World) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut kubectl = world.cluster.kubectl();
        kubectl.args(["get", "namespaces", "--field-selector=status.phase=Terminating", "--output=name"]);
        let going = output(&mut kubectl)?;
        if going.trim().is_empty() {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "namespaces of earlier tests do not end:\n{going}");
        thread::sleep(Duration::from_millis(500));
    }
}
