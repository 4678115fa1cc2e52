//! `cargo conformance`: the official MCP conformance suite against the real gateway, in every revision that we serve.
//!
//! ```text
//! runs ─► runner: npm packages in the cache, one process a run ─► checks ─► verdict ─┬► report: terminal, reference page
//!            │                                                                      └► exit code
//!            ▼ --url
//! loopback: examples/conformance_server, no authentication
//! cluster:  proxy on loopback (adds a token) ─┬► Traefik ────────────┐
//!                                             └► bridge ─► Service ──┴► pods of an McpServer with that program
//! ```
//!
//! The suite counts a scenario as passed when no check failed. We want more: a warning is a SHOULD that we missed,
//! and a skipped check is one that we gave no occasion for. Both fail here. Scenarios of extensions that we do
//! not implement are named in [`runs`], and counted as skipped.

mod bridge;
mod cluster;
mod loopback;
mod proxy;
mod report;
mod runner;
mod runs;
mod verdict;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

use crate::{
    cluster::{Options, target::Selection},
    command::repository,
};
use runner::Runner;
use runs::{RUNS, Run};
use verdict::Outcome;

/// Runs the official MCP conformance suite.
#[derive(Debug, Parser)]
#[command(name = "cargo conformance", args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    hidden: Option<Hidden>,
    /// Only these runs, by the names in the summary.
    runs: Vec<String>,
    /// Only this scenario of the runs; for work on it.
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Compare the reference page with what was reached, instead of writing it.
    #[arg(long)]
    check: bool,
    /// On a local Kubernetes: through the ingress and through the Service, with tokens.
    #[arg(long)]
    cluster: bool,
    #[command(flatten)]
    selection: Selection,
    /// Keep what the suite and the server wrote in this folder.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Install missing Debian packages without asking (also: CI=true).
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Subcommand)]
enum Hidden {
    /// One end of the way into the cluster's network.
    #[command(hide = true)]
    Bridge {
        /// Where the other end connects: a Unix socket, which no network namespace hides.
        socket: PathBuf,
        /// Where this end connects.
        to: std::net::SocketAddr,
    },
}

impl Cli {
    /// Does what was asked. The last line is `N passed, N failed, N skipped`, in scenarios.
    pub fn run(self) -> Result<ExitCode> {
        if let Some(Hidden::Bridge { socket, to }) = self.hidden {
            bridge::serve(&socket, to)?;
            return Ok(ExitCode::SUCCESS);
        }
        let options = Options { assume_yes: self.yes };
        let runs = self.chosen()?;
        let scratch = tempfile::tempdir().context("cannot make a folder for the suite's results")?;
        let folder = self.keep.as_deref().unwrap_or(scratch.path());
        let runner = Runner::install(&options)?;
        let plan = Plan { runner: &runner, runs: &runs, scenario: self.scenario.as_deref(), folder };
        let outcomes = if self.cluster {
            cluster::run(&plan, &self.selection, &options)?
        } else {
            let outcomes = loopback::run(&plan)?;
            // The page is about all of it, or it is left alone.
            if runs.len() == RUNS.len() && self.scenario.is_none() {
                self.page(&outcomes)?;
            }
            outcomes
        };
        println!("\n{}", report::closing(&outcomes));
        Ok(if outcomes.iter().all(Outcome::passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn chosen(&self) -> Result<Vec<&'static Run>> {
        for name in &self.runs {
            let known: Vec<_> = RUNS.iter().map(|run| run.name).collect();
            ensure!(known.contains(&name.as_str()), "there is no run `{name}`; the runs are {}", known.join(", "));
        }
        let wanted = |run: &&Run| self.runs.is_empty() || self.runs.iter().any(|name| name == run.name);
        Ok(RUNS.iter().filter(wanted).collect())
    }

    fn page(&self, outcomes: &[Outcome]) -> Result<()> {
        let path = repository().join("docs").join("reference").join("conformance.md");
        let page = report::page(outcomes);
        if self.check {
            let old = std::fs::read_to_string(&path).unwrap_or_default();
            ensure!(
                old == page,
                "docs/reference/conformance.md does not say what was reached; run `cargo conformance` and commit it"
            );
            return Ok(());
        }
        std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// What to run.
struct Plan<'a> {
    runner: &'a Runner,
    runs: &'a [&'static Run],
    scenario: Option<&'a str>,
    /// Where results and logs go.
    folder: &'a Path,
}

impl Plan<'_> {
    /// Runs everything against one URL; `way` is said beside each run and names its folder.
    fn play(&self, url: &str, way: &str) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for run in self.runs {
            let folder = self.folder.join(way).join(run.name);
            let outcome = self.runner.run(run, self.scenario, url, &folder)?;
            print!("{}", report::summary(&outcome, way));
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_chosen_by_name_and_unknown_ones_are_refused() {
        let chosen = |arguments: &[&str]| {
            let cli = Cli::try_parse_from([&["conformance"], arguments].concat()).unwrap();
            cli.chosen().map(|runs| runs.iter().map(|run| run.name).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&[]).unwrap().len(), RUNS.len());
        assert_eq!(chosen(&["2026-07-28", "--check"]).unwrap(), ["2026-07-28"]);
        let refused = chosen(&["2024-11-05"]).unwrap_err().to_string();
        assert!(refused.starts_with("there is no run `2024-11-05`; the runs are 2026-07-28, "), "{refused}");
    }
}
