//! Any replica serves anyone: clients of the official SDKs and of our own work in their sessions while pods are killed, one after
//! the other.
//!
//! Nothing holds a client to a replica: the SDKs come through the ingress, which balances requests, and our own clients open a
//! connection for each request at the Service, which balances connections. Each change of the policy hides a tool or shows it
//! again: an event on every session's stream, after which its client lists the tools anew. An event that was lost would leave a
//! client with the list of before.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::{
    cluster::kill_in_pod,
    command::{run, wait_until},
    images,
    load::{Load, Order, Plan},
};

use crate::{
    clients::{Sdk, Session},
    redis::ends_and_cannot_be_read,
    rollout::{REPLICAS, start, straight_to_the_service, token_of},
    space::{PATIENCE, Space, condition},
    world::World,
};

/// Our own clients; every other one has a session.
const CLIENTS: usize = 24;

/// Of those, a second, all together.
const CALLS_PER_SECOND: u32 = 40;

/// What callers are called and say, and what must not be found in what the Redis keeps, besides what any test says.
const TOLD: [&str; 3] = ["person-", "python", "typescript"];

/// The tool that is hidden and shown again.
const HIDDEN: &str = "health_check";

/// How often the Redis is killed.
const KILLS_OF_REDIS: usize = 3;

/// How long a call is tried again. Source: the SDKs' programs have the same.
const PERSISTENCE: Duration = Duration::from_secs(10);

/// For a round that began at the last moment: twice what it may wait.
const AFTER_THE_KILLS: Duration = Duration::from_secs(300);

pub(crate) fn sessions_outlive_pod_after_pod(world: &World) -> Result<()> {
    let space = Space::new(world, "any")?;
    ready(&space)?;
    let kills = Duration::from_secs(world.under_load.kill_seconds);
    let at_most = kills + AFTER_THE_KILLS;
    let sessions: Vec<Session> = [Sdk::python(world)?, Sdk::typescript(world)?, Sdk::go(world)?]
        .iter()
        .map(|sdk| sdk.begin_session(&space, &token_of(&space, sdk.name), at_most))
        .collect::<Result<_>>()?;
    let plan = Plan {
        reuse_connections: false,
        tokens: (0..CLIENTS).map(|number| token_of(&space, &format!("person-{number}"))).collect(),
        calls_per_second: CALLS_PER_SECOND,
        streams: 0,
        streams_of_sessions: true,
        persistence: PERSISTENCE,
        ..straight_to_the_service(&space)?
    };
    let load = start(&space, plan)?;
    // Else the reason is lost with the load.
    kill_pod_after_pod(&space, &load, &sessions, kills).with_context(|| load.report().to_string())?;
    println!("        {} keys are kept", ends_and_cannot_be_read(&space, &TOLD)?);
    let report = load.finish()?;
    println!("        our own clients: {report}");
    let judged: Vec<Result<()>> = sessions.into_iter().map(judge).collect();
    judged.into_iter().collect::<Result<Vec<()>>>()?;
    ensure!(report.failed() == 0, "{} calls or streams failed although they were tried again", report.failed());
    ensure!(report.disordered == 0, "{} events came twice or not at all", report.disordered);
    Ok(())
}

/// The Redis is killed and comes back, again and again: no session ends, calls go on, streams stay.
pub(crate) fn sessions_outlive_the_redis(world: &World) -> Result<()> {
    let space = Space::new(world, "outage")?;
    ready(&space)?;
    let plan = Plan {
        tokens: (0..CLIENTS).map(|number| token_of(&space, &format!("person-{number}"))).collect(),
        calls_per_second: CALLS_PER_SECOND,
        streams: CLIENTS,
        streams_of_sessions: true,
        ..straight_to_the_service(&space)?
    };
    let load = start(&space, plan)?;
    for round in 1..=KILLS_OF_REDIS {
        let pod = space.get("pod", "tools-redis-0")?;
        let uid = pod["metadata"]["uid"].as_str().context("the pod of the Redis has a uid")?;
        kill_in_pod(uid, "redis-server")?;
        change(&space, round)?;
        every_session_hears(&load, round).context("of a change while the Redis was away")?;
        wait_until("the Redis runs again", PATIENCE, || {
            let pod = space.get("pod", "tools-redis-0").map_err(|problem| format!("{problem:#}"))?;
            let container = &pod["status"]["containerStatuses"][0];
            let is_back = container["ready"] == true && container["restartCount"].as_u64() >= Some(round as u64);
            if is_back { Ok(()) } else { Err(container.to_string()) }
        })?;
        space.wait_for("RedisReady", |condition| condition["status"] == "True")?;
    }
    println!("        {} keys are kept", ends_and_cannot_be_read(&space, &TOLD)?);
    let report = load.finish()?;
    println!("        {KILLS_OF_REDIS} times killed; {report}");
    // Nothing is tried again: what fails once has failed.
    ensure!(report.failed() == 0, "{} calls or streams failed", report.failed());
    ensure!(report.disordered == 0, "{} events came twice or not at all", report.disordered);
    ensure!(report.streams_broken == 0, "{} streams broke", report.streams_broken);
    Ok(())
}

fn ready(space: &Space<'_>) -> Result<()> {
    let world = space.world;
    let redis = images::redis(&world.options)?;
    world.cluster.load_image(&redis.archive)?;
    let mut server = space.server();
    server["spec"]["replicas"] = json!(REPLICAS);
    server["spec"]["redis"] = json!({ "mode": "Managed", "required": true, "managed": { "image": redis.reference() } });
    space.apply(&server)?;
    space.wait_ready()?;
    space.wait_for("LegacyStreams", |condition| condition["status"] == "True")?;
    space.wait_pong()
}

