//! `cargo coverage`: the lines of `crds`, `operator` and `server` that `cargo test` runs.
//!
//! Needs the LLVM tools of the compiler's own LLVM version and `cargo-llvm-cov`; both are installed where that is
//! possible (Debian's `llvm-N`, the crate into our cache), else the message says what is missing. It builds everything a
//! second time, instrumented, so it is a command of its own and not a part of `cargo verify`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let llvm = llvm_major_version()?;
    let tool = cargo_llvm_cov()?;
    let (cov, profdata) = llvm_tools(&llvm)?;
    run(Command::new(tool)
        .args(["llvm-cov", "test", "--workspace", "--summary-only", "--ignore-filename-regex"])
        // The harness is a test itself; dependencies are not ours; `main` is what a process test runs.
        .arg(r"/tests/|/\.cargo/|/rustc/|/src/main\.rs|/src/bin/|/src/.*tests\.rs")
        .env("LLVM_COV", cov)
        .env("LLVM_PROFDATA", profdata))
}

/// `22` of `LLVM version: 22.1.2`: raw profiles are readable by the same major version only.
fn llvm_major_version() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("run rustc -vV")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version =
        text.lines().find_map(|line| line.strip_prefix("LLVM version: ")).context("rustc -vV names no LLVM version")?;
    Ok(version.split('.').next().unwrap_or(version).to_owned())
}

fn llvm_tools(major: &str) -> Result<(PathBuf, PathBuf)> {
    let tools =
        (PathBuf::from(format!("/usr/bin/llvm-cov-{major}")), PathBuf::from(format!("/usr/bin/llvm-profdata-{major}")));
    if !tools.0.exists() {
        run(Command::new("apt-get").args(["install", "--yes", "--no-install-recommends", &format!("llvm-{major}")]))
            .with_context(|| format!("install Debian's llvm-{major}, or run `rustup component add llvm-tools` and `cargo llvm-cov` by hand"))?;
    }
    Ok(tools)
}

fn cargo_llvm_cov() -> Result<PathBuf> {
    let root = tests::cluster::cache_root()?.join("tools");
    let tool = root.join("bin/cargo-llvm-cov");
    if !tool.exists() {
        install(&root)?;
    }
    Ok(tool)
}

fn install(root: &Path) -> Result<()> {
    run(Command::new("cargo").args(["install", "--locked", "--root"]).arg(root).args([
        "cargo-llvm-cov",
        "--version",
        "0.9.1",
    ]))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
