//! Which cluster the demo and the end-to-end tests use: the one that the user names, or our own.
//!
//! Named means named to us, with `--kubeconfig`, `--context` or `MCP_TEST_KUBECONFIG`. The ambient
//! `KUBECONFIG` may point at production and is never read. A named cluster that holds `McpServer`s
//! without our label is somebody's cluster, and is refused before anything is changed.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::{
    Cluster, Level, Options,
    command::{find, output},
    environment::variable,
    modules::{self, HELM, KUBERNETES, program},
    paths::Paths,
    prerequisites, without_ambient_settings,
};

/// Every `McpServer` that a test or the demo makes carries this label; its value is free.
pub const TEST_LABEL: &str = "mcpfoundry.dev/test-run";

const RESOURCE: &str = "mcpservers.mcpfoundry.dev";

/// How many foreign objects a refusal names.
const NAMED_AT_MOST: usize = 3;

/// What the user said about the cluster; flatten it into a command's arguments.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Selection {
    /// Use this cluster instead of a local one: a kubeconfig file. `KUBECONFIG` is never read.
    #[arg(long, value_name = "FILE", env = "MCP_TEST_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,
    /// A context of that file; without `--kubeconfig`, of `~/.kube/config`.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// The cluster to use.
#[derive(Debug, Clone)]
pub enum Target {
    /// The one on this machine, at [`Level::Node`].
    Own(Cluster),
    /// One that the user named, and that holds nothing foreign.
    Named(Named),
}

/// A cluster that we did not make. Only its API is known: no images, audit log or addresses.
#[derive(Debug, Clone)]
pub struct Named {
    kubeconfig: PathBuf,
    context: Option<String>,
    kubectl: PathBuf,
    helm: PathBuf,
}

/// Finds the named cluster and checks it, or brings our own up.
pub fn target(selection: &Selection, options: &Options) -> anyhow::Result<Target> {
    let Some(kubeconfig) = named_file(selection, std::env::home_dir())? else {
        return Ok(Target::Own(super::up(Level::Node, options)?));
    };
    ensure!(kubeconfig.is_file(), "there is no kubeconfig at {}; name one that exists", kubeconfig.display());
    let (kubectl, helm) = programs()?;
    let named = Named { kubeconfig, context: selection.context.clone(), kubectl, helm };
    named.refuse_foreign()?;
    Ok(Target::Named(named))
}

impl Target {
    /// `kubectl` for this cluster; add arguments and run it.
    pub fn kubectl(&self) -> Command {
        match self {
            Self::Own(cluster) => cluster.kubectl(),
            Self::Named(named) => named.kubectl(),
        }
    }

    /// `helm` for this cluster; add arguments and run it.
    pub fn helm(&self) -> Command {
        match self {
            Self::Own(cluster) => cluster.helm(),
            Self::Named(named) => named.helm(),
        }
    }

    /// The file for a client library; use it together with [`Target::context`].
    pub fn kubeconfig(&self) -> &Path {
        match self {
            Self::Own(cluster) => cluster.kubeconfig(),
            Self::Named(named) => &named.kubeconfig,
        }
    }

    /// The context of the file; `None`: its current one.
    pub fn context(&self) -> Option<&str> {
        match self {
            Self::Own(_) => None,
            Self::Named(named) => named.context.as_deref(),
        }
    }
}

impl Named {
    fn kubectl(&self) -> Command {
        self.command(&self.kubectl, "--context")
    }

    fn helm(&self) -> Command {
        self.command(&self.helm, "--kube-context")
    }

    fn command(&self, program: &Path, context_flag: &str) -> Command {
        let mut command = without_ambient_settings(Command::new(program));
        // A cluster elsewhere may well be behind the user's proxy, and behind exceptions to it.
        match variable("NO_PROXY") {
            Some(exceptions) => command.env("NO_PROXY", exceptions),
            None => command.env_remove("NO_PROXY"),
        };
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        if let Some(context) = &self.context {
            command.arg(context_flag).arg(context);
        }
        command
    }

    fn refuse_foreign(&self) -> anyhow::Result<()> {
        let ask = |arguments: &[&str]| {
            output(self.kubectl().args(arguments).arg("--request-timeout=15s"))
                .with_context(|| format!("cannot ask the named cluster ({})", self.kubeconfig.display()))
        };
        if ask(&["get", "crd", RESOURCE, "--ignore-not-found", "-o", "name"])?.trim().is_empty() {
            return Ok(());
        }
        let foreign = foreign(&ask(&["get", RESOURCE, "--all-namespaces", "-o", "json"])?)?;
        if foreign.is_empty() {
            return Ok(());
        }
        bail!("{}", refusal(&foreign));
    }
}