/// Kills until the time is over, each pod when the one before is ready again, and each time the policy changes.
fn kill_pod_after_pod(space: &Space<'_>, load: &Load, sessions: &[Session], lasting: Duration) -> Result<()> {
    let (began, mut round) = (Instant::now(), 0);
    while began.elapsed() < lasting {
        round += 1;
        let (name, uid) = oldest(space)?;
        // Every other one gets no moment for an end of its own.
        if round % 2 == 1 {
            kill_in_pod(&uid, "/mcp-server")?;
        }
        run(&mut space.kubectl(&["delete", "pod", &name, "--grace-period=0", "--force", "--wait=false"]))?;
        change(space, round)?;
        wait_until("another pod takes the place of the killed one", PATIENCE, || {
            let pods = serving(space).map_err(|problem| format!("{problem:#}"))?;
            let is_whole = pods.len() == REPLICAS && pods.iter().all(|pod| pod["metadata"]["uid"] != uid.as_str());
            if is_whole { Ok(()) } else { Err(format!("{} pods serve", pods.len())) }
        })?;
        every_session_hears(load, round)?;
        for session in sessions {
            wait_until(&format!("the change reaches the client of {}", session.name), PATIENCE, || {
                let tools = session.tools();
                if is_news_of(&tools, round) { Ok(()) } else { Err(format!("it found {tools:?}")) }
            })?;
        }
        println!("        pod {round} was killed and replaced after {:.0} s", began.elapsed().as_secs_f32());
    }
    Ok(())
}

/// Every other change hides a tool that nobody calls.
fn change(space: &Space<'_>, number: usize) -> Result<()> {
    let hidden = json!([{ "tools": [HIDDEN], "scopes": ["nobody:has"], "visibility": "Hide" }]);
    space.change(&json!({ "authorization": { "rules": if is_hidden_after(number) { hidden } else { json!([]) } } }))
}

fn is_hidden_after(changes: usize) -> bool {
    changes % 2 == 1
}

/// Whether somebody who found these tools knows of so many changes.
fn is_news_of(tools: &[String], changes: usize) -> bool {
    let has = |name: &str| tools.iter().any(|tool| tool == name);
    has("echo") && has(HIDDEN) != is_hidden_after(changes)
}

/// Waits until the client of each of our sessions has found the tools that there are after so many changes: it lists them when it
/// hears of one, and at no other time.
fn every_session_hears(load: &Load, changes: usize) -> Result<()> {
    wait_until("the change reaches every session", PATIENCE, || {
        let found = load.report().tools;
        let knows = |client: &usize| found.get(client).is_some_and(|tools| is_news_of(tools, changes));
        let deaf: Vec<usize> = (1..CLIENTS).step_by(2).filter(|client| !knows(client)).collect();
        if deaf.is_empty() { Ok(()) } else { Err(format!("not the sessions of {deaf:?}: {found:?}")) }
    })
}

/// What the program of an SDK says of its session.
fn judge(session: Session) -> Result<()> {
    let name = session.name;
    let said = session.end()?;
    let streams: Vec<&Value> = said["streams"].as_array().into_iter().flatten().collect();
    let (mut order, mut wrong) = (Order::default(), Vec::new());
    for stream in &streams {
        order.connects(!stream["after"].is_null());
        for id in stream["ids"].as_array().into_iter().flatten() {
            wrong.extend(order.event(id.as_str().unwrap_or_default()).err());
        }
    }
    let from_nowhere = streams.iter().skip(1).filter(|stream| stream["after"].is_null()).count();
    println!(
        "        {name}: {} calls, tried again {}, {} levels set; {} events in {} connections ({from_nowhere} of them without \
         Last-Event-ID), {} notifications",
        said["calls"],
        said["retried"],
        said["levels"],
        order.events(),
        streams.len(),
        said["notifications"]
    );
    ensure!(said["protocolVersion"] == "2025-11-25", "{name} speaks {}", said["protocolVersion"]);
    ensure!(said["failures"] == json!([]), "{name}: {}", said["failures"]);
    ensure!(wrong.is_empty(), "{name}: {wrong:?} in {streams:?}");
    ensure!(streams.len() > 1, "{name}: its stream never broke, so nothing was seen of how it goes on");
    let lost = said["retried"].as_object().into_iter().flatten().find(|(words, _)| is_of_a_lost_session(words));
    ensure!(lost.is_none(), "{name} was told that its session is gone: {lost:?}");
    Ok(())
}

/// In the words of the SDKs.
fn is_of_a_lost_session(words: &str) -> bool {
    ["404", "Not Found", "not found", "Session terminated", "session"].iter().any(|sign| words.contains(sign))
}

/// Name and uid of the pod that has served longest.
fn oldest(space: &Space<'_>) -> Result<(String, String)> {
    let pods = serving(space)?;
    let created = |pod: &&Value| pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
    let pod = pods.iter().min_by_key(created).context("no pod serves")?;
    let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
    Ok((text("name"), text("uid")))
}

/// The gateway's pods that are ready and are not on their way out.
fn serving(space: &Space<'_>) -> Result<Vec<Value>> {
    let is_ready = |pod: &Value| condition(pod, "Ready") == "True";
    let is_gateway = |pod: &Value| pod["spec"]["containers"][0]["name"] == "gateway";
    let mut pods = space.children("pods")?;
    pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null() && is_gateway(pod) && is_ready(pod));
    Ok(pods)
}
