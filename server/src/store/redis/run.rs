//! The background task of a Redis: connects, looks whether it still answers, and connects again.
//!
//! A lost Redis is noticed without any traffic, and so is one that takes nothing new: the probe writes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::join_all;
use tokio::{
    select,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    RedisStore, Topology,
    backoff::Backoff,
    breaker::BreakerState,
    dial::{Connection, OnPush},
    fault::{Fault, FileFault},
    link::{COMMAND, Link},
    mounted::Mounted,
    nodes::Nodes,
    sentinels,
    wire::{Operation, Request},
};
use crate::{
    files::Reader,
    store::{Entry, Key, KeyKind},
};

/// From one look to the next. Chosen: with the longest backoff, a Redis that comes back is used again within 3 s.
pub(super) const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// How long what a probe writes is kept: until the next, give or take.
const PROBE_TTL: Duration = Duration::from_secs(10);

/// In a cluster keys are spread over nodes. Chosen: all of a few masters are met.
const PROBES_IN_CLUSTER: u8 = 8;

/// How often a lost connection may be followed by another at once, and how long one must live for the backoff to be
/// forgotten. Chosen: the longest backoff.
pub(super) const STEADY: Duration = Duration::from_secs(2);

/// For connections to end.
const END: Duration = Duration::from_secs(1);

/// The mounted files, read on a thread of their own.
pub(super) type MountedReader = Reader<Result<Mounted, Fault>>;

/// How an operation went before anybody needed it.
type Rehearsed = (Operation, Option<Fault>);

