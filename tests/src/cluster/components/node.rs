//! containerd, kubelet, `CoreDNS`, Traefik, kube-proxy: what turns the control plane into a node.
//!
//! `CoreDNS` and Traefik are plain processes beside the kubelet, not pods: they need no image, and
//! they are up before the node is.

use std::path::PathBuf;

use serde_json::json;

use super::{Component, flag, program};
use crate::cluster::{
    Level,
    command::find,
    kubeconfig,
    paths::{API_SERVER_URL, NAME, NODE_ADDRESS, POD_CIDR, Paths, text},
    pause,
};

/// Where Debian puts the network plugins, then where everybody else does.
const CNI_FOLDERS: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];

pub(super) fn components(paths: &Paths) -> Vec<Component> {
    vec![containerd(paths), kubelet(paths), coredns(paths), traefik(paths), kube_proxy(paths)]
}

fn containerd(paths: &Paths) -> Component {
    let config = paths.config("containerd.toml");
    let network = paths.data("cni").join("10-mcp-foundry.conflist");
    let files = vec![(config.clone(), containerd_config(paths)), (network, pod_network())];
    let program = find("containerd").unwrap_or_else(|| PathBuf::from("containerd"));
    let arguments = vec![flag("config", text(&config))];
    Component { files, ..Component::new("containerd", Level::Node, program, arguments) }
}

/// `restrict_oom_score_adj`: a machine that is itself a container may not lower that score, and
/// runc then dies with "can't get final child's PID from pipe".
fn containerd_config(paths: &Paths) -> String {
    let folder = |name: &str| text(&paths.data(name));
    let plugins = CNI_FOLDERS.iter().find(|folder| PathBuf::from(folder).is_dir()).unwrap_or(&CNI_FOLDERS[0]);
    format!(
        r#"version = 2
root = "{root}"
state = "{state}"

[grpc]
address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
enable_unprivileged_ports = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{networks}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"#,
        root = folder("containerd"),
        state = folder("containerd-state"),
        socket = text(&paths.containerd_socket()),
        pause = pause::IMAGE,
        networks = folder("cni"),
    )
}

/// Pods may call the host's end of the link, which knows no way back to them: hence `ipMasq`.
fn pod_network() -> String {
    let network = json!({
        "cniVersion": "0.4.0",
        "name": NAME,
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                "ipMasq": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{ "subnet": POD_CIDR }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    });
    network.to_string()
}

fn kubelet(paths: &Paths) -> Component {
    let config = paths.config("kubelet.json");
    let arguments = vec![
        flag("config", text(&config)),
        flag("kubeconfig", text(&kubeconfig::file(paths, "node"))),
        flag("hostname-override", NAME),
        flag("node-ip", NODE_ADDRESS),
        flag("root-dir", text(&paths.data("kubelet"))),
    ];
    Component {
        files: vec![(config, kubelet_config(paths))],
        ..Component::new("kubelet", Level::Node, program(paths, "kubelet"), arguments)
    }
}

fn kubelet_config(paths: &Paths) -> String {
    let pki = |file: &str| text(&paths.pki(file));
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "healthzBindAddress": NODE_ADDRESS,
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": pki("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": pki("kubelet.crt"),
        "tlsPrivateKeyFile": pki("kubelet.key"),
        "containerRuntimeEndpoint": format!("unix://{}", paths.containerd_socket().display()),
        "cgroupDriver": "cgroupfs",
        // Below our own group, so that `down` finds every pod.
        "cgroupRoot": format!("/{NAME}"),
        "failCgroupV1": false,
        "enforceNodeAllocatable": [],
        "failSwapOn": false,
        "oomScoreAdj": 0,
        "clusterDomain": "cluster.local",
        "clusterDNS": [NODE_ADDRESS],
        // Nothing of the machine's resolver: names outside the cluster do not exist.
        "resolvConf": "",
        // A test that changes a ConfigMap should not wait a minute to see the file change.
        "configMapAndSecretChangeDetectionStrategy": "Watch",
        "syncFrequency": "5s",
        // No registry: an image that is collected cannot come back. A full disk is the user's business.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "imagefs.available": "0%", "imagefs.inodesFree": "0%", "memory.available": "0%",
            "nodefs.available": "0%", "nodefs.inodesFree": "0%",
        },
        "serializeImagePulls": false,
        "makeIPTablesUtilChains": false,
        "podLogsDir": text(&paths.data("pod-logs")),
        // The default makes a folder under /usr.
        "volumePluginDir": text(&paths.data("volume-plugins")),
    });
    config.to_string()
}

