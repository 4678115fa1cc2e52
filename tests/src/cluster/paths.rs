//! Where the cluster keeps its things, and every address it uses. Nothing is written here.
//!
//! Two folders, both outside the clone. The *cache* holds what is slow to make and never wrong
//! (programs built from pinned modules); it survives `down`. The *state* holds everything that
//! belongs to one running cluster and goes with it. The state is not under `/run`, because Debian
//! mounts that without the right to execute and small, and containers live in it.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::environment::variable;

/// One name for everything the machine can see: interface, control group, node.
pub(super) const NAME: &str = "mcp-foundry";

/// The host's end of the only link; test issuers listen here. 198.18.0.0/15 is reserved for
/// benchmarks (RFC 2544), so no real network is hidden by it.
pub const HOST_ADDRESS: &str = "198.18.0.2";

/// The cluster's end: the node's address, the API server, the ingress and the cluster DNS.
pub const NODE_ADDRESS: &str = "198.18.0.1";

/// Addresses of pods. One node, so one bridge holds them all.
pub(super) const POD_CIDR: &str = "10.244.0.0/24";

/// Addresses of Services. The first one is `kubernetes.default`.
pub(super) const SERVICE_CIDR: &str = "10.96.0.0/16";

/// The API server as clients inside the cluster see it.
pub(super) const KUBERNETES_SERVICE_ADDRESS: &str = "10.96.0.1";

/// The API server's address for every client, on the host and in the namespace.
pub(super) const API_SERVER_URL: &str = "https://198.18.0.1:6443";

/// The two folders. Cheap to clone; the paths need not exist.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    /// Survives `down`.
    pub(super) cache: PathBuf,
    /// Made by `up`, removed by `down`.
    pub(super) state: PathBuf,
}

impl Paths {
    /// `$XDG_CACHE_HOME/mcp-foundry` (or `~/.cache/mcp-foundry`) and `/var/lib/mcp-foundry`.
    pub(super) fn standard() -> anyhow::Result<Self> {
        let cache = match variable("XDG_CACHE_HOME") {
            Some(folder) => PathBuf::from(folder),
            None => PathBuf::from(variable("HOME").context(
                "neither HOME nor XDG_CACHE_HOME is set, so there is no place for the built programs; set one of them",
            )?)
            .join(".cache"),
        };
        Ok(Self { cache: cache.join(NAME), state: Path::new("/var/lib").join(NAME) })
    }

    /// Held while anything of the cluster changes. It lies outside the state, which comes and goes.
    pub(super) fn lock() -> PathBuf {
        PathBuf::from("/run").join(format!("{NAME}.lock"))
    }

    /// The administrator's kubeconfig.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.state.join("kubeconfig")
    }

    /// Configuration files that we write for the components.
    pub(super) fn config(&self, file: &str) -> PathBuf {
        self.state.join("config").join(file)
    }

    /// Certificates and keys.
    pub(super) fn pki(&self, file: &str) -> PathBuf {
        self.state.join("pki").join(file)
    }

    /// What a component prints.
    pub(super) fn log(&self, component: &str) -> PathBuf {
        self.state.join("logs").join(format!("{component}.log"))
    }

    /// Which process a component is.
    pub(super) fn record(&self, component: &str) -> PathBuf {
        self.state.join("processes").join(component)
    }

    /// A component's own data.
    pub(super) fn data(&self, component: &str) -> PathBuf {
        self.state.join(component)
    }

    /// One line of JSON for each request that the API server answered.
    pub(super) fn audit_log(&self) -> PathBuf {
        self.state.join("logs").join("audit.log")
    }

    /// Containerd's socket; `unix://` is not part of it.
    pub(super) fn containerd_socket(&self) -> PathBuf {
        self.state.join("containerd.sock")
    }
}

/// A path as text for an argument or a configuration file.
///
/// Our folders come from `HOME`; one that is not UTF-8 shows as replacement characters and fails
/// at the first use, which names it.
pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Writes `content` unless the file already holds it; makes the folder. Only root may read it:
/// some of these files hold keys.
pub(super) fn write(path: &Path, content: &str) -> anyhow::Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let mut options = File::options();
    options.create(true).write(true).truncate(true).mode(0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(content.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}