/// The file that the selection names, if it names a cluster at all.
fn named_file(selection: &Selection, home: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    // `MCP_TEST_KUBECONFIG=` is how one says "none" to a variable that is set elsewhere.
    let file = selection.kubeconfig.clone().filter(|file| !file.as_os_str().is_empty());
    match (file, &selection.context) {
        (Some(file), _) => Ok(Some(file)),
        (None, None) => Ok(None),
        (None, Some(context)) => {
            let home = home.with_context(|| {
                format!("HOME is not set, so the file of context `{context}` is unknown; add --kubeconfig FILE")
            })?;
            Ok(Some(home.join(".kube").join("config")))
        }
    }
}

/// The user's own programs if both are there: a machine with a cluster of its own needs no Go.
fn programs() -> anyhow::Result<(PathBuf, PathBuf)> {
    if let (Some(kubectl), Some(helm)) = (find("kubectl"), find("helm")) {
        return Ok((kubectl, helm));
    }
    let paths = Paths::standard()?;
    if !modules::are_built(&paths, &[&KUBERNETES, &HELM]) {
        prerequisites::ensure_go().context("kubectl and helm are not in PATH; install both, or let us build them")?;
    }
    modules::ensure(&paths, &[&KUBERNETES, &HELM])?;
    Ok((program(&paths, "kubectl"), program(&paths, "helm")))
}

#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

/// `namespace/name` of each `McpServer` in a list of kubectl's that does not carry our label.
fn foreign(list: &str) -> anyhow::Result<Vec<String>> {
    let list: List = serde_json::from_str(list).context("cannot read kubectl's list of McpServers")?;
    let metadata = list.items.into_iter().map(|item| item.metadata);
    Ok(metadata
        .filter(|metadata| !metadata.labels.contains_key(TEST_LABEL))
        .map(|metadata| format!("{}/{}", metadata.namespace, metadata.name))
        .collect())
}

fn refusal(foreign: &[String]) -> String {
    let named = foreign.iter().take(NAMED_AT_MOST).cloned().collect::<Vec<_>>().join(", ");
    let more = foreign.len().saturating_sub(NAMED_AT_MOST);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "the named cluster holds McpServers that no test made ({named}{rest}), so nothing was changed in it; \
         name another cluster, or none to get a local one"
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Selection, foreign, named_file, refusal};

    fn selection(kubeconfig: Option<&str>, context: Option<&str>) -> Selection {
        Selection { kubeconfig: kubeconfig.map(Into::into), context: context.map(Into::into) }
    }

    #[test]
    fn without_a_name_there_is_no_named_cluster() {
        let home = || Some(PathBuf::from("/home/u"));
        assert_eq!(named_file(&selection(None, None), home()).unwrap(), None);
        assert_eq!(named_file(&selection(Some(""), None), home()).unwrap(), None);
    }

    #[test]
    fn a_context_alone_means_the_users_own_file() {
        let file = named_file(&selection(None, Some("kind")), Some("/home/u".into())).unwrap();
        assert_eq!(file, Some("/home/u/.kube/config".into()));
        let error = named_file(&selection(None, Some("kind")), None).unwrap_err();
        assert!(error.to_string().contains("--kubeconfig FILE"));
    }

    #[test]
    fn only_objects_without_our_label_are_foreign() {
        let list = r#"{ "items": [
            { "metadata": { "name": "a", "namespace": "x", "labels": { "mcpfoundry.dev/test-run": "7" } } },
            { "metadata": { "name": "b", "namespace": "x", "labels": { "app": "shop" } } },
            { "metadata": { "name": "c", "namespace": "y" } }
        ] }"#;
        assert_eq!(foreign(list).unwrap(), ["x/b", "y/c"]);
        assert_eq!(foreign(r#"{ "items": [] }"#).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_refusal_names_three_and_counts_the_rest() {
        let foreign: Vec<String> = ["a/1", "a/2", "a/3", "a/4"].map(Into::into).to_vec();
        assert_eq!(
            refusal(&foreign),
            "the named cluster holds McpServers that no test made (a/1, a/2, a/3 and 1 more), so nothing was changed \
             in it; name another cluster, or none to get a local one"
        );
    }
}
