//! The base of both images, made by the product's own `server/base-image.sh` from this machine's Debian packages.
//!
//! The same distribution gives the C library that the program is linked with here and the one in the
//! image, so they match by construction.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::command::{output, repository, run};

/// A folder that stands for the stage `base`; its `rootfs` is copied into the image.
pub(super) struct Base {
    pub(super) folder: PathBuf,
    /// Hash of the packages and of the script.
    pub(super) key: String,
}

/// `amd64`, `arm64`: what Debian and container images call this machine.
pub(super) fn architecture() -> Result<String> {
    Ok(output(Command::new("dpkg").arg("--print-architecture"))?.trim().to_owned())
}

/// Makes the base unless these very packages were unpacked before.
pub(super) fn ensure(cache: &Path) -> Result<Base> {
    let script = repository().join("server").join("base-image.sh");
    let architecture = architecture()?;
    let mut hash = Sha256::new();
    hash.update(fs::read(&script).with_context(|| format!("cannot read {}", script.display()))?);
    hash.update(packages(&architecture)?);
    let key = format!("{:x}", hash.finalize())[..16].to_owned();
    let folder = cache.join(format!("base-{key}"));
    if !folder.exists() {
        let work = tempfile::Builder::new().prefix("base-unfinished-").tempdir_in(cache)?;
        fs::create_dir(work.path().join("rootfs"))?;
        run(Command::new("sh").arg(&script).arg(work.path().join("rootfs")).arg(&architecture))
            .context("cannot make the base of the images")?;
        if let Err(problem) = fs::rename(work.path(), &folder)
            // Somebody else was as fast; theirs is the same.
            && !folder.exists()
        {
            return Err(problem).with_context(|| format!("cannot write {}", folder.display()));
        }
    }
    Ok(Base { folder, key })
}

/// File names and hashes of the packages that would be downloaded, in a stated order.
fn packages(architecture: &str) -> Result<String> {
    let listed = || {
        let mut apt = Command::new("apt-get");
        apt.args(["--print-uris", "download", &format!("libc6:{architecture}"), &format!("libgcc-s1:{architecture}")]);
        output(apt.arg("ca-certificates"))
    };
    let list = if let Ok(list) = listed() {
        list
    } else {
        // A machine that never asked has no lists of packages.
        run(Command::new("apt-get").args(["update", "--quiet"]))?;
        listed().context("cannot find the Debian packages of the images' base")?
    };
    let mut lines: Vec<&str> = list.lines().map(str::trim).collect();
    lines.sort_unstable();
    Ok(lines.join("\n"))
}
