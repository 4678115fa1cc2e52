//! The image that every pod needs and no registry here has: `pause`, twenty lines of C.
//!
//! It is compiled once into the cache and packed as an archive of Docker's format, which is three
//! files in a tar. The compiler is there, because cargo links with it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{command, lock::Lock, paths::Paths};

/// Its name in containerd; `localhost` says that nobody else can have made it.
pub(super) const IMAGE: &str = "localhost/mcp-foundry/pause:1";

const SOURCE: &str = include_str!("pause.c");

/// The archive, made if need be.
pub(super) fn archive(paths: &Paths) -> anyhow::Result<PathBuf> {
    let folder = paths.cache.join("images");
    let key = format!("{:x}", Sha256::digest(SOURCE));
    let archive = folder.join(format!("pause-{}.tar", &key[..16]));
    let _lock = Lock::acquire(&folder.join("pause.lock"))?;
    if !archive.exists() {
        let work = tempfile::tempdir_in(&folder).context("cannot make a folder in the cache")?;
        let unfinished =
            build(work.path()).context("cannot build the image of `pause`; it needs `cc` and libc6-dev")?;
        fs::rename(unfinished, &archive).with_context(|| format!("cannot write {}", archive.display()))?;
    }
    Ok(archive)
}

fn build(work: &Path) -> anyhow::Result<PathBuf> {
    fs::write(work.join("pause.c"), SOURCE)?;
    let inside = |program: &str| {
        let mut command = Command::new(program);
        command.current_dir(work);
        command
    };
    command::run(inside("cc").args(["-Os", "-static", "-s", "-o", "pause", "pause.c"]))?;
    tar(inside("tar"), "layer.tar", &["pause"])?;
    let layer = format!("sha256:{:x}", Sha256::digest(fs::read(work.join("layer.tar"))?));
    fs::write(work.join("config.json"), config(&layer))?;
    fs::write(work.join("manifest.json"), manifest())?;
    tar(inside("tar"), "image.tar", &["manifest.json", "config.json", "layer.tar"])?;
    Ok(work.join("image.tar"))
}

fn tar(mut tar: Command, archive: &str, files: &[&str]) -> anyhow::Result<()> {
    command::run(tar.args(["--owner=0", "--group=0", "--mtime=@0", "-cf", archive]).args(files))
}

fn config(layer: &str) -> String {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Entrypoint": ["/pause"], "User": "65535:65535" },
        "rootfs": { "type": "layers", "diff_ids": [layer] },
    })
    .to_string()
}

fn manifest() -> String {
    json!([{ "Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"] }]).to_string()
}
