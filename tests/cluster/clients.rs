//! The official SDKs as clients, through the ingress, over both eras as far as each speaks them.
//!
//! They are installed once into the cache, at exact versions. Each runs in a mount namespace of its own, whose
//! hosts file knows the endpoint's name: neither this machine's file nor its DNS is touched.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    cluster::{NODE_ADDRESS, prerequisites::ensure_packages},
    command::{output, repository, wait_until},
    packages::{GO, NPM, PYTHON, go, installed, npm, pip},
};

use crate::{
    space::{PATIENCE, Space},
    world::World,
};

/// Both arguments are files; what follows is the program.
pub(crate) const WITH_HOSTS: &str = r#"mount --bind "$1" /etc/hosts && shift && exec "$@""#;

/// For a session to end after it is told to: the last call may be tried again, and the SDK closes what it has open.
const ENDS_WITHIN: Duration = Duration::from_secs(40);

/// An SDK that is installed.
pub(crate) struct Sdk {
    pub(crate) name: &'static str,
    program: Vec<PathBuf>,
    /// The program that works in one session for some time.
    session: Vec<PathBuf>,
    /// How it can be told what to speak, and the revision that it must arrive at.
    pub(crate) modes: &'static [(&'static str, &'static str)],
}

impl Sdk {
    pub(crate) fn python(world: &World) -> Result<Self> {
        ensure_packages(&PYTHON, &world.options)?;
        let folder = installed("clients/python", &source("python"), &["requirements.txt"], pip)?;
        Ok(Self {
            name: "python",
            program: vec![folder.join("venv/bin/python"), folder.join("client.py")],
            session: vec![folder.join("venv/bin/python"), folder.join("session.py")],
            modes: &[("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28"), ("auto", "2026-07-28")],
        })
    }

    pub(crate) fn typescript(world: &World) -> Result<Self> {
        ensure_packages(&NPM, &world.options)?;
        let folder = installed("clients/typescript", &source("typescript"), &["package-lock.json"], npm)?;
        Ok(Self {
            name: "typescript",
            program: vec![PathBuf::from("node"), folder.join("client.mjs")],
            session: vec![PathBuf::from("node"), folder.join("session.mjs")],
            modes: &[("v1", "2025-11-25"), ("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")],
        })
    }

    pub(crate) fn go(world: &World) -> Result<Self> {
        ensure_packages(&GO, &world.options)?;
        let folder = installed("clients/go", &source("go"), &["go.mod", "go.sum", "main.go", "session.go"], go)?;
        Ok(Self {
            name: "go",
            program: vec![folder.join("program")],
            session: vec![folder.join("program")],
            modes: &[
                ("2026-07-28", "2026-07-28"),
                ("2025-11-25", "2025-11-25"),
                ("2025-06-18", "2025-06-18"),
                ("2025-03-26", "2025-03-26"),
            ],
        })
    }

    /// One run that lists the tools and makes these calls (`name`, `arguments`); its last line is JSON.
    pub(crate) fn run(&self, space: &Space<'_>, mode: &str, token: Option<&str>, calls: &Value) -> Result<Value> {
        let work = tempfile::tempdir()?;
        let mut command = launcher(space, work.path(), Duration::from_secs(60), token)?;
        let said = output(command.args(&self.program).arg(space.endpoint()).arg(mode).arg(calls.to_string()))?;
        last_line(&said).with_context(|| format!("{} {mode}", self.name))
    }

    /// Begins to work in a session of the older era, for so long at most; answers when it is open.
    pub(crate) fn begin_session(&self, space: &Space<'_>, token: &str, at_most: Duration) -> Result<Session> {
        let work = tempfile::tempdir()?;
        let mut command = launcher(space, work.path(), at_most + ENDS_WITHIN, Some(token))?;
        command.args(&self.session).arg(space.endpoint()).arg(at_most.as_secs().to_string());
        let said = fs::File::create(work.path().join("said"))?;
        let complaints = fs::File::create(work.path().join("complaints"))?;
        let child = command.stdin(Stdio::piped()).stdout(said).stderr(complaints).spawn();
        let child = child.with_context(|| format!("cannot start the session of {}", self.name))?;
        let session = Session { name: self.name, child, work };
        wait_until(&format!("the session of {} opens", self.name), PATIENCE, || session.is_open())?;
        Ok(session)
    }
}

