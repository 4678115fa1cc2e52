//! Runs a program to its end; a failure says what was run and what it printed.

use std::{
    ffi::OsStr,
    iter::once,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use super::environment::variable;

/// Standard output of a program that succeeded.
pub(super) fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = shown(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` failed ({}): {}", output.status, complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// As one would type it: without the folder of the program, and without its environment.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words: Vec<_> = once(program).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// Like [`output`], for programs that are run for their effect.
pub(super) fn run(command: &mut Command) -> anyhow::Result<()> {
    output(command).map(drop)
}

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
