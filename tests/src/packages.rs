//! Packages of other languages for tests: pinned by a lock file here, installed once into the cache.
//!
//! A folder of the cache is named by a hash of its lock file, so a finished one is never wrong. Nothing that a package
//! wants to run while it is installed is run. Lock files name no registry: each client asks the one that it is set to.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::{
    cluster::{cache_root, prerequisites::Need},
    command::run,
};

/// What [`go`] needs of the machine.
pub const GO: [Need; 1] = [Need { files: &["go"], package: "golang" }];

/// What [`npm`] needs of the machine.
pub const NPM: [Need; 2] = [Need { files: &["node"], package: "nodejs" }, Need { files: &["npm"], package: "npm" }];

/// What [`pip`] needs of the machine.
pub const PYTHON: [Need; 2] = [
    Need { files: &["python3"], package: "python3" },
    Need { files: &["/usr/lib/python3.11/ensurepip", "/usr/lib/python3.13/ensurepip"], package: "python3-venv" },
];

/// A folder in the cache with the files of `source` and what `install` adds to them. `decisive` are those files that
/// decide what is added; `name` tells the folder from others, and may hold a `/`.
pub fn installed(
    name: &str,
    source: &Path,
    decisive: &[&str],
    install: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let mut key = Sha256::new();
    for file in decisive {
        let file = source.join(file);
        let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        key.update(content.len().to_le_bytes());
        key.update(content);
    }
    let key = format!("{:x}", key.finalize());
    let folder = cache_root()?.join(format!("{name}-{}", &key[..16]));
    let _lock = lock(&folder)?;
    let complete = folder.join("complete");
    if !complete.exists() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        copy_files(source, &folder)?;
        install(&folder)?;
        fs::write(&complete, "")?;
    }
    // Scripts change without the lock file.
    copy_files(source, &folder)?;
    Ok(folder)
}

/// Builds the Go module in a folder with `go.sum` into the file `program`, which needs no library.
pub fn go(folder: &Path) -> Result<()> {
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-buildvcs=false", "-o", "program", "."]).current_dir(folder);
    go.env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOFLAGS");
    run(&mut go).context("cannot build a program in Go")
}

/// `npm ci` in a folder with `package-lock.json`.
pub fn npm(folder: &Path) -> Result<()> {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder);
    run(&mut npm).context("cannot install npm packages")
}

/// The Node.js that [`npm`] has installed into a folder whose lock file names it: Debian's is too old for some packages.
pub fn node(folder: &Path) -> Result<PathBuf> {
    let platforms =
        ["x64", "arm64"].map(|platform| folder.join(format!("node_modules/node-linux-{platform}/bin/node")));
    let node = platforms.into_iter().find(|node| node.exists());
    node.context("npm has no Node.js for this machine; it has one for Linux with x86-64 or arm64")
}

/// A Python environment `venv` in a folder with `requirements.txt`, which names every package.
pub fn pip(folder: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))
        .context("cannot make a Python environment")?;
    let mut pip = Command::new(folder.join("venv/bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"]);
    run(pip.arg(folder.join("requirements.txt"))).context("cannot install Python packages")
}

/// Two installations into one folder wait for each other.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.with_extension("lock");
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make the folder {}", parent.display()))?;
    }
    let file = File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
