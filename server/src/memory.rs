//! Memory in use against the limit, as the kernel counts it for this container (cgroup v2).
//!
//! A few small files of `/sys` and `/proc`, which never block on a disk.

use std::fs;

use crate::tools::MemoryHealth;

const LIMIT: &str = "/sys/fs/cgroup/memory.max";
const USED: &str = "/sys/fs/cgroup/memory.current";
const OWN_STATUS: &str = "/proc/self/status";

/// Use and limit at this moment.
///
/// Without a limit the container's own count may be the whole machine's, so the process's own counts.
pub fn measure() -> MemoryHealth {
    let limit_bytes = fs::read_to_string(LIMIT).ok().and_then(|text| number(&text));
    let used = if limit_bytes.is_some() {
        fs::read_to_string(USED).ok().and_then(|text| number(&text))
    } else {
        fs::read_to_string(OWN_STATUS).ok().and_then(|text| resident_bytes(&text))
    };
    MemoryHealth { used_bytes: used, limit_bytes }
}

/// `max` stands for no limit, and is no number.
fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// `VmRSS:     1234 kB`
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_and_max_is_none() {
        assert_eq!(number("268435456\n"), Some(268_435_456));
        assert_eq!(number("max\n"), None);
    }

    #[test]
    fn the_resident_size_is_read_in_bytes() {
        let status = "Name:\tmcp-server\nVmRSS:\t   12 kB\nThreads:\t3\n";
        assert_eq!(resident_bytes(status), Some(12 * 1024));
        assert_eq!(resident_bytes("Name: x\n"), None);
    }

    #[test]
    fn something_is_measured_here() {
        assert!(measure().used_bytes.is_some());
    }
}
