//! Images come from files: no registry is reachable, and none is needed.

use std::{path::Path, process::Command};

use anyhow::Context;

use super::{
    command::{find, output, run},
    paths::Paths,
};

/// Puts the images of an archive (OCI or Docker format) where the kubelet finds them, under the
/// names in the archive. Pods need `imagePullPolicy: IfNotPresent` (or `Never`).
pub(super) fn load(paths: &Paths, archive: &Path) -> anyhow::Result<()> {
    run(ctr(paths).args(["images", "import"]).arg(archive))
        .with_context(|| format!("cannot load the image {}", archive.display()))
}

/// Whether containerd holds an image of this exact name.
pub(super) fn holds(paths: &Paths, image: &str) -> bool {
    output(ctr(paths).args(["images", "list", "--quiet"]))
        .is_ok_and(|names| names.lines().any(|name| name == image))
}

/// Whether containerd answers.
pub(super) fn containerd_answers(paths: &Paths) -> Result<(), String> {
    run(ctr(paths).arg("version")).map_err(|error| format!("{error:#}"))
}

fn ctr(paths: &Paths) -> Command {
    let mut ctr = Command::new(find("ctr").unwrap_or_else(|| "ctr".into()));
    // The kubelet sees only this namespace of containerd's.
    ctr.arg("--address")
        .arg(paths.containerd_socket())
        .args(["--namespace", "k8s.io"]);
    ctr
}
