//! `cargo deny check bans licenses sources`, with a cargo-deny of our own in the cache.
//!
//! Advisories are left out: their database is fetched at run time, and a check must not depend on the day.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};

use super::stages::cargo_program;
use crate::{
    cluster::{Options, cache_root},
    command::{output, repository, watched},
};

/// Exact, so that the same commit is checked by the same rules.
const VERSION: &str = "0.20.2";

pub(super) fn run(_: &Options) -> Result<()> {
    let root = cache_root()?.join("tools");
    let program = root.join("bin").join("cargo-deny");
    if !is_installed(&program) {
        install(&root)?;
    }
    watched(
        Command::new(program)
            .current_dir(repository())
            .args(["--locked", "check", "--hide-inclusion-graph"])
            .args(["bans", "licenses", "sources"]),
    )
}

fn is_installed(program: &Path) -> bool {
    output(Command::new(program).arg("--version")).is_ok_and(|said| said.trim() == format!("cargo-deny {VERSION}"))
}

/// Takes some minutes, once for a cache.
fn install(root: &Path) -> Result<()> {
    println!("building cargo-deny {VERSION} once, into {}", root.display());
    // A folder of its own: what is compiled for it helps nobody else.
    let work = tempfile::tempdir()?;
    let mut cargo = Command::new(cargo_program());
    cargo.args(["install", "--quiet", "--locked", "--force", "cargo-deny", "--version", VERSION, "--root"]).arg(root);
    watched(cargo.current_dir(work.path()).arg("--target-dir").arg(work.path()))
        .context("cannot install cargo-deny from crates.io")
}
