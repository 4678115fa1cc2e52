//! The ingress class that stands for Traefik, as a cluster's administrator would have made it.

use std::{io::Write, process::Stdio};

use anyhow::{Context, ensure};
use serde_json::json;

use super::{Cluster, paths::Paths};

/// What `ingressClassName` says; it is also the default.
pub const CLASS: &str = "traefik";

/// Makes the class unless it is there.
pub(super) fn ensure_class(paths: &Paths) -> anyhow::Result<()> {
    let class = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": { "name": CLASS, "annotations": { "ingressclass.kubernetes.io/is-default-class": "true" } },
        "spec": { "controller": "traefik.io/ingress-controller" },
    });
    let mut kubectl = Cluster::new(paths).kubectl();
    kubectl.args(["apply", "--server-side", "--field-manager=cluster", "--request-timeout=10s", "-f", "-"]);
    let mut child = kubectl
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start kubectl")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(class.to_string().as_bytes()).context("cannot talk to kubectl")?;
    }
    let output = child.wait_with_output().context("cannot wait for kubectl")?;
    ensure!(
        output.status.success(),
        "cannot make the IngressClass `{CLASS}`: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
