//! A real Kubernetes on this machine, from upstream's own programs: no image registry, no Docker.
//!
//! ```text
//! prerequisites ─ modules ─┐                          (what the machine has, what we build once)
//!                          up ─ namespaces ─ network ─ pki ─ kubeconfig      (prepare)
//!                          │      └ components ─ process ─ wait              (start, in order)
//!                          └ pause ─ images ─ ingress                        (make it useful)
//! down ─ process ─ remove                                                    (leave nothing)
//! ```
//!
//! # Invariants
//!
//! - Everything runs in one network namespace, one mount namespace and one control group of its
//!   own. What `down` must remove is found by asking the kernel for these three, not our notes.
//! - A signal goes only to a pid whose start time is the recorded one, or to a member of that
//!   control group. The absence of `pkill` is on purpose.
//! - The ambient `KUBECONFIG` is never read, neither by us nor by a program that we start.
//! - Every step looks first and does only what is missing; there is no separate code for repair.
//!
//! The functions block. Call them from `spawn_blocking` where a runtime must go on.

mod cgroup;
pub mod cli;
mod command;
mod components;
mod containers;
mod down;
mod environment;
mod images;
pub mod ingress;
mod kernel;
mod kubeconfig;
mod lock;
pub mod modules;
mod namespaces;
mod network;
mod paths;
mod pause;
mod pki;
pub mod prerequisites;
mod process;
mod progress;
mod remove;
mod status;
pub mod target;
mod up;
mod wait;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use clap::ValueEnum;
use url::Url;

pub use self::{
    containers::{files_in_pod, kill_in_pod},
    down::down,
    paths::{HOST_ADDRESS, NODE_ADDRESS},
    pki::{Certificate, TestCa},
    status::{Status, status},
    up::up,
};
use self::{
    modules::program,
    paths::{API_SERVER_URL, Paths},
};

/// How much of a cluster is needed. Each level holds the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, ValueEnum)]
pub enum Level {
    /// API server, etcd, controller manager, scheduler; no pod ever runs. Enough to reconcile.
    ControlPlane,
    /// One node that runs pods, cluster DNS, and Traefik as the ingress controller.
    #[default]
    Node,
}

/// What a caller decides about [`up`].
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Install missing Debian packages without asking. `CI=true` says the same.
    pub assume_yes: bool,
}

/// The API server, as it is reached from this machine and from inside the cluster's network.
#[derive(Debug, Clone)]
pub struct ApiServer {
    /// Without a path.
    pub url: Url,
    /// The authority of its certificate.
    pub ca_pem: String,
}

/// A cluster that is up. Dropping it changes nothing: only [`down`] ends a cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    paths: Paths,
    kubeconfig: PathBuf,
    audit_log: PathBuf,
}

impl Cluster {
    fn new(paths: &Paths) -> Self {
        Self { paths: paths.clone(), kubeconfig: paths.kubeconfig(), audit_log: paths.audit_log() }
    }

    /// The administrator's kubeconfig; everything it needs is in the one file.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// `kubectl` as administrator; add arguments and run it.
    pub fn kubectl(&self) -> Command {
        let mut kubectl = without_ambient_settings(Command::new(program(&self.paths, "kubectl")));
        kubectl.arg("--kubeconfig").arg(&self.kubeconfig).arg("--cache-dir").arg(self.paths.data("kubectl-cache"));
        kubectl
    }

    /// `helm` as administrator, with none of the user's own repositories and plugins.
    pub fn helm(&self) -> Command {
        let mut helm = without_ambient_settings(Command::new(program(&self.paths, "helm")));
        for folder in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            helm.env(folder, self.paths.data("helm").join(folder));
        }
        helm.arg("--kubeconfig").arg(&self.kubeconfig);
        helm
    }

    /// Makes the images of an archive known to the node, under the names in the archive. Pods need
    /// `imagePullPolicy: IfNotPresent`. Needs [`Level::Node`].
    pub fn load_image(&self, archive: &Path) -> anyhow::Result<()> {
        images::load(&self.paths, archive)
    }

    /// Where the API server is, for a client that brings credentials of its own.
    pub fn api_server(&self) -> anyhow::Result<ApiServer> {
        let ca = self.paths.pki("ca.crt");
        let ca_pem = fs::read_to_string(&ca).with_context(|| format!("cannot read {}", ca.display()))?;
        Ok(ApiServer { url: API_SERVER_URL.parse()?, ca_pem })
    }

    /// One line of JSON for each answered request (level `Metadata`), in the order of answering.
    pub fn audit_log(&self) -> &Path {
        &self.audit_log
    }

    /// The authority for test issuers and for TLS at the ingress; made anew after each [`down`].
    pub fn test_ca(&self) -> anyhow::Result<TestCa> {
        TestCa::read(&self.paths)
    }

    /// Moves the calling thread, and no other, into the cluster's network: sockets that it opens from now on are in there.
    pub fn enter_network(&self) -> anyhow::Result<()> {
        namespaces::enter_network(&self.paths)
    }

    /// Runs a program inside the cluster's network, with the machine's own files; add arguments.
    pub fn netns_command(&self, program: &str) -> Command {
        let mut nsenter = namespaces::in_network(&self.paths);
        nsenter.arg(program);
        nsenter
    }
}

/// Where everything is that is slow to make and never wrong: outside the clone, and it survives [`down`].
pub fn cache_root() -> anyhow::Result<PathBuf> {
    Ok(Paths::standard()?.cache)
}

/// A user's environment must not change which cluster is used, nor how it is reached.
fn without_ambient_settings(mut command: Command) -> Command {
    for name in ["KUBECONFIG", "HELM_KUBECONTEXT", "HELM_KUBEAPISERVER", "HELM_KUBETOKEN", "HELM_NAMESPACE"] {
        command.env_remove(name);
    }
    // `kuberc` holds a user's own defaults and aliases for kubectl.
    command.env("KUBERC", "off").env("NO_PROXY", format!("{NODE_ADDRESS},{HOST_ADDRESS}"));
    command
}
