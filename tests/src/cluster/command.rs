//! Which program to run: its words, and where it lies. Running it is [`crate::command`]'s work.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::environment::variable;
pub(super) use crate::command::{output, run};

/// Runs words that need no quoting, as one types them.
pub(super) fn words(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// Where a program lies: `PATH` first, then the folders that a user's `PATH` often lacks.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    let usual = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/go/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(usual).map(|folder| folder.join(program)).find(|file| is_file(file))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

#[cfg(test)]
mod tests {
    use super::{output, words};

    #[test]
    fn a_failure_says_what_was_run_and_what_it_printed() {
        let error = output(words("/bin/ls /nonexistent").env("LC_ALL", "C")).unwrap_err().to_string();
        assert!(error.starts_with("`ls /nonexistent` failed (exit status: 2): "), "{error}");
        assert!(error.ends_with("No such file or directory"), "{error}");
    }
}
