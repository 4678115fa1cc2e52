//! The official SDKs as servers, on loopback: what stands behind the gateway in tests of upstreams.
//!
//! | Peer | Revisions | Of its own |
//! | --- | --- | --- |
//! | Python SDK 2.3.0 | 2026-07-28; 2025-11-25 to 2024-11-05 with sessions | `server/discover` names 2026-07-28 alone |
//! | the same, held to the older era | 2025-11-25 to 2024-11-05 with sessions | 400 without JSON for 2026-07-28 |
//! | Go SDK 1.8.0, stateless | the same, all without sessions | every answer is a stream; lists are sorted by name |
//! | Go SDK 1.8.0, with sessions | 2025-11-25 to 2024-11-05 | answers `server/discover`, and refuses 2026-07-28 with -32022 |
//! | "everything" 2026.8.31 (TypeScript SDK 1.32.2) | 2025-11-25 to 2024-11-05 with sessions | unknown session: 400 |
//!
//! Python and Go offer the tools `echo(message)`, `add(a, b)`, `slow(steps, milliseconds)` with progress, `interrupted`
//! (how many calls of `slow` were broken off), `fail` and `greet` (asks for a name), the resource `peer://greeting`, the template `peer://square/{number}` and the prompt
//! `summary(text)`. "Everything" has `echo(message)`, `get-sum(a, b)`, `trigger-long-running-operation(duration,
//! steps)` with seconds and progress, and much more.
//!
//! The first use installs packages from npm, PyPI and the Go module proxy into the cache, so it needs a network.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Command,
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    cluster::{Options, prerequisites::ensure_packages},
    command::repository,
    listening::Listening,
    packages::{GO, NPM, PYTHON, go, installed, node, npm, pip},
};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The Python SDK.
    Python,
    /// The Python SDK, held to the older era.
    PythonSessions,
    /// The Go SDK without sessions.
    Go,
    /// The Go SDK with sessions.
    GoSessions,
    /// The reference server "everything", made with the TypeScript SDK.
    Everything,
}

/// A server, running or for a while not; ended when dropped.
pub struct Peer {
    kind: Kind,
    program: Program,
    port: u16,
    /// `None` between [`Peer::kill`] and [`Peer::start_again`].
    process: Option<Listening>,
    folder: TempDir,
}

impl Peer {
    /// Installs the server unless it was before, starts it on a free port, and waits until it listens. Blocks.
    pub fn start(kind: Kind, options: &Options) -> Result<Self> {
        let program = kind.program(options)?;
        let folder = tempfile::tempdir().context("cannot make a folder for a log")?;
        let process = Listening::start(&kind.what(), &folder.path().join("log"), |port| program.on(port))?;
        Ok(Self { kind, program, port: process.port(), process: Some(process), folder })
    }

    /// Its endpoint.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it where it was before. It remembers nothing.
    pub fn start_again(&mut self) -> Result<()> {
        self.kill();
        let command = self.program.on(self.port);
        let log = self.folder.path().join("log");
        self.process = Some(Listening::start_on(self.address(), &self.kind.what(), &log, command)?);
        Ok(())
    }

    /// The end of what it printed, for a failure's message.
    pub fn said(&self) -> String {
        self.process.as_ref().map(Listening::last_lines).unwrap_or_default()
    }
}

/// A program, what comes before its address and port, and what comes after them.
struct Program {
    words: Vec<PathBuf>,
    after: &'static [&'static str],
}

impl Program {
    /// Without the environment of whoever tests: one of the tools shows it.
    #[expect(clippy::disallowed_methods, reason = "where programs are is no setting of ours")]
    fn on(&self, port: u16) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).args(["127.0.0.1", &port.to_string()]).args(self.after).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }
}

impl Kind {
    fn what(self) -> String {
        format!("the peer {self:?}")
    }

    fn program(self, options: &Options) -> Result<Program> {
        let folder = self.installed(options)?;
        let words = match self {
            Self::Python | Self::PythonSessions => vec![folder.join("venv/bin/python"), folder.join("server.py")],
            Self::Go | Self::GoSessions => vec![folder.join("program")],
            Self::Everything => vec![node(&folder)?, folder.join("server.mjs")],
        };
        Ok(Program { words, after: self.after() })
    }

    /// What follows address and port.
    pub(crate) fn after(self) -> &'static [&'static str] {
        match self {
            Self::Go => &["stateless"],
            Self::PythonSessions => &["legacy"],
            Self::Python | Self::GoSessions | Self::Everything => &[],
        }
    }

    /// The folder in the cache where its program and all its packages are. Installs them unless they were before.
    pub(crate) fn installed(self, options: &Options) -> Result<PathBuf> {
        let source = |language: &str| repository().join("tests").join("peers").join(language);
        match self {
            Self::Python | Self::PythonSessions => {
                ensure_packages(&PYTHON, options)?;
                installed("peers/python", &source("python"), &["requirements.txt"], pip)
            }
            Self::Go | Self::GoSessions => {
                ensure_packages(&GO, options)?;
                installed("peers/go", &source("go"), &["go.mod", "go.sum", "main.go"], go)
            }
            Self::Everything => {
                ensure_packages(&NPM, options)?;
                installed("peers/typescript", &source("typescript"), &["package-lock.json"], npm)
            }
        }
    }
}
