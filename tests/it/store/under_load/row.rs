//! Three gateways that share a Redis, people who call them and listen all the time, and what is looked at.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crds::gateway_config::{GatewayPolicy, Versioned as _};
use serde_json::{Value, json};
use server::features::Change;
use tests::load::{Door, Load, Plan, Report};
use tests::redis::RedisServer;
use tokio::task::block_in_place;

use super::super::endpoint::{checks, reported, statuses};
use super::readiness::Readiness;
use super::watched::{AFTERWARDS, MEANWHILE, Watched};
use crate::support::client::PUBLIC_URL;
use crate::support::events::EventStream;
use crate::support::files::policy;
use crate::support::message::{LEGACY, WITH_SESSIONS};
use crate::support::patience::eventually;
use crate::support::replicas::Replicas;
use crate::support::{Message, Session, SpawnedGateway};

/// One for each revision that has sessions.
const REPLICAS: usize = WITH_SESSIONS.len();

/// Every other one has a session, whose stream it holds open.
const CLIENTS: usize = 12;

/// Of the modern clients.
const LISTEN_STREAMS: usize = 6;

/// Of all clients. Chosen: seen by every replica many times between two looks, and no work for two cores.
const CALLS_PER_SECOND: u32 = 100;

/// What callers, requests and events say, and what must not be found in what the Redis keeps.
const TOLD: [&str; 6] = ["person-", "jsonrpc", "list_changed", "tools/call", "notifications", "steps"];

/// The row of the table that is tested.
pub(super) struct Row {
    name: &'static str,
    load: Load,
    readiness: Readiness,
    watched: Vec<Watched>,
    /// A session that nobody has read a stream of.
    session: Session,
    /// A call of it that the first replica has answered.
    replay: Replay,
    policies: usize,
    replicas: Replicas,
}

/// What is seen of a Redis that is broken.
pub(super) struct Broken {
    state: &'static str,
    health: Value,
    /// The beginning of the sentence in the report.
    sentence: &'static str,
    /// Of failures, in metrics.
    reason: &'static str,
    /// Whether it still gives what it has.
    reads: bool,
}

/// What a repaired Redis has of before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    All,
    Nothing,
}

/// A stream that has ended, and how it is gone on with.
struct Replay {
    call: Message,
    /// Where a client has read to, and what it has not read.
    after: String,
    rest: Vec<Value>,
}

impl Broken {
    pub(super) fn failing(sentence: &'static str, reason: &'static str) -> Self {
        let health = json!({ "status": "failing", "reason": "the shared store cannot be used" });
        Self { state: "Failing", health, sentence, reason, reads: false }
    }

    /// It still gives what it has.
    pub(super) fn but_reads(self) -> Self {
        Self { reads: true, ..self }
    }

    pub(super) fn full(sentence: &'static str, reason: &'static str) -> Self {
        let health = json!({ "status": "degraded", "reason": "the shared store is full and takes nothing new" });
        Self { state: "Full", health, sentence, reason, reads: true }
    }
}

impl Row {
    /// All is well, and load runs. The Redis has these lines in its configuration.
    pub(super) async fn start(name: &'static str, lines: &[&str]) -> Self {
        let replicas = Replicas::start_with(REPLICAS, lines, |_, _| {}).await;
        let mut watched = Vec::new();
        for (index, revision) in WITH_SESSIONS.into_iter().enumerate() {
            watched.push(Watched::at(&replicas, index, revision).await);
        }
        let session = replicas.session(LEGACY).await;
        let replay = Replay::of(&session).await;
        let readiness = Readiness::watch(replicas.worlds.iter().map(|world| world.gateway.client.clone()));
        let plan = plan(&replicas);
        let load = block_in_place(|| Load::start(plan, || Ok(()))).unwrap();
        Self { name, load, readiness, watched, session, replay, policies: 0, replicas }
    }

