//! Processes of pods, as this machine sees them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Kills the processes of a pod that run `program` (the first word of their command line), as a crash would: the kubelet starts
/// the container again, in the same pod.
pub fn kill_in_pod(pod_uid: &str, program: &str) -> Result<()> {
    for process in processes(pod_uid, program)? {
        let pid = process.file_name().and_then(|name| name.to_str()?.parse().ok()).and_then(Pid::from_raw);
        let pid = pid.with_context(|| format!("{} is no process", process.display()))?;
        kill_process(pid, Signal::KILL).with_context(|| format!("cannot kill {program} of pod {pod_uid}"))?;
    }
    Ok(())
}

/// What the files of this folder hold, as the processes of a pod see it that run `program`.
pub fn files_in_pod(pod_uid: &str, program: &str, folder: &str) -> Result<Vec<Vec<u8>>> {
    let process = processes(pod_uid, program)?.remove(0);
    let folder = process.join("root").join(folder.trim_start_matches('/'));
    let entries = fs::read_dir(&folder).with_context(|| format!("pod {pod_uid} has no folder {}", folder.display()))?;
    entries.map(|entry| Ok(fs::read(entry?.path())?)).collect()
}

/// Their folders in `/proc`; at least one.
fn processes(pod_uid: &str, program: &str) -> Result<Vec<PathBuf>> {
    let group = format!("pod{pod_uid}");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot list processes")? {
        let path = entry.context("cannot list processes")?.path();
        if is_in(&path, &group) && runs(&path, program) {
            found.push(path);
        }
    }
    ensure!(!found.is_empty(), "pod {pod_uid} runs no {program}");
    Ok(found)
}

/// One that has ended meanwhile is in no group.
fn is_in(process: &Path, group: &str) -> bool {
    fs::read_to_string(process.join("cgroup")).is_ok_and(|groups| groups.contains(group))
}

fn runs(process: &Path, program: &str) -> bool {
    // Some write their state behind their name, so that a blank may end it too.
    let is_end = |byte: &u8| matches!(byte, 0 | b' ');
    fs::read(process.join("cmdline")).is_ok_and(|line| line.split(is_end).next() == Some(program.as_bytes()))
}
