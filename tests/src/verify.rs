//! `cargo verify`: everything that must hold before a change is taken, one stage after the other, with the time of each.
//!
//! A stage that fails does not stop the others, except that nothing runs on code that does not compile: one run
//! says all that is wrong. The last line is `N passed, N failed`.

mod deny;
mod stages;

use std::{
    fmt::Write as _,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::Parser;

use crate::cluster::Options;
use stages::{STAGES, Stage};

/// Checks everything.
#[derive(Debug, Parser)]
#[command(name = "cargo verify")]
pub struct Cli {
    /// Install missing Debian packages without asking (also: CI=true).
    #[arg(long)]
    yes: bool,
    /// Run only the stages with these names.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Leave out the stages with these names.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    skip: Vec<String>,
}

/// What became of a stage.
#[derive(Debug)]
struct Record {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    /// Left out, by the user's word or because what it needs failed.
    NotRun(&'static str),
}

impl Cli {
    /// Runs the stages.
    pub fn run(&self) -> Result<ExitCode> {
        self.check_names()?;
        let options = Options { assume_yes: self.yes };
        let mut records: Vec<Record> = Vec::new();
        for stage in &STAGES {
            let record = match self.reason_to_skip(stage, &records) {
                Some(reason) => Record { name: stage.name, outcome: Outcome::NotRun(reason), took: Duration::ZERO },
                None => run(stage, &options),
            };
            records.push(record);
        }
        print!("{}", table(&records));
        let failed = records.iter().any(|record| record.outcome == Outcome::Failed);
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn check_names(&self) -> Result<()> {
        for name in self.only.iter().chain(&self.skip) {
            let known: Vec<_> = STAGES.iter().map(|stage| stage.name).collect();
            anyhow::ensure!(
                known.contains(&name.as_str()),
                "there is no stage `{name}`; the stages are {}",
                known.join(", ")
            );
        }
        Ok(())
    }

    fn reason_to_skip(&self, stage: &Stage, before: &[Record]) -> Option<&'static str> {
        let named = |names: &[String]| names.iter().any(|name| name == stage.name);
        if named(&self.skip) || (!self.only.is_empty() && !named(&self.only)) {
            return Some("left out");
        }
        let failed =
            |needed: &str| before.iter().any(|record| record.name == needed && record.outcome != Outcome::Passed);
        let blocked = stage
            .needs
            .iter()
            .any(|needed| failed(needed) && self.only.is_empty() && !self.skip.iter().any(|skipped| skipped == needed));
        blocked.then_some("a stage that it needs failed")
    }
}

fn run(stage: &Stage, options: &Options) -> Record {
    println!("\n=== {}: {}", stage.name, stage.what);
    let started = Instant::now();
    let result = (stage.run)(options);
    let took = started.elapsed();
    let outcome = match result {
        Ok(()) => Outcome::Passed,
        Err(error) => {
            eprintln!("error: {error:#}");
            Outcome::Failed
        }
    };
    println!(
        "=== {} {} in {:.1} s",
        stage.name,
        if outcome == Outcome::Passed { "passed" } else { "FAILED" },
        took.as_secs_f32()
    );
    Record { name: stage.name, outcome, took }
}

/// The closing table. A stage that did not run counts neither as passed nor as failed; it always follows a failed one, or the user's word.
fn table(records: &[Record]) -> String {
    let mut text = String::from("\n");
    for Record { name, outcome, took } in records {
        let shown = match outcome {
            Outcome::Passed => "passed".to_owned(),
            Outcome::Failed => "FAILED".to_owned(),
            Outcome::NotRun(reason) => format!("not run: {reason}"),
        };
        let _ = writeln!(text, "{name:<16} {:>8.1} s   {shown}", took.as_secs_f32());
    }
    let count = |wanted: &Outcome| records.iter().filter(|record| record.outcome == *wanted).count();
    let total: Duration = records.iter().map(|record| record.took).sum();
    let failed: Vec<_> =
        records.iter().filter(|record| record.outcome == Outcome::Failed).map(|record| record.name).collect();
    let _ = writeln!(text, "{:<16} {:>8.1} s", "total", total.as_secs_f32());
    if !failed.is_empty() {
        let _ = writeln!(text, "failed: {}", failed.join(", "));
    }
    let _ = writeln!(text, "{} passed, {} failed", count(&Outcome::Passed), count(&Outcome::Failed));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_and_failures_are_named() {
        let record = |name, outcome| Record { name, outcome, took: Duration::from_millis(1500) };
        let records = [
            record("format", Outcome::Passed),
            record("clippy", Outcome::Failed),
            record("test", Outcome::NotRun("left out")),
        ];
        let table = table(&records);
        assert!(table.ends_with("failed: clippy\n1 passed, 1 failed\n"), "{table}");
        assert!(table.contains("test                  1.5 s   not run: left out"), "{table}");
    }

    #[test]
    fn a_stage_runs_only_after_what_it_needs() {
        let cli = Cli { yes: false, only: vec![], skip: vec![] };
        let broken = [Record { name: "clippy", outcome: Outcome::Failed, took: Duration::ZERO }];
        let test = STAGES.iter().find(|stage| stage.name == "test").unwrap();
        assert_eq!(cli.reason_to_skip(test, &broken), Some("a stage that it needs failed"));
        assert_eq!(cli.reason_to_skip(test, &[]), None);
        let only = Cli { only: vec!["test".to_owned()], ..cli };
        assert_eq!(only.reason_to_skip(test, &broken), None);
    }

    #[test]
    fn a_stage_that_does_not_exist_is_refused() {
        let cli = Cli { yes: false, only: vec!["tests".to_owned()], skip: vec![] };
        assert!(
            cli.check_names()
                .unwrap_err()
                .to_string()
                .starts_with("there is no stage `tests`; the stages are prerequisites, ")
        );
    }
}