impl RedisStore {
    /// Keeps it usable until `shutdown`.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let work = async { tokio::join!(self.keep_connected(), self.keep_listening()) };
        let _ = shutdown.run_until_cancelled(work).await;
        self.link.send_replace(Link::Down(Fault::Closed));
        self.dialer.tasks.close();
        if timeout(END, self.dialer.tasks.wait()).await.is_err() {
            tracing::warn!("connections to the shared store did not end within {} s", END.as_secs());
        }
    }

    async fn keep_connected(&self) {
        let (reader, mut backoff) = (Reader::new(), Backoff::default());
        let (mut attempt, mut at_once) = (0, None::<Instant>);
        loop {
            let fault = match self.connect(&reader, attempt).await {
                Ok((nodes, rehearsed)) => {
                    let since = Instant::now();
                    let nodes = Arc::new(nodes);
                    self.put_into_use(&nodes, &rehearsed);
                    let fault = self.use_until_lost(&nodes).await;
                    if since.elapsed() >= STEADY {
                        backoff.forget();
                    }
                    // One that does not answer would keep requests waiting for how it ends.
                    if fault != Fault::NoAnswer && at_once.is_none_or(|last| last.elapsed() >= STEADY) {
                        at_once = Some(Instant::now());
                        self.link.send_replace(Link::Connecting);
                        continue;
                    }
                    fault
                }
                Err(fault) => fault,
            };
            attempt += 1;
            self.measures.failed(fault);
            self.link.send_replace(Link::Down(fault));
            self.note_and_say(|conditions, now| conditions.unconnected(fault, now));
            sleep(backoff.wait(rand::random())).await;
        }
    }

    /// A connection that has answered, and what it has answered.
    async fn connect(&self, reader: &MountedReader, attempt: usize) -> Result<(Nodes, Vec<Rehearsed>), Fault> {
        let mounted = self.mounted(reader).await?;
        let first = self.dial(&mounted, attempt, None).await?;
        let nodes = match self.settings.topology {
            Topology::Standalone | Topology::Sentinel { .. } => Nodes::one(first),
            Topology::Cluster => Nodes::cluster(first, Arc::clone(&self.dialer), mounted),
        };
        let rehearsed = self.rehearse(&nodes).await?;
        Ok((nodes, rehearsed))
    }

    /// Requests first, and then what is said about it: whoever sees that it is ready can use it.
    fn put_into_use(&self, nodes: &Arc<Nodes>, rehearsed: &[Rehearsed]) {
        self.measures.connected();
        self.breaker().close();
        self.measures.breaker_is(BreakerState::Closed);
        self.link.send_replace(Link::Up(Arc::clone(nodes)));
        self.note_and_say(|conditions, now| {
            conditions.connected();
            for (operation, fault) in rehearsed {
                conditions.ended(*operation, *fault, now);
            }
        });
    }

    pub(super) async fn mounted(&self, reader: &MountedReader) -> Result<Mounted, Fault> {
        let settings = Arc::clone(&self.settings);
        let read = reader.read(move || Mounted::read(&settings)).await;
        read.unwrap_or(Err(Fault::Files(FileFault::Slow)))
    }

    /// To the server, to the master that the sentinels name, or to one of the nodes.
    pub(super) async fn dial(
        &self,
        mounted: &Mounted,
        attempt: usize,
        on_push: Option<OnPush>,
    ) -> Result<Connection, Fault> {
        let (dialer, addresses) = (&self.dialer, &self.settings.addresses);
        match &self.settings.topology {
            Topology::Standalone | Topology::Cluster => {
                let (round, position) = (attempt / addresses.len(), attempt % addresses.len());
                dialer.dial(&addresses[position], mounted, round, on_push).await
            }
            Topology::Sentinel { master_name } => {
                let master = sentinels::master(dialer, addresses, master_name, mounted, attempt).await?;
                dialer.dial(&master, mounted, attempt, on_push).await
            }
        }
    }

    /// Whether each kind of request is answered and permitted, before anybody needs it.
    async fn rehearse(&self, nodes: &Nodes) -> Result<Vec<Rehearsed>, Fault> {
        let (value, log) = (probe_key(0), Key::new(KeyKind::Mark, &[b"rehearsal"]));
        let entry = Entry { number: 1, value: Bytes::new() };
        let requests = [
            self.probe_request(0),
            self.names.get(&value),
            self.names.take(&value),
            self.names.append(&log, &entry, 1, PROBE_TTL),
            self.names.read(&log, 0),
        ];
        let mut outcomes = Vec::new();
        for request in requests {
            let fault = answered(nodes, &request).await.err();
            match fault {
                Some(fault) if is_lost(fault) || fault == Fault::Unexpected => return Err(fault),
                fault => outcomes.push((request.operation, fault)),
            }
        }
        Ok(outcomes)
    }

    /// Why it is of no use any more.
    async fn use_until_lost(&self, nodes: &Arc<Nodes>) -> Fault {
        loop {
            let state = self.breaker().state();
            let wait = match state {
                BreakerState::Closed => PROBE_INTERVAL,
                BreakerState::Open { probe_at } => probe_at.saturating_duration_since(Instant::now()),
                BreakerState::HalfOpen => Duration::ZERO,
            };
            select! {
                () = nodes.first.ended.cancelled() => return Fault::Closed,
                () = self.attention.notified() => {
                    if !self.is_up(nodes) {
                        return Fault::Closed;
                    }
                    continue;
                }
                () = sleep(wait) => {}
            }
            if state != BreakerState::Closed {
                self.breaker().probing();
                self.measures.breaker_is(BreakerState::HalfOpen);
            }
            if let Err(fault) = self.probe(nodes).await {
                if state != BreakerState::Closed {
                    let now = Instant::now();
                    self.breaker().open(now);
                    self.measures.breaker_is(BreakerState::Open { probe_at: now });
                }
                return fault;
            }
            if state != BreakerState::Closed {
                self.breaker().close();
                self.measures.breaker_is(BreakerState::Closed);
            }
        }
    }

    /// Whether it answers, and takes what is written.
    async fn probe(&self, nodes: &Nodes) -> Result<(), Fault> {
        let probes = if self.settings.topology == Topology::Cluster { PROBES_IN_CLUSTER } else { 1 };
        let began = Instant::now();
        let answers = (0..probes).map(|number| async move { answered(nodes, &self.probe_request(number)).await });
        let mut faults: Vec<Fault> = join_all(answers).await.into_iter().filter_map(Result::err).collect();
        self.measures.took(Operation::Probe, began.elapsed());
        for fault in &faults {
            self.measures.failed(*fault);
        }
        let is_answered = faults.len() < usize::from(probes);
        self.note(|conditions, now| {
            if is_answered {
                conditions.ended(Operation::Probe, None, now);
            }
            for fault in &faults {
                conditions.ended(Operation::Probe, Some(*fault), now);
            }
        });
        faults.retain(|fault| is_lost(*fault));
        match faults.first() {
            Some(fault) if faults.len() == usize::from(probes) => return Err(*fault),
            // Some nodes of a cluster: what is on the others can be used.
            Some(fault) => self.note_and_say(|conditions, now| conditions.left_alone(*fault, now)),
            None => self.note_and_say(|conditions, _| conditions.answers()),
        }
        Ok(())
    }

    fn probe_request(&self, number: u8) -> Request {
        self.names.put(Operation::Probe, &probe_key(number), &Bytes::from_static(b"1"), PROBE_TTL)
    }
}

fn probe_key(number: u8) -> Key {
    Key::new(KeyKind::Mark, &[b"probe", &[number]])
}

/// Whether nothing more is to be expected of a connection.
fn is_lost(fault: Fault) -> bool {
    fault.trips_breaker() || fault.ends_connection()
}

async fn answered(nodes: &Nodes, request: &Request) -> Result<(), Fault> {
    timeout(COMMAND, nodes.send(request)).await.unwrap_or(Err(Fault::NoAnswer)).map(drop)
}