/// Answers for the cluster's own names and says that no other exists, at once: a resolver that is
/// refused or times out would try again for seconds.
fn coredns(paths: &Paths) -> Component {
    let corefile = paths.config("Corefile");
    let content = format!(
        "cluster.local in-addr.arpa {{
    bind {NODE_ADDRESS}
    errors
    ready {NODE_ADDRESS}:8181
    kubernetes {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 5
    }}
}}
. {{
    bind {NODE_ADDRESS}
    errors
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
",
        kubeconfig = text(&paths.kubeconfig()),
    );
    let arguments = vec!["-conf".to_owned(), text(&corefile)];
    Component {
        files: vec![(corefile, content)],
        ..Component::new("coredns", Level::Node, program(paths, "coredns"), arguments)
    }
}

/// Plain HTTP on port 80, and TLS on port 443 with a certificate of the test authority.
fn traefik(paths: &Paths) -> Component {
    let tls = paths.config("traefik-tls.yaml");
    let content = format!(
        "tls:\n  stores:\n    default:\n      defaultCertificate:\n        certFile: {}\n        keyFile: {}\n",
        text(&paths.pki("ingress.crt")),
        text(&paths.pki("ingress.key")),
    );
    let arguments = vec![
        flag("entrypoints.web.address", format!("{NODE_ADDRESS}:80")),
        flag("entrypoints.websecure.address", format!("{NODE_ADDRESS}:443")),
        // An Ingress answers there too, whether it has a `tls` section or not.
        flag("entrypoints.websecure.http.tls", "true"),
        flag("entrypoints.traefik.address", format!("{NODE_ADDRESS}:8082")),
        flag("ping", "true"),
        flag("providers.kubernetesingress", "true"),
        flag("providers.kubernetesingress.endpoint", API_SERVER_URL),
        flag("providers.kubernetesingress.ingressendpoint.ip", NODE_ADDRESS),
        // A test that waits for its route should not wait for a timer; the default is two seconds.
        flag("providers.providersthrottleduration", "200ms"),
        flag("providers.file.filename", text(&tls)),
        flag("global.checknewversion", "false"),
        flag("global.sendanonymoususage", "false"),
        flag("log.level", "INFO"),
    ];
    Component {
        environment: vec![("KUBECONFIG", text(&paths.kubeconfig()))],
        files: vec![(tls, content)],
        ..Component::new("traefik", Level::Node, program(paths, "traefik"), arguments)
    }
}

/// Comes last: it ends itself when the node that it runs on gets an address after its start.
fn kube_proxy(paths: &Paths) -> Component {
    let config_file = paths.config("kube-proxy.json");
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": { "kubeconfig": text(&kubeconfig::file(paths, "proxy")) },
        "clusterCIDR": POD_CIDR,
        "hostnameOverride": NAME,
        "bindAddress": NODE_ADDRESS,
        "healthzBindAddress": format!("{NODE_ADDRESS}:10256"),
        // Zero: leave the machine's table of connections as it is.
        "conntrack": { "maxPerCore": 0, "min": 0 },
        // Every millisecond here is added to the start of every Service in a test.
        "nftables": { "minSyncPeriod": "100ms" },
    });
    let arguments = vec![flag("config", text(&config_file))];
    Component {
        files: vec![(config_file, config.to_string())],
        ..Component::new("kube-proxy", Level::Node, program(paths, "kube-proxy"), arguments)
    }
}
