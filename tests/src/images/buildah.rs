//! A Dockerfile and folders in, an OCI archive out. Buildah keeps nothing elsewhere, so nothing of another user's is touched.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::{Image, base::architecture};
use crate::command::run;

/// A folder to build in, beside the archives, so that a finished one can be renamed.
pub(super) fn work_folder(cache: &Path) -> Result<TempDir> {
    tempfile::Builder::new().prefix("build-").tempdir_in(cache).context("cannot make a folder to build in")
}

/// Builds `image` into its archive. `contexts` replace the stages of these names.
pub(super) fn archive(work: &TempDir, image: &Image, dockerfile: &Path, contexts: &[(&str, &PathBuf)]) -> Result<()> {
    let context = work.path().join("context");
    fs::create_dir(&context)?;
    let buildah = |arguments: &[&str]| {
        let mut buildah = Command::new("buildah");
        buildah.args(["--storage-driver", "vfs", "--root"]).arg(work.path().join("storage"));
        buildah.arg("--runroot").arg(work.path().join("run")).args(arguments);
        buildah
    };
    let architecture = architecture()?;
    let mut bud = buildah(&["bud", "--quiet", "--isolation", "chroot", "--format", "oci", "--timestamp", "0"]);
    bud.arg(format!("--build-arg=TARGETARCH={architecture}"));
    bud.arg(format!("--build-arg=BUILDPLATFORM=linux/{architecture}"));
    for (name, folder) in contexts {
        bud.arg(format!("--build-context={name}={}", folder.display()));
    }
    run(bud.arg("--file").arg(dockerfile).args(["--tag", &image.reference()]).arg(context))?;
    let unfinished = work.path().join("image.tar");
    run(buildah(&["push", "--quiet", &image.reference()]).arg(format!(
        "oci-archive:{}:{}",
        unfinished.display(),
        image.reference()
    )))?;
    // The archive appears whole, or not at all.
    fs::rename(&unfinished, &image.archive).with_context(|| format!("cannot write {}", image.archive.display()))
}