    /// `breaks` it. Everybody says what is wrong, nobody who calls or listens feels it, and nobody guesses.
    pub(super) async fn breaks(&mut self, broken: &Broken, breaks: impl FnOnce(&mut RedisServer)) {
        let failures = async |gateway: &SpawnedGateway| {
            let reason = format!("reason=\"{}\"", broken.reason);
            gateway.client.counted("mcp_server_redis_failures_total", &[&reason]).await
        };
        let mut before = Vec::new();
        for gateway in gateways(&self.replicas) {
            before.push(failures(gateway).await);
        }
        let (began, report) = (Instant::now(), self.load.report());
        breaks(&mut self.replicas.redis);
        self.change_policies();
        for (gateway, before) in gateways(&self.replicas).zip(before) {
            until_said(gateway, broken).await;
            let connected_once = &reported(gateway).await["connectedOnce"];
            assert_eq!(connected_once, true);
            assert_eq!(checks(gateway).await.1["redis"], broken.health);
            assert_eq!(statuses(gateway).await, [200, 200, 200]);
            assert_eq!(gateway.client.get("/health", None).await.json()["status"], "degraded");
            eventually("it is counted", async || (failures(gateway).await > before).then_some(())).await;
        }
        let noticed = began.elapsed();
        self.nobody_guesses(broken).await;
        for world in &self.replicas.worlds {
            world.fixtures.touch(MEANWHILE);
        }
        for watched in &mut self.watched {
            watched.hear_of(MEANWHILE).await;
        }
        self.every_session_hears_more_than(&report.events).await;
        self.calls_go_on().await;
        let now = self.load.report();
        let (calls, lasted) = (now.answered - report.answered, began.elapsed());
        println!(
            "{}: known everywhere after {noticed:.1?}; broken for {lasted:.1?}, {calls} calls answered",
            self.name
        );
    }

    /// What only the store knows is to be asked for again. Sessions go on: nothing is taken away on suspicion.
    async fn nobody_guesses(&self, broken: &Broken) {
        for index in 0..REPLICAS {
            let session = self.replicas.at(index, &self.session);
            session.delete().await.assert_try_again();
            session.ask("ping", json!({})).await.result();
            let said = session.ask("tools/call", json!({ "name": "say", "arguments": { "text": "on" } })).await;
            assert_eq!(said.result()["content"][0]["text"], "on");
            session.refused_get(&[]).await.assert_try_again();
            if index == 0 || broken.reads {
                assert_eq!(self.replay.at(&session).await, self.replay.rest);
            } else {
                session.refused_get(&[("last-event-id", &self.replay.after)]).await.assert_try_again();
            }
        }
    }

    /// `repair`s it. It is used again for all that it is there for.
    pub(super) async fn is_repaired(&mut self, kept: Kept, repair: impl FnOnce(&mut RedisServer)) {
        let (began, report) = (Instant::now(), self.load.report());
        repair(&mut self.replicas.redis);
        self.change_policies();
        for gateway in gateways(&self.replicas) {
            eventually("everybody says that all is well", async || says_that_all_is_well(gateway).await.then_some(()))
                .await;
        }
        println!("{}: used again everywhere after {:.1?}", self.name, began.elapsed());
        self.replicas.until_each_hears_the_others().await;
        self.replicas.worlds[REPLICAS - 1].fixtures.touch(AFTERWARDS);
        for watched in &mut self.watched {
            watched.hear_of(AFTERWARDS).await;
        }
        self.streams_are_gone_on_with(kept).await;
        self.a_session_ends_everywhere().await;
        self.every_session_hears_more_than(&report.events).await;
        self.calls_go_on().await;
    }

    /// At another replica than the one that wrote them.
    async fn streams_are_gone_on_with(&self, kept: Kept) {
        let there = self.replicas.at(1, &self.session);
        if kept == Kept::All {
            assert_eq!(self.replay.at(&there).await, self.replay.rest);
        } else {
            let unknown = there.refused_get(&[("last-event-id", &self.replay.after)]).await;
            assert_eq!((unknown.status.as_u16(), unknown.code()), (400, -32600), "a lost stream is unknown");
        }
        let new = Replay::of(&self.session).await;
        assert_eq!(new.at(&there).await, new.rest);
    }

    async fn a_session_ends_everywhere(&self) {
        let [here, there, third] = std::array::from_fn(|index| self.replicas.at(index, &self.session));
        let mut stream = here.listen().await;
        self.replicas.worlds[REPLICAS - 1].fixtures.tell(Change::Prompts);
        stream.message().await;
        assert_eq!(there.delete().await.status, 204);
        while stream.next().await.is_some() {}
        for session in [here, there, third] {
            assert_eq!(session.ask("ping", json!({})).await.status, 404);
        }
    }

