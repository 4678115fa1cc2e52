//! What a managed Redis was told to keep: every command that it wrote to its disk, which is a dump with a history.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use tests::cluster::files_in_pod;

use super::REDIS;
use crate::space::Space;

/// Where the managed Redis writes.
const FOLDER: &str = "/data/appendonlydir";

/// Source: redis-and-degradation.md, `every-ttl`, `hashed-keys` and `sealed-values`. How many keys are there now.
pub(crate) fn ends_and_cannot_be_read(space: &Space<'_>, secrets: &[&str]) -> Result<usize> {
    let pod = space.get("pod", &format!("{REDIS}-0"))?;
    let uid = pod["metadata"]["uid"].as_str().context("a pod has a uid")?;
    let files = files_in_pod(uid, "redis-server", FOLDER)?;
    for secret in secrets {
        let holds = |file: &Vec<u8>| file.windows(secret.len()).any(|window| window == secret.as_bytes());
        ensure!(!files.iter().any(holds), "`{secret}` can be read in what the Redis keeps");
    }
    let mut keys = Keys::default();
    // The snapshot before it is empty: a young Redis has not written its log anew.
    let logs = files.iter().filter(|file| file.starts_with(b"*"));
    for command in logs.flat_map(|log| commands(log)) {
        keys.note(&command)?;
    }
    ensure!(!keys.0.is_empty(), "the Redis was told nothing");
    for (key, ends) in &keys.0 {
        ensure!(ends, "{key} never ends");
        let hash = key.rsplit(':').next().unwrap_or_default();
        ensure!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key} says something");
    }
    Ok(keys.0.len())
}

/// Whether each key has an end.
#[derive(Default)]
struct Keys(BTreeMap<String, bool>);

impl Keys {
    fn note(&mut self, command: &[&[u8]]) -> Result<()> {
        let word =
            |at: usize| command.get(at).map(|word| String::from_utf8_lossy(word).into_owned()).unwrap_or_default();
        let key = word(1);
        match word(0).to_ascii_uppercase().as_str() {
            "SET" => {
                let ends = command.iter().skip(3).any(|word| matches!(*word, b"PX" | b"PXAT"));
                self.0.insert(key, ends);
            }
            "XADD" => {
                self.0.entry(key).or_insert(false);
            }
            "PEXPIRE" | "PEXPIREAT" => {
                self.0.insert(key, true);
            }
            "DEL" | "UNLINK" => drop(self.0.remove(&key)),
            "SELECT" | "MULTI" | "EXEC" => {}
            other => bail!("the Redis was told {other}"),
        }
        Ok(())
    }
}

/// The commands of a log, each as its words. One that is not whole yet is left out.
fn commands(log: &[u8]) -> Vec<Vec<&[u8]>> {
    let (mut rest, mut commands) = (log, Vec::new());
    while let Some((command, after)) = command(rest) {
        commands.push(command);
        rest = after;
    }
    commands
}

fn command(log: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let (count, mut rest) = number(log, b'*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (length, after) = number(rest, b'$')?;
        let (word, after) = after.split_at_checked(length)?;
        words.push(word);
        rest = after.strip_prefix(b"\r\n")?;
    }
    Some((words, rest))
}

fn number(log: &[u8], sign: u8) -> Option<(usize, &[u8])> {
    let rest = log.strip_prefix(&[sign])?;
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    let count = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    Some((count, &rest[end + 2..]))
}