/// The session of an SDK that is under way. Killed when dropped.
pub(crate) struct Session {
    pub(crate) name: &'static str,
    child: Child,
    work: TempDir,
}

impl Session {
    /// It says so in its first line.
    fn is_open(&self) -> Result<(), String> {
        if self.read("said").starts_with(r#"{"begun""#) { Ok(()) } else { Err(self.read("complaints")) }
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.work.path().join(file)).unwrap_or_default()
    }

    /// The names of the tools that it found when it last heard that they changed.
    pub(crate) fn tools(&self) -> Vec<String> {
        let said = self.read("said");
        let lists = said.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let names = lists.filter_map(|line| serde_json::from_value(line["tools"].clone()).ok()).next();
        names.unwrap_or_default()
    }

    /// Tells it to end, and waits until it has; what it printed last.
    pub(crate) fn end(mut self) -> Result<Value> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "the session of {} ended with {status}: {}", self.name, self.read("complaints"));
        last_line(&self.read("said")).with_context(|| format!("the session of {}", self.name))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended by itself, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program of an SDK is started by, which then follows: in a mount namespace of its own, and for no longer than this.
fn launcher(space: &Space<'_>, work: &Path, at_most: Duration, token: Option<&str>) -> Result<Command> {
    let (hosts, authority) = (work.join("hosts"), work.join("ca.crt"));
    fs::write(&hosts, format!("127.0.0.1 localhost\n{NODE_ADDRESS} {}\n", space.host()))?;
    fs::write(&authority, &space.world.ca.cert_pem)?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", WITH_HOSTS, "sh"]).arg(&hosts);
    command.args(["timeout", &at_most.as_secs().to_string()]);
    for variable in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "SSL_CERT_DIR"]
    {
        command.env_remove(variable);
    }
    command.env("SSL_CERT_FILE", &authority).env("NODE_EXTRA_CA_CERTS", &authority);
    match token {
        Some(token) => command.env("TOKEN", token),
        None => command.env_remove("TOKEN"),
    };
    Ok(command)
}

fn last_line(said: &str) -> Result<Value> {
    let line = said.lines().last().context("it printed nothing")?;
    serde_json::from_str(line).with_context(|| format!("it printed `{line}`"))
}

pub(crate) fn python_sdk(world: &World) -> Result<()> {
    check(world, &Sdk::python(world)?)
}

pub(crate) fn typescript_sdk(world: &World) -> Result<()> {
    check(world, &Sdk::typescript(world)?)
}

pub(crate) fn go_sdk(world: &World) -> Result<()> {
    check(world, &Sdk::go(world)?)
}

fn source(language: &str) -> PathBuf {
    repository().join("tests").join("cluster").join("clients").join(language)
}

fn check(world: &World, sdk: &Sdk) -> Result<()> {
    let name = sdk.name;
    let space = Space::new(world, name)?;
    space.ready_server()?;
    space.wait_pong()?;
    let token = world.issuer.token(&["tools:ping", "tools:echo"], &space.endpoint());
    let calls = json!([{ "name": "ping", "arguments": {} }, { "name": "echo", "arguments": { "message": "grüße" } }]);
    for (mode, version) in sdk.modes {
        let answer = sdk.run(&space, mode, Some(&token), &calls)?;
        ensure!(answer["protocolVersion"] == *version, "{name} {mode} should speak {version}: {answer}");
        ensure!(answer["tools"] == json!(["echo", "health_check", "ping"]), "{name} {mode}: {answer}");
        for (index, message) in ["pong", "grüße"].into_iter().enumerate() {
            let result = &answer["results"][index];
            // 2025-03-26 has no structured content; its text is the same document.
            let text = result["text"].as_str().unwrap_or_default();
            let document: Value = serde_json::from_str(text).with_context(|| format!("{name} {mode}: {answer}"))?;
            ensure!(document["message"] == message, "{name} {mode}: {answer}");
            let is_expected = *version == "2025-03-26" || result["structured"] == document;
            ensure!(is_expected, "{name} {mode}: {answer}");
        }

        let answer = sdk.run(&space, mode, None, &calls)?;
        let challenge = answer["challenges"][0].as_str().unwrap_or_default();
        let metadata = format!("https://{}/.well-known/oauth-protected-resource/mcp", space.host());
        ensure!(
            answer["error"].is_string() && challenge.starts_with("401 ") && challenge.contains(&metadata),
            "{name} {mode} without a token: {answer}"
        );
    }
    Ok(())
}
