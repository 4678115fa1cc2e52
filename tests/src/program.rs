//! Programs of this repository, built by the cargo that runs us, into the folder that it uses anyway.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::repository;

/// The profile of programs in images. `dev` saves minutes while one works on a test; such images are large and slow.
const PROFILE_VARIABLE: &str = "MCP_TEST_IMAGE_PROFILE";

/// What to build of a package.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Artifact {
    /// A binary, by its name.
    Binary(&'static str),
    /// An example, by its name.
    Example(&'static str),
}

/// Builds `package` alone, so that features of other crates do not reach it, and answers where its program is.
/// What the compiler has to say goes to standard error as it comes.
pub(crate) fn build(package: &str, artifact: Artifact, profile: &str) -> Result<PathBuf> {
    let (kind, name) = match artifact {
        Artifact::Binary(name) => ("--bin", name),
        Artifact::Example(name) => ("--example", name),
    };
    let shown = format!("cargo build --profile {profile} --package {package} {kind} {name}");
    let output = Command::new(cargo())
        .current_dir(repository())
        .args(["build", "--locked", "--profile", profile, "--package", package, kind, name])
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed ({}); its message is above", output.status);
    }
    executable(&String::from_utf8_lossy(&output.stdout), name).with_context(|| format!("`{shown}` named no program"))
}

/// The program of the last artifact called `name`. Source: The Cargo Book, "External tools", "JSON messages".
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo says which cargo it is by a variable, and a developer's switch is not worth a flag on three commands"
)]
fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// The profile of programs that go into images.
#[expect(clippy::disallowed_methods, reason = "a developer's switch is not worth a flag on three commands")]
pub(crate) fn image_profile() -> String {
    std::env::var(PROFILE_VARIABLE).unwrap_or_else(|_| "release".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"server"},"executable":null}
not json
{"reason":"compiler-artifact","target":{"name":"mcp-server"},"executable":"/t/release/mcp-server"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "mcp-server"), Some("/t/release/mcp-server".into()));
        assert_eq!(executable(messages, "mcp-operator"), None);
    }
}
