//! A gateway that is killed under load: its clients learn it at once, and go on at another replica.

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use tests::{
    cluster::kill_in_pod,
    load::{Kind, Plan},
};

use crate::{
    rollout::{ready, start, straight_to_the_service},
    space::Space,
    world::World,
};

/// Calls a second: enough that some are under way whenever something is killed.
const CALLS_PER_SECOND: u32 = 200;

const STREAMS: usize = 60;

/// Load before the kill. Chosen: each client has called some ten times.
const BEFORE: Duration = Duration::from_secs(3);

/// Load after it: longer than the endpoints take to learn of it and the container to be ready again.
const AFTER: Duration = Duration::from_secs(10);

/// For streams to be seen to break. Source: protocol.md, section 7, `sigkill`.
const SEEN_WITHIN: Duration = Duration::from_secs(1);

/// How long a client tries a call again. Chosen: longer than the endpoints take to learn that a pod is not ready.
const PERSISTENCE: Duration = Duration::from_secs(8);

pub(crate) fn a_killed_gateway_costs_no_session_and_nothing_is_mixed_up(world: &World) -> Result<()> {
    let space = Space::new(world, "killed")?;
    ready(&space)?;
    let plan = Plan {
        calls_per_second: CALLS_PER_SECOND,
        streams: STREAMS,
        persistence: PERSISTENCE,
        ..straight_to_the_service(&space)?
    };
    let load = start(&space, plan)?;
    thread::sleep(BEFORE);
    let undisturbed = load.report();
    ensure!(undisturbed.failed() == 0 && undisturbed.streams_broken == 0, "before the kill: {undisturbed}");
    let pods = space.pods()?;
    let (victim, _) = pods.first().context("there is no pod")?;
    let killed = load.report().lasted;
    kill_in_pod(victim, "/mcp-server")?;
    thread::sleep(AFTER);
    let report = load.finish()?;
    println!("        killed at {:.3} s; {report}", killed.as_secs_f32());
    // Sessions are sealed, so none is lost; no answer is wrong; and no call is lost that a client may send again.
    ensure!(report.failed() == 0, "{} calls failed although they were tried again", report.failed());
    ensure!(report.streams_broken > 0, "no stream broke: was the pod killed at all?");
    let late = report
        .failures
        .iter()
        .find(|failure| failure.words.contains("a stream") && !(killed..killed + SEEN_WITHIN).contains(&failure.at));
    ensure!(late.is_none(), "a stream broke at another time than at the kill: {late:?}");
    ensure!(report.tried_again.keys().all(|kind| matches!(kind, Kind::Refused | Kind::Reset | Kind::Closed)));
    space.wait_ready().context("after the kill").map(drop)
}
