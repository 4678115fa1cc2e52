//! A server as a process of its own on a port of this machine: started, waited for, and ended by its id.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process};

use crate::command::wait_until;

/// Chosen: ten times what the slowest takes on two cores that have nothing else to do.
const STARTS_WITHIN: Duration = Duration::from_secs(180);

/// From SIGTERM on, for a server that drains first.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// How much of a log a message shows.
const SHOWN_LINES: usize = 20;

/// A process that accepts connections. Killed when dropped; [`Self::end`] is the polite way.
pub(crate) struct Listening {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Listening {
    /// Starts what `command` makes of a free port of loopback, and waits until it listens. What it prints goes to `log`.
    pub(crate) fn start(what: &str, log: &Path, command: impl FnOnce(u16) -> Command) -> Result<Self> {
        let address = free_address(Ipv4Addr::LOCALHOST.into())?;
        Self::start_on(address, what, log, command(address.port()))
    }

    /// Starts `command`, which listens on `address`, and waits until it does.
    pub(crate) fn start_on(address: SocketAddr, what: &str, log: &Path, mut command: Command) -> Result<Self> {
        let file = fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {what}"))?;
        let mut started = Self { child, address, log: log.to_owned() };
        wait_until(&format!("{what} listens"), STARTS_WITHIN, || {
            if !started.is_running() {
                return Ok(Err(anyhow!("{what} does not start; it said:\n{}", started.last_lines())));
            }
            TcpStream::connect(address).map(|_| Ok(())).map_err(|problem| problem.to_string())
        })??;
        Ok(started)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Tells it something that does not end it.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("the process has no id")?;
        kill_process(pid, signal).context("cannot signal the process")
    }

    /// The end of what it printed.
    pub(crate) fn last_lines(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }

    /// Asks it to end, and waits.
    pub(crate) fn end(mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.is_running()) {
            // It may end by itself at this very moment, which is what we want.
            let _ = kill_process(pid, Signal::TERM);
        }
        wait_until("the process ends", ENDS_WITHIN, || {
            if self.is_running() { Err("it still runs".to_owned()) } else { Ok(()) }
        })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// With a port that was free a moment ago. Who takes it in between makes the start fail, with a message that says so.
pub(crate) fn free_address(ip: IpAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind((ip, 0)).with_context(|| format!("there is no free port on {ip}"))?;
    Ok(listener.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ends_at_once_is_said_to() {
        let folder = tempfile::tempdir().unwrap();
        let started = Listening::start("it", &folder.path().join("log"), |_| {
            let mut command = Command::new("sh");
            command.args(["-c", "echo broken; exit 1"]);
            command
        });
        let problem = started.err().expect("it does not start").to_string();
        assert_eq!(problem, "it does not start; it said:\nbroken");
    }
}
