//! Whole rotations under load, while the operator is killed at every write, in each way in which a write can be cut.
//!
//! ```text
//! session, rotate-at ── load ── both rotated ── session, clock turned ── load ── the former key retired ── first session gone
//! ```
//!
//! A kill leaves the world exactly as it is at that write. Credentials are tried there, before the next operator starts and takes
//! the rotation up from what it finds.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tests::{
    command::{run, wait_until},
    fault_proxy::{Fault, Faults, Write},
    load::{Load, Plan, Report},
};

use super::{clock, credentials, goal::Goal, session::Session};
use crate::{
    outside::Outside,
    redis::with_managed_redis,
    rollout::{start, straight_to_the_service},
    space::{CHILDREN, MCP_SERVERS, NAME, PATIENCE, Space, named},
    world::World,
};

/// Of all clients together; every other one has a session of the older era.
const CALLS_PER_SECOND: u32 = 200;

/// Three rollouts of two pods that drain, and some thirty operators one after the other: half a minute where nothing else goes on.
const WITH_KILLS: u32 = 4;

/// How long a write is waited for before the world is looked at. Chosen: shorter than the look takes.
const NEXT_WRITE: Duration = Duration::from_millis(300);

/// Without so many kills a rotation and its retirement were not cut everywhere: there are three configurations, five notes, four
/// Secrets that are asked for and two that go, two changes of the Redis and three of the Deployment, and what status says of it.
const LEAST_KILLS: usize = 20;

/// Source: operator.md, `crash-in-rotation`, `crash-after-commit`, `crash-around-write`.
pub(crate) fn a_rotation_goes_on_whenever_the_operator_is_killed(world: &World) -> Result<()> {
    let space = Space::new(world, "kills")?;
    with_managed_redis(&space, &json!({}))?;
    space.wait_pong()?;
    let mut outside = Outside::instead_of_pods(world)?;
    for (former, fault) in (1..).zip(Fault::ALL) {
        let mut rotation =
            Rotation { space: &space, outside: &mut outside, former, fault, kills: Vec::new(), proven: 0 };
        let gone_through = rotation.go_through();
        let Rotation { kills, .. } = rotation;
        gone_through.with_context(|| {
            format!("killed {fault:?}:\n  {}\nthe operators said last:\n{}", listed(&kills), outside.logs())
        })?;
    }
    outside.end()
}

/// From one revision of everything to the next.
struct Rotation<'a, 'w> {
    space: &'a Space<'a>,
    outside: &'a mut Outside<'w>,
    former: u32,
    fault: Fault,
    /// In their order, each at another write of the rotation or of the retirement.
    kills: Vec<Write>,
    /// How often every credential in use was seen to let in.
    proven: usize,
}

impl Rotation<'_, '_> {
    fn go_through(&mut self) -> Result<()> {
        let (space, former, newest) = (self.space, self.former, self.former + 1);
        let before = children(space, former)?;
        let sealed_by_former = Session::open(space)?;
        let rotated = self.under_load(&Goal::rotated(former), || {
            let wish = format!("mcpfoundry.dev/rotate-at={}", Goal::wish(newest));
            run(&mut space.kubectl(&["annotate", "--overwrite", MCP_SERVERS, NAME, &wish]))
        })?;
        let of_the_rotation = self.kills.len();
        sealed_by_former.ping()?.result().context("in the session from before the rotation")?;
        let sealed_by_newest = Session::open(space)?;
        let retired = self.under_load(&Goal::retired(former), || clock::to_the_end_of_the_former_key(space))?;
        let answer = sealed_by_former.ping()?;
        ensure!(answer.status == 404, "a session of the retired key was answered with {}", answer.status);
        sealed_by_newest.ping()?.result().context("in the session of the newest key")?;
        let after = children(space, newest)?;
        ensure!(before == after, "before there were {before:?}, and now {after:?}");
        println!(
            "        killed {:?} at {} writes, {of_the_rotation} of them in the rotation:",
            self.fault,
            self.kills.len()
        );
        println!("          {}", listed(&self.kills));
        println!("        every credential in use seen to let in {} times", self.proven);
        println!("        rotated in {rotated}\n        retired in {retired}");
        ensure!(self.kills.len() >= LEAST_KILLS && self.proven >= LEAST_KILLS, "that shows too little");
        Ok(())
    }

    /// What was seen of calls between `beginning` and `goal`: none failed.
    fn under_load(&mut self, goal: &Goal, beginning: impl FnOnce() -> Result<()>) -> Result<Report> {
        let plan = Plan { calls_per_second: CALLS_PER_SECOND, streams: 0, ..straight_to_the_service(self.space)? };
        let space = self.space;
        self.outside.start(Faults::new(self.fault, &space.namespace))?;
        let load = start(space, plan)?;
        beginning()?;
        wait_until("the rotation or retirement ends", PATIENCE * WITH_KILLS, || {
            // What must never be is not waited out.
            match self.look(&load) {
                Ok(()) => goal.is_reached(space).map(Ok),
                Err(problem) => Ok(Err(problem)),
            }
        })
        .with_context(|| load.report().to_string())??;
        let report = load.finish()?;
        ensure!(report.failed() == 0, "{} calls failed: {report}", report.failed());
        Ok(report)
    }

    /// Has operators killed for as long as one comes to another write, and looks at what must hold at every instant.
    fn look(&mut self, load: &Load) -> Result<()> {
        while let Some(write) = self.outside.killed_at(NEXT_WRITE)? {
            self.kills.push(write);
            self.prove()?;
            self.outside.go_on()?;
        }
        self.prove()?;
        let report = load.report();
        ensure!(report.failed() == 0, "{} calls failed: {report}", report.failed());
        Ok(())
    }

    fn prove(&mut self) -> Result<()> {
        self.proven += usize::from(credentials::let_in(self.space)?);
        Ok(())
    }
}

/// Kinds and names of everything that belongs to the `McpServer` and is no pod, whatever its revision is.
fn children(space: &Space<'_>, revision: u32) -> Result<Vec<String>> {
    let number = format!("-{revision}-");
    let masked = |name: String| match name.split_once("-config-") {
        // Its name is a hash of its content. Those of former ReplicaSets are kept.
        Some((name, _)) => format!("{name}-config"),
        None => name.replace(&number, "-REVISION-"),
    };
    let children = space.children(&format!("{CHILDREN},secrets"))?;
    let mut names: Vec<String> = children.iter().map(named).map(masked).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn listed(kills: &[Write]) -> String {
    kills.iter().map(Write::to_string).collect::<Vec<_>>().join(", ")
}
