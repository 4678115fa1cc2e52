//! A rollout fails no call, and every open stream ends with its result: under load, straight to the Service and through the
//! ingress.

use std::{net::SocketAddr, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::{
    cluster::NODE_ADDRESS,
    command::wait_until,
    load::{Door, Load, Plan, Report},
};

use crate::{
    space::{NAME, Space},
    world::World,
};

/// Of the `McpServer` under load.
pub(crate) const REPLICAS: usize = 3;

/// Persons and their connections. Chosen: each one's connections are idle long enough between two calls that the end of a
/// pod finds most of them idle, which is the hard case.
const CLIENTS: usize = 64;

/// Load without a rollout, to see that this machine carries it.
const UNDISTURBED: Duration = Duration::from_secs(5);

/// For old pods to go after the last rollout: their pause, their drain, and a machine that does something else as well.
const OLD_PODS_GO: Duration = Duration::from_secs(60);

pub(crate) fn straight_to_the_service_no_call_fails(world: &World) -> Result<()> {
    let space = Space::new(world, "rollout")?;
    ready(&space)?;
    roll_out_under_load(&space, straight_to_the_service(&space)?)
}

pub(crate) fn through_the_ingress_no_call_fails(world: &World) -> Result<()> {
    let space = Space::new(world, "rollout")?;
    ready(&space)?;
    let address = SocketAddr::new(NODE_ADDRESS.parse()?, 443);
    let door = Door::tls(address, &space.host(), &world.ca.cert_pem)?;
    let plan = Plan { door, url: space.endpoint().parse()?, ..straight_to_the_service(&space)? };
    roll_out_under_load(&space, plan)
}

/// An `McpServer` of three replicas.
pub(crate) fn ready(space: &Space<'_>) -> Result<()> {
    let mut server = space.server();
    server["spec"]["replicas"] = json!(REPLICAS);
    space.apply(&server)?;
    space.wait_ready()?;
    space.wait_pong()
}

/// The load that was asked for, to the address of the Service, without an ingress between.
pub(crate) fn straight_to_the_service(space: &Space<'_>) -> Result<Plan> {
    let service = space.get("service", NAME)?;
    let address = service["spec"]["clusterIP"].as_str().context("the Service has no address")?;
    Ok(Plan {
        door: Door::plain(SocketAddr::new(address.parse()?, 80)),
        reuse_connections: true,
        url: format!("http://{NAME}.{}.svc/mcp", space.namespace).parse()?,
        tokens: (0..CLIENTS).map(|number| token_of(space, &format!("person-{number}"))).collect(),
        calls_per_second: space.world.under_load.calls_per_second,
        streams: space.world.under_load.streams,
        streams_of_sessions: false,
        persistence: Duration::ZERO,
    })
}

/// Starts it within the cluster's network.
pub(crate) fn start(space: &Space<'_>, plan: Plan) -> Result<Load> {
    let cluster = space.world.cluster.clone();
    Load::start(plan, move || cluster.enter_network())
}

fn roll_out_under_load(space: &Space<'_>, plan: Plan) -> Result<()> {
    let world = space.world;
    let load = start(space, plan)?;
    thread::sleep(UNDISTURBED);
    let undisturbed = load.report();
    println!("        undisturbed: {undisturbed}");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousand calls")]
    let expected = (undisturbed.lasted.as_secs_f64() * f64::from(world.under_load.calls_per_second) * 0.9) as u64;
    ensure!(
        undisturbed.failed() == 0 && undisturbed.answered >= expected,
        "this machine does not carry {} calls a second even without a rollout",
        world.under_load.calls_per_second
    );
    for number in 1..=world.under_load.rollouts {
        space.change(&json!({ "http": { "extraHosts": [format!("rollout-{number}.test")] } }))?;
        space.wait_ready().with_context(|| format!("{}", load.report()))?;
        println!("        rollout {number} is over {:.0} s after the load began", load.report().lasted.as_secs_f32());
    }
    wait_until("old pods go", OLD_PODS_GO, || match space.children("pods") {
        Ok(pods) if pods.len() == REPLICAS => Ok(()),
        Ok(pods) => Err(format!("there are {}", pods.len())),
        Err(problem) => Err(format!("{problem:#}")),
    })?;
    judge(&load.finish()?, world.under_load.streams)
}

fn judge(report: &Report, streams: usize) -> Result<()> {
    println!("        {report}");
    ensure!(report.failed() == 0, "{} calls failed", report.failed());
    ensure!(report.unanswered == 0, "{} calls were sent to a server that closed the connection", report.unanswered);
    ensure!(report.streams_broken == 0, "{} streams ended without their result", report.streams_broken);
    ensure!(
        report.streams_ended >= streams as u64,
        "only {} of {streams} streams ended: were the pods replaced at all?",
        report.streams_ended
    );
    Ok(())
}

/// A token with which this person may call `echo`.
pub(crate) fn token_of(space: &Space<'_>, person: &str) -> String {
    space.world.issuer.token_of(person, &["tools:echo"], &space.endpoint())
}
