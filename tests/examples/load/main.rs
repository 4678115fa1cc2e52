//! Many clients with the same JSON-RPC ids against one gateway of its own process: no client may get another's answer
//! (P39), and the gateway's memory, descriptors and threads may not grow with the number of requests.
//!
//! ```text
//! cargo build --release --package server --bin mcp-server
//! cargo run --release --package tests --example load -- --clients 1000 --calls 1000000
//! ```
//!
//! With `--idle 10000` it opens so many sessions of an older revision and so many listen streams instead, and says what each
//! costs the gateway and a real Redis.
//!
//! Real tokens of one issuer, a person for each client, both eras and all revisions, over loopback. It prints what it
//! counted and ends with 1 if one answer was another's. A figure of memory is of this machine and this run.

mod client;
mod gateway;
mod idle;
mod usage;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use anyhow::{Context as _, Result};
use clap::Parser;
use futures::future::join_all;
use tokio::sync::Semaphore;

use client::Client;
use gateway::Gateway;

/// Requests at a time. Chosen: half of what one gateway works on at once; beyond that it sends clients away.
const AT_A_TIME: usize = 256;

/// Runs many clients against one gateway.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Cli {
    /// How many clients there are.
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// How many requests they send together. Memory is read after a tenth of them and at the end.
    #[arg(long, default_value_t = 1_000_000)]
    calls: usize,
    /// Open so many sessions and streams instead, and leave them idle.
    #[arg(long, value_name = "COUNT")]
    idle: Option<usize>,
    /// The gateway [default: `mcp-server` of the same profile, which must have been built].
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
}

/// What all clients count together.
#[derive(Debug, Default)]
struct Counts {
    done: AtomicUsize,
    mismatches: AtomicUsize,
    failures: AtomicUsize,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let server = cli.server.clone().map_or_else(beside_us, Ok)?;
    if let Some(count) = cli.idle {
        idle::measure(&server, count).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let gateway = Gateway::start(&server, None).await?;
    println!("before: {}", gateway.usage().await?);
    let counts = Arc::new(Counts::default());
    let start = Instant::now();
    let tenth = run(&gateway, cli.clients, cli.calls / 10, 0, &counts).await?;
    println!("after {tenth} requests: {}", gateway.usage().await?);
    let all = run(&gateway, cli.clients, cli.calls, tenth, &counts).await?;
    println!("after {all} requests: {}", gateway.usage().await?);
    gateway.until_idle().await?;
    println!("idle: {}", gateway.usage().await?);
    let seconds = start.elapsed().as_secs_f64();
    let (mismatches, failures) = (counts.mismatches.load(Ordering::Relaxed), counts.failures.load(Ordering::Relaxed));
    println!(
        "{all} requests of {} clients in {seconds:.0} s: {mismatches} mismatches, {failures} failures",
        cli.clients
    );
    Ok(if mismatches + failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends requests until `calls` have been sent in all, `done` of them before; how many there are then. The clients are
/// new ones, and gone afterwards.
async fn run(gateway: &Gateway, clients: usize, calls: usize, done: usize, counts: &Arc<Counts>) -> Result<usize> {
    let places = Semaphore::new(AT_A_TIME);
    let each = (calls - done).div_ceil(clients);
    let all = (0..clients).map(|number| {
        let places = &places;
        async move {
            let mut client = Client::new(gateway, number)?;
            for call in 0..each {
                let _place = places.acquire().await.context("the semaphore is never closed")?;
                match client.request(call).await {
                    Ok(true) => {}
                    Ok(false) => drop(counts.mismatches.fetch_add(1, Ordering::Relaxed)),
                    Err(problem) => {
                        if counts.failures.fetch_add(1, Ordering::Relaxed) < 10 {
                            eprintln!("client {number}, call {call}: {problem:#}");
                        }
                    }
                }
                counts.done.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        }
    });
    join_all(all).await.into_iter().collect::<Result<Vec<()>>>()?;
    Ok(counts.done.load(Ordering::Relaxed))
}

/// `target/<profile>/mcp-server` for us in `target/<profile>/examples/load`.
fn beside_us() -> Result<PathBuf> {
    let us = std::env::current_exe().context("where are we?")?;
    let folder = us.ancestors().nth(2).context("we stand in a folder of cargo")?;
    let server = folder.join("mcp-server");
    anyhow::ensure!(server.is_file(), "{} is not there: build it first (package `server`)", server.display());
    Ok(server)
}
