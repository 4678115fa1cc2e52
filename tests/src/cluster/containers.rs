//! Processes of pods, as this machine sees them.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Kills the processes of a pod that run `program` (the first word of their command line), as a crash would: the kubelet starts
/// the container again, in the same pod.
pub fn kill_in_pod(pod_uid: &str, program: &str) -> Result<()> {
    let group = format!("pod{pod_uid}");
    let mut killed = 0;
    for entry in fs::read_dir("/proc").context("cannot list processes")? {
        let path = entry.context("cannot list processes")?.path();
        let Some(pid) = path.file_name().and_then(|name| name.to_str()?.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        if is_in(&path, &group) && runs(&path, program) {
            kill_process(pid, Signal::KILL).with_context(|| format!("cannot kill {program} of pod {pod_uid}"))?;
            killed += 1;
        }
    }
    ensure!(killed > 0, "pod {pod_uid} runs no {program}");
    Ok(())
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
