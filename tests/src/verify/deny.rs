//! `cargo deny check bans licenses sources`, with a cargo-deny of our own in the cache.
//!
//! Advisories are left out: their database is fetched at run time, and a check must not depend on the day.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};

use super::stages::cargo_program;
use crate::{
    cluster::{Options, cache_root},
    command::{repository, watched},
};

/// Exact, so that the same commit is checked by the same rules.
const VERSION: &str = "0.20.2";

pub(super) fn run(_: &Options) -> Result<()> {
    let root = cache_root()?.join("tools").join(format!("cargo-deny-{VERSION}"));
    let program = root.join("bin").join("cargo-deny");
    if !program.exists() {
        install(&root)?;
    }
    watched(Command::new(program).current_dir(repository()).args([
        "--locked",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]))
}

/// Takes some minutes, once for a cache.
fn install(root: &Path) -> Result<()> {
    println!("building cargo-deny {VERSION} once, into {}", root.display());
    watched(
        Command::new(cargo_program())
            .args(["install", "--quiet", "--locked", "cargo-deny", "--version", VERSION, "--root"])
            .arg(root)
            // A folder of its own: our profiles and flags must not decide how it is built.
            .arg("--target-dir")
            .arg(root.join("target")),
    )
    .context("cannot install cargo-deny from crates.io")?;
    // Only the program is wanted; what remains is a cache's cache.
    let _ = std::fs::remove_dir_all(root.join("target"));
    Ok(())
}
