//! A test target with a command line of its own: named tests that share a world and run one after the other.
//!
//! For what plain `cargo test` cannot have: peers that take seconds to start, are killed by one test, and come from registries
//! of packages. The last line is `N passed, N failed`.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use futures::future::LocalBoxFuture;
use tokio::time::timeout;

use crate::cluster::Options;

/// A name, and what it stands for.
pub type Test<W> = (&'static str, fn(&mut W) -> LocalBoxFuture<'_, ()>);

/// A table of [`Test`]s from their paths, `module::test`.
#[macro_export]
macro_rules! table_of_tests {
    ($($module:ident :: $test:ident),* $(,)?) => {
        &[$((concat!(stringify!($module), "::", stringify!($test)), |world| Box::pin($module::$test(world)))),*]
    };
}

/// What one runs.
pub struct Suite<W: 'static> {
    /// As one types it: `cargo peers`.
    pub command: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// How long one test may take.
    pub patience: Duration,
    /// In the order in which they run.
    pub tests: &'static [Test<W>],
}

#[derive(Debug, Parser)]
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

impl<W> Suite<W> {
    /// Does what the command line says. `start` makes the world; `said` is what its parts printed, for a failure's reader.
    pub fn main(&self, start: impl AsyncFnOnce(&Options) -> W, said: impl FnOnce(&W) -> String) -> ExitCode {
        let matches = Cli::command().name(self.command).bin_name(self.command).about(self.about).get_matches();
        let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|problem| problem.exit());
        let is_wanted = |(name, _): &&Test<W>| cli.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()));
        let wanted: Vec<&Test<W>> = self.tests.iter().filter(is_wanted).collect();
        if cli.list {
            for (name, _) in wanted {
                println!("{name}");
            }
            return ExitCode::SUCCESS;
        }
        if wanted.is_empty() {
            eprintln!("error: no test has such a name; `{} --list` names them", self.command);
            return ExitCode::FAILURE;
        }
        self.run(&wanted, &Options { assume_yes: cli.yes }, start, said)
    }

    fn run(
        &self,
        wanted: &[&Test<W>],
        options: &Options,
        start: impl AsyncFnOnce(&Options) -> W,
        said: impl FnOnce(&W) -> String,
    ) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime can be built");
        let started = Instant::now();
        let mut world = runtime.block_on(start(options));
        println!("up in {:.1} s", started.elapsed().as_secs_f32());
        let mut failed = Vec::new();
        for (number, (name, test)) in wanted.iter().enumerate() {
            let started = Instant::now();
            println!("[{:>2}/{}] {name}", number + 1, wanted.len());
            let run = AssertUnwindSafe(|| runtime.block_on(async { timeout(self.patience, test(&mut world)).await }));
            let problem = match catch_unwind(run) {
                Ok(Ok(())) => None,
                Ok(Err(_)) => Some(format!("not within {} s", self.patience.as_secs())),
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
            println!("\n{}\n", said(&world));
        }
        for name in &failed {
            println!("failed: {name}");
        }
        println!("{} passed, {} failed", wanted.len() - failed.len(), failed.len());
        if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}
