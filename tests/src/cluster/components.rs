//! The table of what runs: one function for each component, which returns program and arguments.
//!
//! Pure: nothing is read or written here. The order is the order of starting; ending goes backwards.

mod control_plane;
mod node;

use std::path::PathBuf;

use super::{Level, modules::program, paths::Paths};

/// One long-lived process of the cluster.
#[derive(Debug, Clone)]
pub(super) struct Component {
    /// Names its log, its record and its line in `status`.
    pub(super) name: &'static str,
    /// The lowest level that needs it.
    pub(super) level: Level,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// All of its environment besides `PATH` and `HOME`.
    pub(super) environment: Vec<(&'static str, String)>,
    /// Configuration that is written before it starts: path and content.
    pub(super) files: Vec<(PathBuf, String)>,
}

impl Component {
    fn new(name: &'static str, level: Level, program: PathBuf, arguments: Vec<String>) -> Self {
        Self { name, level, program, arguments, environment: Vec::new(), files: Vec::new() }
    }
}

/// Every component, in the order of starting.
pub(super) fn all(paths: &Paths) -> Vec<Component> {
    let mut components = control_plane::components(paths);
    components.extend(node::components(paths));
    components
}

/// `--name=value`, as all of these programs take it.
fn flag(name: &str, value: impl AsRef<str>) -> String {
    format!("--{name}={}", value.as_ref())
}

#[cfg(test)]
mod tests {
    use super::{Component, all};
    use crate::cluster::{Level, paths::Paths};

    fn components() -> Vec<Component> {
        all(&Paths { cache: "/cache".into(), state: "/state".into() })
    }

    fn arguments(name: &str) -> Vec<String> {
        components().into_iter().find(|component| component.name == name).unwrap().arguments
    }

    #[test]
    fn the_control_plane_is_four_processes_and_starts_before_the_node() {
        let names: Vec<&str> = components().iter().map(|component| component.name).collect();
        assert_eq!(
            names,
            [
                "etcd",
                "apiserver",
                "controller-manager",
                "scheduler",
                "containerd",
                "kubelet",
                "coredns",
                "traefik",
                "kube-proxy"
            ]
        );
        let control_plane = components().iter().filter(|component| component.level == Level::ControlPlane).count();
        assert_eq!(control_plane, 4);
    }

    #[test]
    fn the_api_server_writes_an_audit_log_and_asks_the_kubelet_by_address() {
        let arguments = arguments("apiserver");
        assert!(arguments.contains(&"--audit-log-path=/state/logs/audit.log".to_owned()));
        assert!(arguments.contains(&"--kubelet-preferred-address-types=InternalIP".to_owned()));
    }

    #[test]
    fn etcd_never_waits_for_the_disk_and_listens_only_inside() {
        let arguments = arguments("etcd");
        assert!(arguments.contains(&"--unsafe-no-fsync".to_owned()));
        assert!(arguments.contains(&"--listen-client-urls=http://127.0.0.1:2379".to_owned()));
    }

    #[test]
    fn the_kubelet_notices_a_changed_config_map_at_once() {
        let kubelet = components().into_iter().find(|component| component.name == "kubelet").unwrap();
        let (path, content) = &kubelet.files[0];
        assert_eq!(path.to_str(), Some("/state/config/kubelet.json"));
        let content: serde_json::Value = serde_json::from_str(content).unwrap();
        assert_eq!(content["configMapAndSecretChangeDetectionStrategy"], "Watch");
        assert_eq!(content["syncFrequency"], "5s");
    }

    #[test]
    fn every_configuration_file_lies_in_the_state_folder() {
        for component in components() {
            for (path, _) in component.files {
                assert!(path.starts_with("/state"), "{} writes {}", component.name, path.display());
            }
        }
    }
}
