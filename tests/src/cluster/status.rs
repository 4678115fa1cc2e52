//! What runs, for people.

use std::{fmt, fs};

use super::{Cluster, command::output, components, paths::Paths, process};

/// One look at the cluster; its `Display` is what `cargo cluster status` prints.
#[derive(Debug)]
pub struct Status {
    /// Name and pid of each component, in the order of starting; `None`: it does not run.
    pub components: Vec<(&'static str, Option<i32>)>,
    kubeconfig: String,
    logs: String,
    node: String,
}

/// Looks at the cluster; changes nothing and never waits for long.
pub fn status() -> anyhow::Result<Status> {
    let paths = Paths::standard()?;
    let components: Vec<_> = components::all(&paths)
        .iter()
        .map(|component| (component.name, process::running(&paths, component.name).map(|record| record.pid())))
        .collect();
    let mut kubectl = Cluster::new(&paths).kubectl();
    let any = components.iter().any(|(_, pid)| pid.is_some());
    let node = if any {
        output(kubectl.args(["get", "nodes", "--no-headers", "--request-timeout=3s"])).unwrap_or_default()
    } else {
        String::new()
    };
    Ok(Status {
        components,
        kubeconfig: paths.kubeconfig().display().to_string(),
        logs: paths.data("logs").display().to_string(),
        node: node.trim().to_owned(),
    })
}

impl Status {
    /// Whether anything runs.
    pub fn is_up(&self) -> bool {
        self.components.iter().any(|(_, pid)| pid.is_some())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_up() {
            return write!(out, "no cluster is up; `cargo cluster up` makes one");
        }
        for (name, pid) in &self.components {
            match pid {
                Some(pid) => writeln!(out, "{name:20} pid {pid:<8} {:>5} MiB", resident_mib(*pid))?,
                None => writeln!(out, "{name:20} not running")?,
            }
        }
        let node = if self.node.is_empty() { "none" } else { &self.node };
        write!(out, "node        {node}\nkubeconfig  {}\nlogs        {}", self.kubeconfig, self.logs)
    }
}

/// `VmRSS` is in kilobytes. Zero when the process has just ended.
fn resident_mib(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
