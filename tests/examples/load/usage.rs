//! What a process holds, as Linux tells it.

use std::{fmt, fs};

use anyhow::{Context as _, Result};

/// What one process holds at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    pub(crate) resident_kib: u64,
    threads: u64,
    descriptors: usize,
    /// By the gateway's own count.
    pub(crate) connections: u64,
    in_flight: u64,
}

impl Usage {
    /// Of the process with this id; `metrics` is its `/metrics`.
    pub(crate) fn of(process: u32, metrics: &str) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).context("the gateway still runs")?;
        let descriptors = fs::read_dir(format!("/proc/{process}/fd")).context("the gateway still runs")?.count();
        Ok(Self {
            resident_kib: number(&status, "VmRSS:").context("VmRSS")?,
            threads: number(&status, "Threads:").context("Threads")?,
            descriptors,
            connections: number(metrics, "mcp_server_connections").context("the connections")?,
            in_flight: number(metrics, "mcp_server_requests_in_flight").context("the requests in flight")?,
        })
    }
}

/// The number in the line that begins with `name`.
fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '\t'])))?;
    line.split_whitespace().next()?.parse().ok()
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resident_kib, threads, descriptors, connections, in_flight } = self;
        write!(
            f,
            "{resident_kib} KiB resident, {threads} threads, {descriptors} descriptors, {connections} connections, {in_flight} \
             requests in flight"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_whole_names() {
        assert_eq!(number("VmRSSX: 1\nVmRSS:\t  20 kB\n", "VmRSS:"), Some(20));
        assert_eq!(number("# TYPE a gauge\na_b 1\na 7\n", "a"), Some(7));
        assert_eq!(number("", "a"), None);
    }
}
