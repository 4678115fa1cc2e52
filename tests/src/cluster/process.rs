//! Starts a component so that it outlives us, and ends it later without ever hitting a stranger.
//!
//! A pid alone is not enough: the kernel gives it to somebody else after the process has gone. A
//! [`Record`] therefore holds the pid *and* the moment at which it started (field 22 of
//! `/proc/<pid>/stat`); both must agree before a signal is sent. It also holds a fingerprint of
//! what was started, so that `up` replaces a component whose arguments have changed since.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    cgroup,
    components::Component,
    namespaces,
    paths::{self, Paths},
};

/// The shell becomes the component, so the pid that we know stays the right one throughout: it
/// joins the control group, takes a session of its own (no Ctrl-C of the terminal reaches it),
/// then enters the namespaces.
const BECOME: &str = r#"echo $$ > "$1" && shift && exec setsid "$@""#;

/// Which process a component is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pid: i32,
    /// In clock ticks since the machine started.
    start_time: u64,
    /// Of program, arguments, environment and configuration files.
    fingerprint: String,
}

/// Starts `component` unless it runs as it should. Answers whether it was started.
pub(super) fn ensure(paths: &Paths, component: &Component) -> anyhow::Result<bool> {
    let fingerprint = fingerprint(component);
    if let Some(record) = running(paths, component.name) {
        if record.fingerprint == fingerprint {
            return Ok(false);
        }
        end(paths, &[component.name], Duration::from_secs(10))?;
    }
    start(paths, component, fingerprint)?;
    Ok(true)
}

/// The record of a component that is running, if it is.
pub(super) fn running(paths: &Paths, component: &str) -> Option<Record> {
    let record: Record = serde_json::from_str(&fs::read_to_string(paths.record(component)).ok()?).ok()?;
    record.is_running().then_some(record)
}

/// Asks all to end, then kills those that have not after `grace`. Forgets their records.
pub(super) fn end(paths: &Paths, components: &[&str], grace: Duration) -> anyhow::Result<()> {
    let mut left: Vec<Record> = components.iter().filter_map(|component| running(paths, component)).collect();
    for (signal, patience) in [(Signal::TERM, grace), (Signal::KILL, Duration::from_secs(10))] {
        for record in &left {
            record.send(signal);
        }
        let deadline = Instant::now() + patience;
        while !left.is_empty() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
            left.retain(Record::is_running);
        }
    }
    anyhow::ensure!(left.is_empty(), "these processes survive SIGKILL, see their state in /proc: {left:?}");
    for component in components {
        // Absent when the component was never started.
        let _ = fs::remove_file(paths.record(component));
    }
    Ok(())
}

impl Record {
    /// The process, for people.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    fn is_running(&self) -> bool {
        read_stat(self.pid).is_some_and(|stat| stat.start_time == self.start_time && !stat.has_ended())
    }

    fn send(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.is_running()) {
            // It may end by itself at this very moment, which is what we want.
            let _ = kill_process(pid, signal);
        }
    }
}

fn start(paths: &Paths, component: &Component, fingerprint: String) -> anyhow::Result<()> {
    let log = open_log(&paths.log(component.name))?;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", BECOME, "sh"])
        .arg(cgroup::members_file())
        .args(namespaces::enter_both(paths))
        .arg(&component.program)
        .args(&component.arguments)
        // Nothing of the caller's environment: no KUBECONFIG, no proxy, no Go tuning.
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", &paths.state)
        .envs(component.environment.iter().map(|(name, value)| (*name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share a log file")?)
        .stderr(log);
    let child = shell.spawn().with_context(|| format!("cannot start {}", component.name))?;
    let pid = i32::try_from(child.id()).context("a pid is too large")?;
    let stat = read_stat(pid).with_context(|| format!("cannot read /proc/{pid}/stat of {}", component.name))?;
    let record = Record { pid, start_time: stat.start_time, fingerprint };
    paths::write(&paths.record(component.name), &serde_json::to_string(&record)?)?;
    reap(child);
    Ok(())
}

/// A caller that lives on (a test, the demo) must not collect zombies; one that exits hands its
/// children to init, which does the same.
fn reap(mut child: std::process::Child) {
    thread::spawn(move || child.wait());
}

fn open_log(path: &Path) -> anyhow::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    File::options().create(true).append(true).open(path).with_context(|| format!("cannot write {}", path.display()))
}

/// Changes when anything does that the component reads at its start.
fn fingerprint(component: &Component) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    };
    add(component.program.to_string_lossy().as_bytes());
    component.arguments.iter().for_each(|argument| add(argument.as_bytes()));
    for (name, value) in &component.environment {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    component.files.iter().for_each(|(_, content)| add(content.as_bytes()));
    format!("{:x}", hash.finalize())
}

/// The two things that we ask of `/proc/<pid>/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    start_time: u64,
}

impl Stat {
    /// A zombie has a pid until its parent looks at it, but it does nothing any more.
    fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

fn read_stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat"))).ok()?)
}

/// The second field is the program's name in parentheses and may itself contain any of ` ()`, so
/// fields are counted from the last `)`: the state follows, the start time is the 20th. Source: proc(5).
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, after_name) = text.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let start_time = fields.nth(18)?.parse().ok()?;
    Some(Stat { state, start_time })
}

#[cfg(test)]
mod tests {
    use super::{Record, Stat, parse_stat, read_stat};

    const REST: &str = "1 77 77 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 9 0 5142 0 0";

    #[test]
    fn the_start_time_is_found_behind_a_name_with_spaces_and_parentheses() {
        let stat = parse_stat(&format!("77 (a ) b (c) S {REST}"));
        assert_eq!(stat, Some(Stat { state: 'S', start_time: 5142 }));
    }

    #[test]
    fn a_cut_off_line_is_no_process() {
        assert_eq!(parse_stat("77 (etcd) S 1 77"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn a_zombie_has_ended() {
        assert!(parse_stat(&format!("77 (etcd) Z {REST}")).unwrap().has_ended());
        assert!(!parse_stat(&format!("77 (etcd) R {REST}")).unwrap().has_ended());
    }

    #[test]
    fn a_recycled_pid_is_not_the_recorded_process() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let start_time = read_stat(pid).unwrap().start_time;
        let ours = Record { pid, start_time, fingerprint: String::new() };
        assert!(ours.is_running());
        assert!(!Record { start_time: start_time + 1, ..ours }.is_running());
    }
}
