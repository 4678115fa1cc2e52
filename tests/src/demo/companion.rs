//! The demo's process in the background: the issuer of tokens, and the forwarder from `localhost:8080`.
//!
//! It is this same program, started with `companion`. A record says which process it is (pid *and* start
//! time, so that no stranger is ever ended), for which certificate authority it was started, and the
//! secret of its one OAuth client. The record is readable by its owner only.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::form_urlencoded;

use super::forward;
use crate::{
    cluster::{HOST_ADDRESS, TestCa, cache_root},
    command::wait_until,
    issuer::{IssuerOptions, StaticClient, TestIssuer},
    mcp_client::http_client,
};

/// The port in `examples/quickstart.yaml`.
const ISSUER_PORT: u16 = 8443;

/// `client_id` of the demo.
const CLIENT: &str = "cargo-demo";

const STARTS_WITHIN: Duration = Duration::from_secs(10);
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// What a companion is told, on its standard input: arguments can be read by everybody.
#[derive(Serialize, Deserialize)]
struct Orders {
    cert_pem: String,
    key_pem: String,
    client_secret: String,
}

/// Which process the companion is.
#[derive(Serialize, Deserialize)]
struct Record {
    pid: i32,
    /// In clock ticks since the machine started.
    start_time: u64,
    /// Of the certificate authority; a new cluster has a new one.
    authority: String,
    ca_pem: String,
    client_secret: String,
}

/// Starts the companion unless one runs for this authority.
pub(super) fn ensure(ca: &TestCa) -> Result<()> {
    let authority = format!("{:x}", Sha256::digest(&ca.cert_pem));
    if read_record()?.is_some_and(|record| record.authority == authority && record.is_running()) {
        return Ok(());
    }
    end()?;
    let log = folder()?.join("companion.log");
    let client_secret = uuid::Uuid::new_v4().to_string();
    let orders =
        Orders { cert_pem: ca.cert_pem.clone(), key_pem: ca.key_pem.clone(), client_secret: client_secret.clone() };
    let pid = start(&log, &orders)?;
    let start_time = start_time(pid).with_context(|| died(&log))?;
    let record = Record { pid, start_time, authority, ca_pem: ca.cert_pem.clone(), client_secret };
    write_record(&record)?;
    wait_until("the issuer and localhost:8080 answer", STARTS_WITHIN, || {
        match fs::read_to_string(&log).unwrap_or_default() {
            said if said.contains(READY) => Ok(Ok(())),
            _ if !record.is_running() => Ok(Err(died(&log))),
            said => Err(said),
        }
    })?
    .map_err(anyhow::Error::msg)
}

/// Ends the companion, if one runs. Safe to repeat.
pub(super) fn end() -> Result<()> {
    let Some(record) = read_record()? else { return Ok(()) };
    if let Some(pid) = Pid::from_raw(record.pid).filter(|_| record.is_running()) {
        // It may end by itself at this very moment, which is what we want.
        let _ = kill_process(pid, Signal::TERM);
        let ended = || if record.is_running() { Err(format!("process {} is still there", record.pid)) } else { Ok(()) };
        if wait_until("the demo's background process ends", ENDS_WITHIN, ended).is_err() {
            let _ = kill_process(pid, Signal::KILL);
            wait_until("the demo's background process ends", ENDS_WITHIN, ended)?;
        }
    }
    let folder = folder()?;
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
}

/// An access token for `resource` with these scopes, as any OAuth client gets one.
pub(super) async fn token(scopes: &str, resource: &str) -> Result<String> {
    let record = read_record()?.filter(Record::is_running).context("the demo is not up; start it with `cargo demo`")?;
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("grant_type", "client_credentials"),
            ("client_id", CLIENT),
            ("client_secret", &record.client_secret),
        ])
        .extend_pairs([("scope", scopes), ("resource", resource)])
        .finish();
    let response = http_client(Some(&record.ca_pem))?
        .post(format!("https://{HOST_ADDRESS}:{ISSUER_PORT}/token"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .context("the issuer does not answer")?;
    let status = response.status();
    let answer: serde_json::Value = response.json().await.context("the issuer's answer is not JSON")?;
    ensure!(status.is_success(), "the issuer answered {status}: {answer}");
    Ok(answer["access_token"].as_str().context("the issuer's answer has no access_token")?.to_owned())
}

/// What the companion prints once it serves.
const READY: &str = "the companion serves";

/// The companion itself: serves until SIGTERM.
pub(super) fn serve() -> Result<()> {
    let mut orders = String::new();
    std::io::stdin().read_to_string(&mut orders).context("cannot read the orders")?;
    let Orders { cert_pem, key_pem, client_secret } =
        serde_json::from_str(&orders).context("cannot understand the orders")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        for listener in forward::listeners().await? {
            tasks.spawn(forward::run(listener, tasks.clone(), shutdown.clone()));
        }
        let clients = vec![StaticClient { id: CLIENT.to_owned(), secret: client_secret }];
        let options = IssuerOptions { port: ISSUER_PORT, clients, ..IssuerOptions::default() };
        let issuer = TestIssuer::start(HOST_ADDRESS.parse()?, &TestCa { cert_pem, key_pem }, options).await?;
        println!("{READY} {}", issuer.issuer_url());
        terminate.recv().await;
        shutdown.cancel();
        tasks.close();
        tasks.wait().await;
        issuer.stop().await;
        Ok(())
    })
}

impl Record {
    fn is_running(&self) -> bool {
        start_time(self.pid) == Some(self.start_time)
    }
}

/// A session of its own, so that neither Ctrl-C nor the end of the terminal reaches it.
fn start(log: &Path, orders: &Orders) -> Result<i32> {
    let file = fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let program = std::env::current_exe().context("cannot tell which program this is")?;
    let mut child = Command::new("setsid")
        .arg(program)
        .arg("companion")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .context("cannot start the demo's background process")?;
    let mut stdin = child.stdin.take().context("the background process has no standard input")?;
    stdin.write_all(serde_json::to_string(orders)?.as_bytes()).with_context(|| died(log))?;
    i32::try_from(child.id()).context("a pid is too large")
}

fn died(log: &Path) -> String {
    format!("the demo's background process ended: {}", fs::read_to_string(log).unwrap_or_default().trim())
}

/// Field 22 of `/proc/<pid>/stat`, unless the process is only a zombie. The program's name (field 2) may itself
/// contain spaces and parentheses, so fields are counted from the last `)`. Source: proc(5).
fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn folder() -> Result<PathBuf> {
    let folder = cache_root()?.join("demo");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    Ok(folder)
}

fn record_file() -> Result<PathBuf> {
    Ok(folder()?.join("companion.json"))
}

fn read_record() -> Result<Option<Record>> {
    let file = record_file()?;
    match fs::read_to_string(&file) {
        Ok(text) => Ok(Some(serde_json::from_str(&text).with_context(|| {
            format!("cannot understand {}; end the process that it names and remove it", file.display())
        })?)),
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(problem) => bail!("cannot read {}: {problem}", file.display()),
    }
}

fn write_record(record: &Record) -> Result<()> {
    let file = record_file()?;
    let mut opened = fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(&file);
    let opened = opened.as_mut().map_err(|problem| anyhow::anyhow!("cannot write {}: {problem}", file.display()))?;
    opened.write_all(serde_json::to_string(record)?.as_bytes()).context("cannot write the companion's record")
}
