//! etcd, API server, controller manager, scheduler: enough for everything but running a pod.

use serde_json::json;

use super::{Component, flag, program};
use crate::cluster::{
    Level, kubeconfig,
    paths::{NODE_ADDRESS, Paths, SERVICE_CIDR, text},
};

const ETCD_URL: &str = "http://127.0.0.1:2379";

pub(super) fn components(paths: &Paths) -> Vec<Component> {
    vec![etcd(paths), api_server(paths), controller_manager(paths), scheduler(paths)]
}

/// Plain HTTP on the namespace's own loopback: only the API server shares it, and pods do not.
fn etcd(paths: &Paths) -> Component {
    let arguments = vec![
        flag("data-dir", text(&paths.data("etcd"))),
        // The data is worth nothing after `down`; the disk would be the slowest part of each write.
        "--unsafe-no-fsync".to_owned(),
        flag("listen-client-urls", ETCD_URL),
        flag("advertise-client-urls", ETCD_URL),
        flag("listen-peer-urls", "http://127.0.0.1:2380"),
        flag("log-level", "warn"),
    ];
    Component::new("etcd", Level::ControlPlane, program(paths, "etcd"), arguments)
}

fn api_server(paths: &Paths) -> Component {
    let pki = |file: &str| text(&paths.pki(file));
    let policy = paths.config("audit-policy.json");
    let arguments = vec![
        flag("etcd-servers", ETCD_URL),
        flag("bind-address", NODE_ADDRESS),
        flag("advertise-address", NODE_ADDRESS),
        flag("secure-port", "6443"),
        flag("client-ca-file", pki("ca.crt")),
        flag("tls-cert-file", pki("apiserver.crt")),
        flag("tls-private-key-file", pki("apiserver.key")),
        flag("kubelet-certificate-authority", pki("ca.crt")),
        flag("kubelet-client-certificate", pki("kubelet-client.crt")),
        flag("kubelet-client-key", pki("kubelet-client.key")),
        // Nobody resolves the node's name; `logs` and `exec` must use its address.
        flag("kubelet-preferred-address-types", "InternalIP"),
        flag("service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
        flag("service-account-key-file", pki("service-account.pub")),
        flag("service-account-signing-key-file", pki("service-account.key")),
        flag("service-cluster-ip-range", SERVICE_CIDR),
        flag("authorization-mode", "Node,RBAC"),
        flag("enable-admission-plugins", "NodeRestriction"),
        "--allow-privileged".to_owned(),
        flag("audit-policy-file", text(&policy)),
        flag("audit-log-path", text(&paths.audit_log())),
        // In MB. A log that is begun anew has forgotten what tests look back at; the default is what two hours of tests write.
        flag("audit-log-maxsize", "4096"),
    ];
    // Without the two stages each request would be counted twice, and a watch at its start.
    let audit_policy = json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [{ "level": "Metadata" }],
    });
    Component {
        files: vec![(policy, audit_policy.to_string())],
        ..Component::new("apiserver", Level::ControlPlane, program(paths, "kube-apiserver"), arguments)
    }
}

fn controller_manager(paths: &Paths) -> Component {
    let pki = |file: &str| text(&paths.pki(file));
    let arguments = vec![
        flag("kubeconfig", text(&kubeconfig::file(paths, "controller-manager"))),
        flag("bind-address", "127.0.0.1"),
        // One of a kind: waiting for a lease would only delay the start.
        flag("leader-elect", "false"),
        flag("use-service-account-credentials", "true"),
        flag("service-account-private-key-file", pki("service-account.key")),
        flag("root-ca-file", pki("ca.crt")),
        flag("cluster-signing-cert-file", pki("ca.crt")),
        flag("cluster-signing-key-file", pki("ca.key")),
        // The default makes a folder under /usr.
        flag("flex-volume-plugin-dir", text(&paths.data("volume-plugins"))),
        // The default of 20 requests a second makes garbage collection of hundreds of objects slow.
        flag("kube-api-qps", "500"),
        flag("kube-api-burst", "1000"),
    ];
    Component::new("controller-manager", Level::ControlPlane, program(paths, "kube-controller-manager"), arguments)
}

fn scheduler(paths: &Paths) -> Component {
    let arguments = vec![
        flag("kubeconfig", text(&kubeconfig::file(paths, "scheduler"))),
        flag("bind-address", "127.0.0.1"),
        flag("leader-elect", "false"),
    ];
    Component::new("scheduler", Level::ControlPlane, program(paths, "kube-scheduler"), arguments)
}
