//! What a Redis wrote to its append-only file: every change that it was told, which is a dump with a history.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};

use super::kept::{problems_of_keys, readable};

/// Where a Redis writes, in its folder.
pub const APPEND_ONLY_FOLDER: &str = "appendonlydir";

/// The files there.
pub fn files_in(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let entries = fs::read_dir(folder).with_context(|| format!("there is no {}", folder.display()))?;
    entries.map(|entry| Ok(fs::read(entry?.path())?)).collect()
}

/// How many keys there are after all that is in these files. An error when one says something or never ends, when a value can be
/// read, or when one of `secrets` is anywhere.
pub fn ends_and_cannot_be_read(files: &[Vec<u8>], secrets: &[&str]) -> Result<usize> {
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
    let problems = problems_of_keys(keys.0.iter().map(|(name, ends)| (&**name, *ends)));
    ensure!(problems.is_empty(), "{}", problems.join("; "));
    Ok(keys.0.len())
}

/// Whether each key ends.
#[derive(Default)]
struct Keys(BTreeMap<String, bool>);

impl Keys {
    fn note(&mut self, command: &[&[u8]]) -> Result<()> {
        let word =
            |at: usize| command.get(at).map(|word| String::from_utf8_lossy(word).into_owned()).unwrap_or_default();
        let key = word(1);
        match word(0).to_ascii_uppercase().as_str() {
            "SET" => {
                cannot_be_read(&key, command.get(2).copied())?;
                let ends = command.iter().skip(3).any(|word| matches!(*word, b"PX" | b"PXAT"));
                self.0.insert(key, ends);
            }
            "XADD" => {
                // One field, whose name says nothing. Source: the server, `store/redis/wire.rs`.
                let [.., id, b"e", value] = command else { bail!("an entry of {key} has other fields than ours") };
                ensure!(id.ends_with(b"-1"), "an entry of {key} has an id of its own");
                cannot_be_read(&key, Some(value))?;
                self.0.entry(key).or_insert(false);
            }
            "PEXPIRE" | "PEXPIREAT" => {
                self.0.insert(key, true);
            }
            "DEL" | "UNLINK" => drop(self.0.remove(&key)),
            // As an administrator.
            "FLUSHALL" => self.0.clear(),
            "SELECT" | "MULTI" | "EXEC" => {}
            other => bail!("the Redis was told {other}"),
        }
        Ok(())
    }
}

fn cannot_be_read(key: &str, value: Option<&[u8]>) -> Result<()> {
    match value.and_then(readable) {
        Some(problem) => bail!("what {key} holds can be read: {problem}"),
        None => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "mcpf:a/tools:v1:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// As a Redis writes them.
    fn log(commands: &[&[&[u8]]]) -> Vec<Vec<u8>> {
        let mut log = Vec::new();
        for command in commands {
            log.extend(format!("*{}\r\n", command.len()).bytes());
            for word in *command {
                log.extend([format!("${}\r\n", word.len()).as_bytes(), word, b"\r\n"].concat());
            }
        }
        vec![b"REDIS0010".to_vec(), log]
    }

    fn problem(commands: &[&[&[u8]]], secrets: &[&str]) -> String {
        format!("{:#}", ends_and_cannot_be_read(&log(commands), secrets).unwrap_err())
    }

    #[test]
    fn sealed_values_with_an_end_are_counted_and_what_was_deleted_is_not() {
        let (key, sealed) = (KEY.as_bytes(), &[0xff; 40][..]);
        let entry: [&[u8]; 7] = [b"XADD", key, b"MAXLEN", b"8", b"1-1", b"e", sealed];
        let (end, set): ([&[u8]; 3], [&[u8]; 5]) = ([b"PEXPIREAT", key, b"1"], [b"SET", key, sealed, b"PXAT", b"1"]);
        let files = log(&[&[b"SELECT", b"0"], &[b"MULTI"], &entry, &end, &[b"EXEC"]]);
        assert_eq!(ends_and_cannot_be_read(&files, &["person-1"]).unwrap(), 1);
        let files = log(&[&set, &[b"DEL", key]]);
        assert_eq!(ends_and_cannot_be_read(&files, &[]).unwrap(), 0);
    }

    #[test]
    fn what_never_ends_what_can_be_read_and_what_is_no_change_of_ours_is_an_error() {
        let (key, sealed) = (KEY.as_bytes(), &[0xff; 40][..]);
        let text = &b"{\"level\":\"alert\",\"subscriptions\":[]}"[..];
        assert_eq!(problem(&[&[b"SET", key, sealed]], &[]), format!("`{KEY}` never ends"));
        let without_end: [&[u8]; 7] = [b"XADD", key, b"MAXLEN", b"8", b"1-1", b"e", sealed];
        assert_eq!(problem(&[&without_end], &[]), format!("`{KEY}` never ends"));
        let readable: [&[&[u8]]; 2] =
            [&[b"SET", key, text, b"PX", b"1"], &[b"XADD", key, b"MAXLEN", b"8", b"1-1", b"e", text]];
        for command in readable {
            let problem = problem(&[command], &[]);
            assert!(problem.starts_with(&format!("what {KEY} holds can be read: ")), "{problem}");
        }
        assert_eq!(problem(&[&[b"RPUSH", key, sealed]], &[]), "the Redis was told RPUSH");
        assert_eq!(problem(&[&[b"SET", key, text]], &["alert"]), "`alert` can be read in what the Redis keeps");
    }
}
