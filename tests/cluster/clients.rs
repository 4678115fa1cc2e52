//! The official SDKs as clients, through the ingress, over both eras as far as each speaks them.
//!
//! They are installed once into the cache, at exact versions. Each runs in a mount namespace of its own, whose
//! hosts file knows the endpoint's name: neither this machine's file nor its DNS is touched.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tests::{
    cluster::{
        NODE_ADDRESS, cache_root,
        prerequisites::{Need, ensure_packages},
    },
    command::{output, repository, run},
};

use crate::{space::Space, world::World};

/// Both arguments are files; what follows is the program.
const WITH_HOSTS: &str = r#"mount --bind "$1" /etc/hosts && shift && exec "$@""#;

const PYTHON: [Need; 2] = [
    Need { files: &["python3"], package: "python3" },
    Need { files: &["/usr/lib/python3.11/ensurepip", "/usr/lib/python3.13/ensurepip"], package: "python3-venv" },
];

const NODE: [Need; 2] = [Need { files: &["node"], package: "nodejs" }, Need { files: &["npm"], package: "npm" }];

pub(crate) fn python_sdk(world: &World) -> Result<()> {
    ensure_packages(&PYTHON, &world.options)?;
    let sdk = installed("python", "requirements.txt", |folder, source| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))
            .context("cannot make a Python environment")?;
        run(Command::new(folder.join("venv/bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"])
            .arg(source.join("requirements.txt")))
    })?;
    let program = [sdk.join("venv/bin/python"), sdk.join("client.py")];
    check(world, "python", &program, &[("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28"), ("auto", "2026-07-28")])
}

pub(crate) fn typescript_sdk(world: &World) -> Result<()> {
    ensure_packages(&NODE, &world.options)?;
    let sdk = installed("typescript", "package-lock.json", |folder, _| {
        run(Command::new("npm")
            .args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(folder))
        .context("cannot install npm packages")
    })?;
    let program = [PathBuf::from("node"), sdk.join("client.mjs")];
    check(
        world,
        "typescript",
        &program,
        &[("v1", "2025-11-25"), ("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")],
    )
}

fn check(world: &World, name: &str, program: &[PathBuf], modes: &[(&str, &str)]) -> Result<()> {
    let space = Space::new(world, name)?;
    space.ready_server()?;
    space.wait_pong()?;
    let token = world.issuer.token(&["tools:ping", "tools:echo"], &space.endpoint());
    for (mode, version) in modes {
        let answer = call(&space, program, mode, Some(&token))?;
        ensure!(answer["protocolVersion"] == *version, "{name} {mode} should speak {version}: {answer}");
        ensure!(answer["tools"] == serde_json::json!(["echo", "health_check", "ping"]), "{name} {mode}: {answer}");
        ensure!(answer["ping"]["message"] == "pong" && answer["echo"]["message"] == "grüße", "{name} {mode}: {answer}");

        let answer = call(&space, program, mode, None)?;
        let challenge = answer["challenges"][0].as_str().unwrap_or_default();
        let metadata = format!("https://{}/.well-known/oauth-protected-resource/mcp", space.host());
        ensure!(
            answer["error"].is_string() && challenge.contains(&metadata),
            "{name} {mode} without a token: {answer}"
        );
    }
    Ok(())
}

/// One run of a client script; its last line is JSON.
fn call(space: &Space<'_>, program: &[PathBuf], mode: &str, token: Option<&str>) -> Result<Value> {
    let work = tempfile::tempdir()?;
    let (hosts, authority) = (work.path().join("hosts"), work.path().join("ca.crt"));
    fs::write(&hosts, format!("127.0.0.1 localhost\n{NODE_ADDRESS} {}\n", space.host()))?;
    fs::write(&authority, &space.world.ca.cert_pem)?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", WITH_HOSTS, "sh"]).arg(&hosts);
    command.args(["timeout", "60"]).args(program).arg(space.endpoint()).arg(mode);
    for variable in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "SSL_CERT_DIR"]
    {
        command.env_remove(variable);
    }
    command.env("SSL_CERT_FILE", &authority).env("NODE_EXTRA_CA_CERTS", &authority);
    match token {
        Some(token) => command.env("TOKEN", token),
        None => command.env_remove("TOKEN"),
    };
    let said = output(&mut command)?;
    let line = said.lines().last().with_context(|| format!("{mode} printed nothing"))?;
    serde_json::from_str(line).with_context(|| format!("{mode} printed `{line}`"))
}

/// A folder in the cache with the client's files and its packages; named by what decides its content.
fn installed(language: &str, lock_file: &str, install: impl FnOnce(&Path, &Path) -> Result<()>) -> Result<PathBuf> {
    let source = repository().join("tests").join("cluster").join("clients").join(language);
    let key = format!("{:x}", Sha256::digest(fs::read(source.join(lock_file))?));
    let folder = cache_root()?.join("clients").join(format!("{language}-{}", &key[..16]));
    let complete = folder.join("complete");
    if !complete.exists() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        copy_files(&source, &folder)?;
        install(&folder, &source)?;
        fs::write(&complete, "")?;
    }
    // Scripts change without the lock file.
    copy_files(&source, &folder)?;
    Ok(folder)
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
