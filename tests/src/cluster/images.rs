//! Images come from files: no registry is reachable, and none is needed.

use std::{path::Path, process::Command};

use anyhow::{Context, ensure};

use super::{
    command::{find, output, run},
    paths::Paths,
};

/// Puts the images of an archive (OCI or Docker format) where the kubelet finds them, under the
/// names in the archive. Pods need `imagePullPolicy: IfNotPresent` (or `Never`).
pub(super) fn load(paths: &Paths, archive: &Path) -> anyhow::Result<()> {
    ensure!(
        paths.containerd_socket().exists(),
        "the cluster has no node, so it can hold no image; add one with `cargo cluster up --level node`"
    );
    run(ctr(paths, "300s").args(["images", "import"]).arg(archive))
        .with_context(|| format!("cannot load the image {}", archive.display()))
}

/// Whether containerd holds an image of this exact name.
pub(super) fn holds(paths: &Paths, image: &str) -> bool {
    output(ctr(paths, "10s").args(["images", "list", "--quiet"]))
        .is_ok_and(|names| names.lines().any(|name| name == image))
}

/// Whether containerd answers.
pub(super) fn containerd_answers(paths: &Paths) -> Result<(), String> {
    run(ctr(paths, "10s").arg("version")).map_err(|error| format!("{error:#}"))
}

fn ctr(paths: &Paths, limit: &str) -> Command {
    let mut ctr = Command::new(find("ctr").unwrap_or_else(|| "ctr".into()));
    // The kubelet sees only this namespace of containerd's.
    ctr.arg("--address").arg(paths.containerd_socket()).args(["--timeout", limit, "--namespace", "k8s.io"]);
    ctr
}