    /// Rules for a tool that does not exist: nobody feels them, and whoever listens hears that lists have changed.
    fn change_policies(&mut self) {
        self.policies += 1;
        let tool = format!("nothing-{}", self.policies);
        let policy = GatewayPolicy { replicas: 2, ..policy(&[(&[&tool], &["never"])]) };
        for gateway in gateways(&self.replicas) {
            gateway.files.replace_policy(&policy.to_json());
        }
    }

    async fn every_session_hears_more_than(&self, before: &BTreeMap<usize, u64>) {
        eventually("each session of the load hears of the new policy", async || {
            let now = self.load.report().events;
            (1..CLIENTS).step_by(2).all(|client| now.get(&client) > before.get(&client)).then_some(())
        })
        .await;
    }

    async fn calls_go_on(&self) {
        let before = self.load.report().answered;
        eventually("calls go on", async || {
            (self.load.report().answered >= before + u64::from(CALLS_PER_SECOND) / 10).then_some(())
        })
        .await;
    }

    /// Nobody has noticed anything.
    pub(super) async fn ends(self) {
        let Self { name, load, readiness, watched, replicas, session, .. } = self;
        let asked = readiness.never_flipped().await;
        let report: Report = block_in_place(|| load.finish()).unwrap();
        println!("{name}: {report}; ready {asked} times of {asked}");
        assert_eq!((report.failed(), report.unanswered), (0, 0), "{report}");
        assert_eq!((report.streams_broken, report.streams_ended, report.disordered), (0, 0, 0), "{report}");
        drop(watched);
        if replicas.keeps_a_log() {
            let said = [&TOLD[..], &[&session.id, MEANWHILE, AFTERWARDS]].concat();
            println!("{name}: {} keys, nothing can be read", replicas.ends_and_cannot_be_read(&said));
        }
    }
}

impl Replay {
    /// A call that is answered on a stream at the replica of `session`, and read to its first event.
    async fn of(session: &Session) -> Self {
        let call = session.call_message("steps", json!({}));
        let mut stream = session.stream(&call).await;
        stream.message().await;
        let after = stream.last_id();
        let rest = stream.rest().await;
        assert!(rest.len() > 1, "{rest:?}");
        Self { call, after, rest }
    }

    /// What a client reads that comes back.
    async fn at(&self, session: &Session) -> Vec<Value> {
        let mut stream: EventStream = session.resume(&self.after, Some(&self.call)).await;
        stream.rest().await
    }
}

fn gateways(replicas: &Replicas) -> impl Iterator<Item = &SpawnedGateway> {
    replicas.worlds.iter().map(|world| &world.gateway)
}

async fn says_that_all_is_well(gateway: &SpawnedGateway) -> bool {
    let breaker =
        async |state: &str| gateway.client.counted("mcp_server_redis_breaker", &[&format!("state=\"{state}\"")]).await;
    reported(gateway).await == json!({ "state": "Ready", "connectedOnce": true })
        && checks(gateway).await.1["redis"] == json!({ "status": "passing" })
        && gateway.client.get("/health", None).await.json()["status"] == "healthy"
        && [breaker("closed").await, breaker("open").await, breaker("half_open").await] == [1, 0, 0]
}

async fn until_said(gateway: &SpawnedGateway, broken: &Broken) {
    let Broken { state, sentence, .. } = *broken;
    eventually(&format!("{state}: {sentence}"), async || {
        let report = reported(gateway).await;
        let said = report["lastError"].as_str().unwrap_or_default();
        (report["state"] == state && said.starts_with(sentence)).then_some(())
    })
    .await;
}

fn plan(replicas: &Replicas) -> Plan {
    let addresses: Vec<_> = gateways(replicas).map(|gateway| gateway.client.public_address()).collect();
    let issuer = &replicas.worlds[0].gateway.issuer;
    let token = |number: usize| issuer.token_of(&format!("person-{number}"), &["tools:echo"], PUBLIC_URL);
    Plan {
        door: Door::plain_in_turn(&addresses),
        reuse_connections: false,
        url: PUBLIC_URL.parse().unwrap(),
        tokens: (0..CLIENTS).map(token).collect(),
        calls_per_second: CALLS_PER_SECOND,
        streams: LISTEN_STREAMS,
        streams_of_sessions: true,
        persistence: Duration::ZERO,
    }
}
