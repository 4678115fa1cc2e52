//! Every wait has a deadline, and its failure shows why: the last answer and the component's log.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    net::TcpStream,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;

/// Chosen: most waits here last seconds, and a check costs at most a tenth of one.
const PAUSE: Duration = Duration::from_millis(100);

/// How much of a log a failure message shows.
const LOG_LINES: usize = 15;

/// More than [`LOG_LINES`] lines of any component here.
const LOG_BYTES: u64 = 16 * 1024;

/// Repeats `check` until it succeeds. It answers `Err` with the reason why not yet.
///
/// `alive` ends the wait at once when the component that should make it true has died.
pub(super) fn until(
    what: &str,
    limit: Duration,
    log: &Path,
    alive: impl Fn() -> bool,
    mut check: impl FnMut() -> Result<(), String>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        // Asked before the check: a component that died after a success is the next wait's problem.
        let was_alive = alive();
        let Err(reason) = check() else { return Ok(()) };
        let failure = if !was_alive {
            "its process ended".to_owned()
        } else if Instant::now() > deadline {
            format!("not within {} s ({})", limit.as_secs(), reason.trim())
        } else {
            thread::sleep(PAUSE);
            continue;
        };
        bail!("{what}: {failure}; the last lines of {}:\n{}", log.display(), tail(log, LOG_LINES));
    }
}

/// Asks a health check on a plain port. Twelve bytes of the answer say what it is.
pub(super) fn http_ok(address: &str, path: &str) -> Result<(), String> {
    let ask = || -> std::io::Result<[u8; 12]> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
        let mut start = [0; 12];
        stream.read_exact(&mut start)?;
        Ok(start)
    };
    match ask() {
        Ok(start) if start.ends_with(b" 200") => Ok(()),
        Ok(start) => Err(format!("{address}{path} answered {}", String::from_utf8_lossy(&start))),
        Err(error) => Err(format!("{address}{path}: {error}")),
    }
}

/// The last lines of a file; empty if there is none.
pub(super) fn tail(path: &Path, lines: usize) -> String {
    let Ok(mut file) = File::open(path) else {
        return String::new();
    };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::new();
    let start = SeekFrom::Start(length.saturating_sub(LOG_BYTES));
    if file.seek(start).and_then(|_| file.read_to_end(&mut bytes)).is_err() {
        return String::new();
    }
    last_lines(&String::from_utf8_lossy(&bytes), lines)
}

fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::{last_lines, until};

    #[test]
    fn only_the_last_lines_are_shown() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("", 2), "");
    }

    #[test]
    fn a_wait_ends_at_once_when_its_component_is_dead() {
        let log = Path::new("/nonexistent/etcd.log");
        let error = until("etcd answers", Duration::from_secs(3600), log, || false, || Err("refused".into()));
        assert_eq!(
            error.unwrap_err().to_string(),
            "etcd answers: its process ended; the last lines of /nonexistent/etcd.log:\n"
        );
    }
}
