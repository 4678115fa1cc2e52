//! The fixtures as a process on this machine, without authentication.

use std::{fs, process::Command};

use anyhow::{Context, Result, bail};

use super::{Plan, verdict::Outcome};
use crate::{
    listening::Listening,
    program::{self, Artifact},
};

/// Builds the server with the fixtures, and runs everything against it.
pub(super) fn run(plan: &Plan<'_>) -> Result<Vec<Outcome>> {
    let program = program::build("tests", Artifact::Example("conformance_server"), "dev")?;
    fs::create_dir_all(plan.folder).with_context(|| format!("cannot make the folder {}", plan.folder.display()))?;
    let mut server = Listening::start("the server", &plan.folder.join("server.log"), |port| {
        let mut command = Command::new(program);
        command.args(["--loopback", &port.to_string()]);
        command
    })?;
    let played = plan.play(&format!("http://localhost:{}/mcp", server.port()), "loopback");
    if !server.is_running() {
        bail!("the server ended during the run; it said:\n{}", server.last_lines());
    }
    server.end()?;
    played
}
