//! `cargo peers [FILTER]`: the gateway in front of the official SDKs as upstreams, in this process and over real HTTP.
//!
//! All peers stand behind one gateway at once, and each check goes through all revisions that the gateway speaks.
//! One test after the other, because one of them kills peers. The last line is `N passed, N failed`. The first run installs
//! packages from npm, PyPI and the Go module proxy, so this is no part of `cargo test`.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed, and says where")]

mod calls;
mod cancellation;
mod hostile;
mod lists;
mod outage;
mod policy;
mod progress;
mod report;
mod voice;
mod world;

/// What drives a gateway in process is shared with the tests that need no network.
#[path = "../it"]
mod it {
    #[expect(dead_code, unused_imports, reason = "what those other tests alone need")]
    pub(crate) mod support;
}

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use futures::future::LocalBoxFuture;
use tests::cluster::Options;
use tokio::time::timeout;

use world::World;

/// The gateway in front of the official SDKs.
#[derive(Debug, Parser)]
#[command(name = "cargo peers")]
struct Cli {
    /// Run only tests whose name contains this.
    filter: Option<String>,
    /// Install missing Debian packages without asking (also: CI=true).
    #[arg(long)]
    yes: bool,
    /// Print the names of the tests and do nothing.
    #[arg(long)]
    list: bool,
}

type Test = (&'static str, fn(&mut World) -> LocalBoxFuture<'_, ()>);

/// A table of tests from their paths.
macro_rules! tests {
    ($($module:ident :: $test:ident),* $(,)?) => {
        &[$((concat!(stringify!($module), "::", stringify!($test)), |world| Box::pin($module::$test(world)))),*]
    };
}

const TESTS: &[Test] = tests![
    report::each_peer_is_met_in_the_newest_revision_that_it_speaks,
    lists::definitions_pass_through_in_every_revision,
    calls::results_pass_through_in_every_revision,
    calls::a_failing_tool_is_a_result,
    calls::a_tool_that_asks_for_input_is_told_that_it_cannot,
    progress::progress_carries_the_clients_own_token,
    cancellation::whoever_leaves_in_the_modern_era_stops_the_upstream,
    cancellation::whoever_cancels_in_the_older_era_stops_the_upstream,
    policy::an_upstreams_tool_is_hidden_until_a_rule_names_it,
    policy::a_missing_scope_is_challenged,
    outage::a_dead_peer_is_nobody_elses_problem_and_is_found_again,
    hostile::what_misbehaves_ends_in_bounded_errors_of_its_own,
];

/// How long one test may take. Chosen: several times what the slowest takes on two busy cores.
const PATIENCE: Duration = Duration::from_secs(180);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let is_wanted = |(name, _): &&Test| cli.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()));
    let wanted: Vec<&Test> = TESTS.iter().filter(is_wanted).collect();
    if cli.list {
        for (name, _) in wanted {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    }
    if wanted.is_empty() {
        eprintln!("error: no test has such a name; `cargo peers --list` names them");
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    let started = Instant::now();
    let mut world = runtime.block_on(World::start(&Options { assume_yes: cli.yes }));
    println!("peers and gateway up in {:.1} s", started.elapsed().as_secs_f32());
    let mut failed = Vec::new();
    for (number, (name, test)) in wanted.iter().enumerate() {
        let started = Instant::now();
        println!("[{:>2}/{}] {name}", number + 1, wanted.len());
        let run = AssertUnwindSafe(|| runtime.block_on(async { timeout(PATIENCE, test(&mut world)).await }));
        let problem = match catch_unwind(run) {
            Ok(Ok(())) => None,
            Ok(Err(_)) => Some(format!("not within {} s", PATIENCE.as_secs())),
            Err(panic) => Some(text_of(&*panic)),
        };
        let took = started.elapsed().as_secs_f32();
        match problem {
            None => println!("        passed in {took:.1} s"),
            Some(problem) => {
                println!("        FAILED in {took:.1} s: {problem}");
                failed.push(*name);
            }
        }
    }
    if !failed.is_empty() {
        world.say_what_peers_said();
    }
    for name in &failed {
        println!("failed: {name}");
    }
    println!("{} passed, {} failed", wanted.len() - failed.len(), failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}
