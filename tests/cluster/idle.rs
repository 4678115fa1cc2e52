//! Twenty servers at rest cost the API server nothing.

use std::thread;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{
    audit::{Entry, listed},
    space::Space,
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
    // What Ready has set in motion ends first: the last event, the last look of a kubelet.
    thread::sleep(std::time::Duration::from_secs(10));
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
