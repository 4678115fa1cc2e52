//! Programs that the harness calls: run to their end, and a failure says what was run and what it printed.
//!
//! Also the one wait of the harness: a check repeated until it holds, with a deadline and the last reason.

use std::{
    ffi::OsStr,
    io::Write,
    iter::once,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// Chosen: what is waited for lasts seconds, and a check costs some ten milliseconds.
const PAUSE: Duration = Duration::from_millis(200);

/// The root of the repository; the harness is only ever run from a checkout.
///
/// Cargo says at run time where the package is. What it said at compile time is the second choice: two
/// checkouts that share a target folder share what was compiled, too.
#[expect(clippy::disallowed_methods, reason = "cargo speaks to what it runs by variables")]
pub fn repository() -> PathBuf {
    let tests =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    tests.parent().unwrap_or(&tests).to_path_buf()
}

/// Standard output of a program that succeeded.
pub fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{shown}`"))?;
    succeeded(&shown, &output)
}

/// Like [`output`], for a program that is run for its effect.
pub fn run(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Like [`output`], for a program that reads `input`.
pub fn feed(command: &mut Command, input: &str) -> Result<String> {
    let shown = shown(command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).with_context(|| format!("cannot write to `{shown}`"))?;
    }
    let output = child.wait_with_output().with_context(|| format!("cannot wait for `{shown}`"))?;
    succeeded(&shown, &output)
}

/// Runs a program whose output people should see as it comes.
pub fn watched(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status}); its message is above");
    }
    Ok(())
}

/// Repeats `check` until it answers `Ok`; it answers `Err` with the reason why not yet.
pub fn wait_until<T>(what: &str, limit: Duration, mut check: impl FnMut() -> Result<T, String>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match check() {
            Ok(value) => return Ok(value),
            Err(reason) if Instant::now() > deadline => {
                bail!("{what}: not within {} s: {}", limit.as_secs(), reason.trim())
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn succeeded(shown: &str, output: &Output) -> Result<String> {
    if !output.status.success() {
        bail!("`{shown}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
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
