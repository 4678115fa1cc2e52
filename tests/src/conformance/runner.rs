//! The suite's own runner: installed at exact versions, called once a run, its results read back from files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use super::{
    runs::Run,
    verdict::{Check, Outcome, Scenario},
};
use crate::{
    cluster::{Options, prerequisites::ensure_packages},
    command::repository,
    packages::{NPM, installed, node, npm},
};

/// Seconds for a run. A scenario is ended by the newer release after 30 s; a whole run takes about ten.
const LONGEST_RUN: &str = "900";

/// What the runner says before each scenario. Its results say which scenarios ran only as far as they did not break off.
const ANNOUNCED: (&str, &str) = ("=== Running scenario: ", " ===");

/// Where everything is.
pub(super) struct Runner {
    folder: PathBuf,
    node: PathBuf,
}

impl Runner {
    /// Installs Node.js and both releases into the cache: the runner needs a newer Node.js than Debian has.
    pub(super) fn install(options: &Options) -> Result<Self> {
        ensure_packages(&NPM, options)?;
        let source = repository().join("tests").join("conformance");
        let folder = installed("conformance", &source, &["package-lock.json"], npm)?;
        let node = node(&folder)?;
        Ok(Self { folder, node })
    }

    /// One run against `url`; what it writes goes to `folder`.
    pub(super) fn run(&self, run: &'static Run, scenario: Option<&str>, url: &str, folder: &Path) -> Result<Outcome> {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let log = folder.join("runner.log");
        let mut command = self.command(run, url, folder);
        match scenario {
            // The runner takes one scenario or a selection; of the latter only the revision fits beside the former.
            Some(scenario) => command.args(["--scenario", scenario]).args(revision(run)),
            None => command.args(run.selection),
        };
        let file = fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        // Its exit code knows less than its results.
        let status = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).status();
        status.context("cannot start the conformance runner")?;
        let said = fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
        let names = scenario.map_or_else(|| announced(&said), |scenario| vec![scenario.to_owned()]);
        if names.is_empty() {
            bail!("the conformance runner ran nothing; it said:\n{}", said.trim());
        }
        let scenarios = names.iter().map(|name| {
            let checks = checks(folder, name)?;
            Ok(Scenario::new(name, checks.as_deref()))
        });
        Ok(Outcome { run, scenarios: scenarios.collect::<Result<_>>()? })
    }

    fn command(&self, run: &Run, url: &str, folder: &Path) -> Command {
        let script = self.folder.join("node_modules").join(run.release.package()).join("dist").join("index.js");
        let mut command = Command::new("timeout");
        command.arg(LONGEST_RUN).arg(&self.node).arg(script).args(["server", "--url", url, "--output-dir"]).arg(folder);
        for variable in
            ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "NODE_OPTIONS"]
        {
            command.env_remove(variable);
        }
        command
    }
}

/// The revision of a run, as the runner takes it beside `--scenario`.
fn revision(run: &Run) -> Vec<&'static str> {
    match run.selection {
        ["--requirements", revision] | [.., "--spec-version", revision] => vec!["--spec-version", revision],
        _ => Vec::new(),
    }
}

/// The scenarios that the runner began, in its order.
fn announced(said: &str) -> Vec<String> {
    let (before, after) = ANNOUNCED;
    let names = said.lines().filter_map(|line| line.strip_prefix(before)?.strip_suffix(after));
    names.map(str::to_owned).collect()
}

/// The checks of a scenario: from `server-<scenario>-<time>/checks.json`, if it came so far.
fn checks(folder: &Path, scenario: &str) -> Result<Option<Vec<Check>>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let file = entry.path().join("checks.json");
        if is_of(&name, scenario) && file.exists() {
            let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let checks = serde_json::from_slice(&text);
            return checks.map(Some).with_context(|| format!("cannot understand {}", file.display()));
        }
    }
    Ok(None)
}

/// One scenario's name may begin another's, so what follows must have the length of a time.
fn is_of(folder: &str, scenario: &str) -> bool {
    let time = folder.strip_prefix("server-").unwrap_or(folder).strip_prefix(scenario);
    time.is_some_and(|time| time.len() == "-2026-11-25T22-39-48-005Z".len() && time.ends_with('Z'))
}

#[cfg(test)]
mod tests {
    use super::{super::runs::RUNS, *};

    #[test]
    fn scenarios_are_read_from_what_the_runner_says() {
        let said = "Running all suite (2 scenarios)\n\n=== Running scenario: ping ===\nx\n=== Running scenario: tools-list ===\n=== SUMMARY ===";
        assert_eq!(announced(said), ["ping", "tools-list"]);
    }

    #[test]
    fn a_folder_belongs_to_the_scenario_of_exactly_that_name() {
        assert!(is_of("server-tools-list-2026-11-25T22-39-48-005Z", "tools-list"));
        assert!(is_of("server-server-stateless-2026-11-25T22-39-48-005Z", "server-stateless"));
        assert!(!is_of("server-tools-list-2026-11-25T22-39-48-005Z", "tools"));
        assert!(!is_of("server-json-schema-2020-12-2026-11-25T22-39-48-005Z", "json-schema"));
    }

    #[test]
    fn one_scenario_runs_at_the_revision_of_its_run() {
        let revisions: Vec<_> = RUNS.iter().map(|run| revision(run).join(" ")).collect();
        assert_eq!(revisions[0], "--spec-version 2026-07-28");
        assert_eq!(revisions[3], "--spec-version 2025-03-26");
        assert_eq!(revisions[4], "");
    }
}
