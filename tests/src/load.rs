//! Load that says exactly what failed: calls at a steady rate in both eras, and streams that are held open, by clients that
//! know their own payloads.
//!
//! ```text
//! Load::start ─ a thread with a runtime ─┬ schedule ─ client ─┐
//!                                        └ streams ─ client ──┴ pool ─ connection ─ door
//! Load::finish ─ Report
//! ```
//!
//! A client here does what an ordinary HTTP client does and no more: it replaces a connection that it was told to give up, or
//! that it finds closed before anything was sent. Whatever else goes wrong is written down, never smoothed over. Calls
//! start when they are due, whether the ones before are answered or not, so that a slow server cannot hide behind slow clients.

mod client;
mod connection;
mod door;
mod events;
mod message;
mod order;
mod pool;
mod reading;
mod record;
mod report;
mod schedule;
mod streams;

use std::{
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use futures::future::try_join_all;
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use client::Client;
use record::Record;

pub use door::Door;
pub use order::Order;
pub use report::{Failure, Kind, Report};

/// For sessions to be opened and the first streams to be acknowledged, before the load counts as begun.
const OPENS_WITHIN: Duration = Duration::from_secs(60);

/// What is to be done to whom.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where connections lead.
    pub door: Door,
    /// Whether connections serve more than one request. If not, whatever balances connections balances requests.
    pub reuse_connections: bool,
    /// The endpoint, as the clients name it.
    pub url: Url,
    /// One for each client; every other client speaks the older era, in turn one of its revisions.
    pub tokens: Vec<String>,
    /// Calls of all clients together.
    pub calls_per_second: u32,
    /// Listen streams of all clients together; one that ends is opened again.
    pub streams: usize,
    /// Whether each session's stream is held open too; one that ends or breaks is read on after its last event.
    pub streams_of_sessions: bool,
    /// How long a call that found no server, or lost it, is tried again: for servers that are killed. Zero: not at all, which is
    /// right wherever nothing is killed.
    pub persistence: Duration,
}

/// Load that is under way. Dropping it ends it without a word.
#[derive(Debug)]
pub struct Load {
    record: Arc<Record>,
    stop: CancellationToken,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Load {
    /// Begins once `enter` has been called on the thread that will send it all, and answers once every session and stream is open.
    pub fn start(plan: Plan, enter: impl FnOnce() -> Result<()> + Send + 'static) -> Result<Self> {
        ensure!(!plan.tokens.is_empty() && plan.calls_per_second > 0, "load needs a client and a rate");
        let (record, stop) = (Arc::new(Record::new(Instant::now())), CancellationToken::new());
        let (began, beginning) = oneshot::channel();
        let thread = std::thread::Builder::new().name("load".to_owned()).spawn({
            let (record, stop) = (Arc::clone(&record), stop.clone());
            move || {
                enter()?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(run(plan, record, stop, began))
            }
        })?;
        let mut load = Self { record, stop, thread: Some(thread) };
        // The sender is dropped without a word when the thread fails; why is its result.
        match beginning.blocking_recv() {
            Ok(()) => Ok(load),
            Err(_) => Err(load.join().err().unwrap_or_else(|| anyhow!("the load ended before it began"))),
        }
    }

    /// What was seen so far.
    pub fn report(&self) -> Report {
        self.record.report()
    }

    /// Ends it: no new calls, answers of those under way are awaited.
    pub fn finish(mut self) -> Result<Report> {
        self.join()?;
        Ok(self.record.report())
    }

    fn join(&mut self) -> Result<()> {
        self.stop.cancel();
        let thread = self.thread.take().context("the load is joined once")?;
        thread.join().map_err(|_| anyhow!("the load panicked"))?
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn run(plan: Plan, record: Arc<Record>, stop: CancellationToken, began: oneshot::Sender<()>) -> Result<()> {
    let tasks = TaskTracker::new();
    let clients: Vec<Arc<Client>> = plan
        .tokens
        .iter()
        .enumerate()
        .map(|(number, token)| Client::new(&plan, number, token, &record, &tasks).map(Arc::new))
        .collect::<Result<_>>()?;
    let open = async {
        try_join_all(clients.iter().map(|client| client.begin())).await?;
        streams::open(&clients, plan.streams, plan.streams_of_sessions, &tasks, &stop).await
    };
    tokio::time::timeout(OPENS_WITHIN, open).await.context("sessions and streams do not open in time")??;
    record.begin(Instant::now());
    let _ = began.send(());
    schedule::calls(&clients, plan.calls_per_second, &tasks, &stop).await;
    // Connections end with the pools that hold them.
    drop(clients);
    tasks.close();
    tasks.wait().await;
    Ok(())
}

#[cfg(test)]
mod tests;
