//! One control group for everything that runs: the components and all pods.
//!
//! A process cannot leave its group, and only we make this one, so it answers for certain which
//! processes are ours: also those whose parent died before it could write them down. On
//! version 1 each controller has its own tree; the kubelet wants our group in all of them, while
//! the components sit in one only ([`MEMBERS`]): that is enough to find them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::paths::NAME;

const MOUNT: &str = "/sys/fs/cgroup";

/// The version 1 tree that lists the components. Every kernel that runs containers has it.
const MEMBERS: &str = "pids";

/// A group cannot be removed before its last process is reaped; that takes milliseconds.
const REMOVAL: Duration = Duration::from_secs(20);

/// Makes the group in every tree, and the leaf for the components in one.
pub(super) fn ensure() -> anyhow::Result<()> {
    for tree in trees() {
        let group = tree.join(NAME);
        fs::create_dir_all(&group).with_context(|| format!("cannot make the control group {}", group.display()))?;
    }
    let leaf = components();
    fs::create_dir_all(&leaf).with_context(|| format!("cannot make the control group {}", leaf.display()))
}

/// Where a component's process writes its own pid before it becomes the component.
pub(super) fn members_file() -> PathBuf {
    components().join("cgroup.procs")
}

/// Kills whatever is left in our groups, then removes them. Does nothing when there are none.
pub(super) fn remove() -> anyhow::Result<()> {
    let deadline = Instant::now() + REMOVAL;
    let groups = groups();
    loop {
        let mut left = Vec::new();
        for group in &groups {
            for pid in members(group) {
                // Gone between reading and killing is what we want; nothing else can fail for root.
                let _ = kill_process(pid, Signal::KILL);
            }
            match fs::remove_dir(group) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => left.push(format!("{}: {error}", group.display())),
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("control groups would not go within {} s: {}", REMOVAL.as_secs(), left.join("; "));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn components() -> PathBuf {
    let tree = if is_version_2() { PathBuf::from(MOUNT) } else { Path::new(MOUNT).join(MEMBERS) };
    tree.join(NAME).join("components")
}

fn is_version_2() -> bool {
    Path::new(MOUNT).join("cgroup.controllers").exists()
}

/// Each mounted tree: the only one of version 2, or one for each controller of version 1.
fn trees() -> Vec<PathBuf> {
    if is_version_2() {
        return vec![PathBuf::from(MOUNT)];
    }
    let folders = fs::read_dir(MOUNT).into_iter().flatten().flatten().map(|entry| entry.path());
    folders.filter(|tree| !tree.is_symlink() && tree.join("cgroup.procs").exists()).collect()
}

/// All groups of ours, children before their parents, as `rmdir` needs them.
fn groups() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for tree in trees() {
        collect(&tree.join(NAME), &mut found);
    }
    found
}

fn collect(group: &Path, found: &mut Vec<PathBuf>) {
    if !group.is_dir() {
        return;
    }
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), found);
        }
    }
    found.push(group.to_owned());
}

fn members(group: &Path) -> Vec<Pid> {
    parse_members(&fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default())
}

fn parse_members(text: &str) -> Vec<Pid> {
    text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::parse_members;

    #[test]
    fn a_process_of_another_pid_namespace_is_listed_as_zero_and_skipped() {
        let pids: Vec<i32> = parse_members("12\n0\n345\n").iter().map(|pid| pid.as_raw_nonzero().get()).collect();
        assert_eq!(pids, [12, 345]);
    }
}
