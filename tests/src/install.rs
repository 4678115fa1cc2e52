//! Installs the operator from the product's chart, as a user does; for the demo and the end-to-end tests.

use std::{fs::File, process::Command};

use anyhow::{Context, Result};

use crate::{
    cluster::{Cluster, cache_root},
    command::{output, repository, run},
    images::Images,
};

/// Where the operator runs.
pub const NAMESPACE: &str = "mcp-system";

/// Name of the release, and with it of the operator's Deployment.
pub const RELEASE: &str = "mcp-operator";

/// What `kubectl` finds the operators' pods by.
pub const POD_SELECTOR: &str = "--selector=app.kubernetes.io/name=mcp-operator";

/// Waits until nobody else on this machine works with the operator of our cluster; to be held meanwhile. A suite
/// that reads the audit log, or a demo that installs another build, would each spoil the other.
pub fn alone() -> Result<File> {
    let path = cache_root()?.join("operator.lock");
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    if file.try_lock().is_err() {
        println!("waiting for another `cargo demo` or `cargo e2e` to finish");
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

/// Installs or upgrades the chart with these images, and waits until the operators are ready.
pub fn install(cluster: &Cluster, images: &Images) -> Result<()> {
    for image in [&images.operator, &images.server] {
        cluster.load_image(&image.archive)?;
    }
    run(&mut upgrade(cluster, images)).context("cannot install the chart")
}

/// `helm upgrade --install` with the values that a user must give; add `--set` for more.
pub fn upgrade(cluster: &Cluster, images: &Images) -> Command {
    let mut helm = cluster.helm();
    helm.args(["upgrade", "--install", RELEASE])
        .arg(repository().join("charts").join("mcp-operator"))
        .args(["--namespace", NAMESPACE, "--create-namespace", "--wait", "--timeout", "120s"])
        // The cluster is ours: a definition that somebody applied by hand is not a stranger's.
        .arg("--take-ownership")
        // Also where a test was interrupted that had scaled the operators down.
        .arg("--force-conflicts")
        .args(["--set", &format!("image.repository={}", images.operator.repository)])
        .args(["--set-string", &format!("image.tag={}", images.operator.tag)])
        .args(["--set", &format!("server.image={}", images.server.reference())]);
    helm
}

/// What the operators say about themselves, for a failure's message.
pub fn operator_logs(cluster: &Cluster) -> String {
    let mut kubectl = cluster.kubectl();
    kubectl.args(["--namespace", NAMESPACE, "logs", "--tail=30", "--prefix", POD_SELECTOR]);
    output(&mut kubectl).unwrap_or_else(|problem| format!("{problem:#}"))
}
