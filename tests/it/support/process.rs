//! The real binary `mcp-server`: for what belongs to the process, its signals, its log and its exit code.
//!
//! Cargo names the binaries of this package only (`CARGO_BIN_EXE_…`), so the first use builds the server's
//! with its own features: that is what ships, and what the tests' own features could hide.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tests::issuer::{Fault, TestIssuer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio_util::task::TaskTracker;

use super::client::McpClient;
use super::files::{GatewayFiles, GatewayOptions};
use super::in_process::start_issuer;
use super::patience::eventually;

/// From SIGTERM to the end of the process, at most.
const END_DEADLINE: Duration = Duration::from_secs(30);

/// A running process; killed if it is dropped before [`GatewayProcess::ended`].
pub(crate) struct GatewayProcess {
    pub(crate) issuer: TestIssuer,
    pub(crate) client: McpClient,
    child: Child,
    output: Arc<Mutex<String>>,
    readers: TaskTracker,
    /// Working directory, home and place for temporary files; whatever the process writes by itself is there.
    scratch: TempDir,
    files: GatewayFiles,
}

impl GatewayProcess {
    /// Starts the binary on free ports of loopback and waits until it is ready.
    pub(crate) async fn start(options: GatewayOptions) -> Self {
        Self::start_with(options, &[]).await
    }

    /// The same with more arguments.
    pub(crate) async fn start_with(options: GatewayOptions, arguments: &[&str]) -> Self {
        let issuer = start_issuer(Fault::None).await;
        let files = GatewayFiles::write(options, &[&issuer]);
        let process = Self::launch(issuer, files, TempDir::new().unwrap(), arguments).await;
        process.client.until_ready().await;
        process
    }

    /// Kills the process and starts another on the same files, as the kubelet would. Does not wait until it is ready.
    pub(crate) async fn crash_and_restart(mut self, arguments: &[&str]) -> Self {
        self.child.kill().await.unwrap();
        Self::launch(self.issuer, self.files, self.scratch, arguments).await
    }

    async fn launch(issuer: TestIssuer, files: GatewayFiles, scratch: TempDir, arguments: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .arg("--config")
            .arg(files.config())
            .arg("--policy")
            .arg(files.policy())
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(arguments)
            .current_dir(scratch.path())
            .env("HOME", scratch.path())
            .env("TMPDIR", scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (output, readers) = (Arc::default(), TaskTracker::new());
        readers.spawn(collect(child.stdout.take().unwrap(), Arc::clone(&output)));
        readers.spawn(collect(child.stderr.take().unwrap(), Arc::clone(&output)));
        readers.close();
        let client = listening(&output).await;
        Self { issuer, client, child, output, readers, scratch, files }
    }

    /// Its files under `/proc`.
    pub(crate) fn proc(&self) -> PathBuf {
        Path::new("/proc").join(self.pid().to_string())
    }

    /// Where it writes if it does, and the test may too.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The policy that it was started with.
    pub(crate) fn policy(&self) -> PathBuf {
        self.files.policy()
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_raw(self.pid()).unwrap(), Signal::TERM).unwrap();
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.id().expect("it still runs")).unwrap()
    }

    /// Waits for the end; returns how it ended and everything that it printed.
    pub(crate) async fn ended(&mut self) -> (ExitStatus, String) {
        let ended = tokio::time::timeout(END_DEADLINE, self.child.wait()).await;
        let status = ended.expect("the process ends").unwrap();
        self.readers.wait().await;
        (status, self.output.lock().unwrap().clone())
    }
}

async fn collect(stream: impl AsyncRead + Unpin, output: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut output = output.lock().unwrap();
        output.push_str(&line);
        output.push('\n');
    }
}

/// Reads the two addresses from the line of the start: `… 127.0.0.1:1234, admin 127.0.0.1:1235`.
async fn listening(output: &Mutex<String>) -> McpClient {
    eventually("the process says where it listens", async || {
        let output = output.lock().unwrap();
        let (before, after) = output.split_once(", admin ")?;
        let admin = after.split(|c: char| c == '"' || c.is_whitespace()).next()?;
        let public = before.rsplit(|c: char| c == '"' || c.is_whitespace()).next()?;
        Some(McpClient::new(public.parse().ok()?, admin.parse().ok()?))
    })
    .await
}

/// The binary, built once for all tests of this process.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let output = std::process::Command::new(env!("CARGO"))
            .args(["build", "--package", "server", "--bin", "mcp-server", "--locked", "--offline"])
            .args(["--message-format", "json-render-diagnostics"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let messages = String::from_utf8(output.stdout).unwrap();
        let executable = messages.lines().rev().find_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            message["executable"].as_str().map(PathBuf::from)
        });
        executable.expect("cargo names the binary that it has built")
    })
}
