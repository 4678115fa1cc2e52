//! The stages, in the order in which they run: what is fast and often wrong first.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};

use super::deny;
use crate::{
    cluster::{
        Options,
        modules::{self, HELM},
        prerequisites::{Need, ensure_packages},
    },
    command::{repository, watched},
    redis,
};

/// One check.
pub(super) struct Stage {
    /// For `--only`, `--skip` and the closing table.
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    /// Without these it makes no sense.
    pub(super) needs: &'static [&'static str],
    pub(super) run: fn(&Options) -> Result<()>,
}

/// What the stages call beyond the compiler. The cluster asks for its own when it is needed.
const NEEDS: [Need; 4] = [
    Need { files: &["cc"], package: "gcc" },
    Need { files: &["cmake"], package: "cmake" },
    Need { files: &["buildah"], package: "buildah" },
    redis::NEED,
];

pub(super) static STAGES: [Stage; 11] = [
    Stage { name: "prerequisites", what: "compilers and Debian packages", needs: &[], run: prerequisites },
    Stage {
        name: "format",
        what: "cargo fmt --check",
        needs: &["prerequisites"],
        run: |_| cargo(&["fmt", "--all", "--check"]),
    },
    Stage {
        name: "clippy",
        what: "every target of every crate, warnings are errors",
        needs: &["prerequisites"],
        run: |_| cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]),
    },
    Stage {
        name: "generated",
        what: "generated files are as the code says",
        needs: &["clippy"],
        run: |_| {
            cargo(&[
                "run",
                "--quiet",
                "--locked",
                "--package",
                "crds",
                "--features",
                "kube",
                "--bin",
                "crdgen",
                "--",
                "--check",
            ])
        },
    },
    Stage { name: "chart", what: "helm lint, with and without values", needs: &["prerequisites"], run: chart },
    Stage { name: "deny", what: "licences, sources and banned crates", needs: &["prerequisites"], run: deny::run },
    Stage {
        name: "test",
        what: "cargo test: no cluster, no root",
        needs: &["clippy"],
        run: |_| cargo(&["test", "--workspace", "--locked"]),
    },
    Stage {
        name: "conformance",
        what: "the official MCP suite, and its table in the documents",
        needs: &["clippy"],
        run: |_| cargo(&["run", "--quiet", "--locked", "--package", "tests", "--bin", "conformance", "--", "--check"]),
    },
    Stage { name: "peers", what: "the official SDKs as upstreams", needs: &["clippy"], run: peers },
    Stage { name: "identity", what: "a real Keycloak as the issuer", needs: &["clippy"], run: identity },
    Stage { name: "e2e", what: "on a real Kubernetes", needs: &["clippy"], run: e2e },
];

fn prerequisites(options: &Options) -> Result<()> {
    watched(Command::new(cargo_program()).arg("--version"))
        .context("Rust is missing; install it from https://rustup.rs")?;
    for component in ["fmt", "clippy"] {
        let found = Command::new(cargo_program())
            .args([component, "--version"])
            .output()
            .is_ok_and(|output| output.status.success());
        ensure!(found, "cargo {component} is missing; run `rustup component add rustfmt clippy`");
    }
    ensure_packages(&NEEDS, options)
}

fn chart(_: &Options) -> Result<()> {
    let helm = modules::build(&HELM)?;
    let chart = repository().join("charts").join("mcp-operator");
    watched(Command::new(&helm).args(["lint", "--strict"]).arg(&chart))?;
    let values =
        "image.repository=registry.example.com/mcp-operator,server.image=registry.example.com/mcp-server:0.1.0";
    watched(
        Command::new(&helm).args(["lint", "--strict", "--set", values, "--set", "watchNamespaces={a,b}"]).arg(&chart),
    )
}

fn peers(options: &Options) -> Result<()> {
    test_target("peers", options)
}

fn identity(options: &Options) -> Result<()> {
    test_target("identity", options)
}

fn e2e(options: &Options) -> Result<()> {
    test_target("e2e", options)
}

/// A test target with a command line of its own, that plain `cargo test` leaves out.
fn test_target(name: &str, options: &Options) -> Result<()> {
    let mut arguments = vec!["test", "--quiet", "--locked", "--package", "tests", "--test", name, "--"];
    if options.assume_yes {
        arguments.push("--yes");
    }
    cargo(&arguments)
}

fn cargo(arguments: &[&str]) -> Result<()> {
    watched(Command::new(cargo_program()).current_dir(repository()).args(arguments))
}

/// The cargo that runs us.
#[expect(clippy::disallowed_methods, reason = "cargo says which cargo it is by a variable")]
pub(super) fn cargo_program() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}
