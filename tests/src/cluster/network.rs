//! The only link between the cluster and the machine, and a default route that leads nowhere.
//!
//! One veth pair joins them: [`HOST_ADDRESS`] outside, [`NODE_ADDRESS`] inside. Nothing is routed
//! further, so a test can reach neither the internet nor the machine's other networks. Without
//! any default route the kernel calls ClusterIPs unreachable before kube-proxy can rewrite them;
//! a second pair (`blk0`, `blk1`) with nobody behind it serves as one. Some kernels have no
//! `dummy` device, which would be the usual choice.

use std::{fs, path::Path};

use anyhow::Context;

use super::{
    command::{run, words},
    namespaces,
    paths::{HOST_ADDRESS, NAME, NODE_ADDRESS, Paths},
};

/// Sets the links up in a new namespace. `new` is false when the namespace was there already.
pub(super) fn ensure(paths: &Paths, new: bool) -> anyhow::Result<()> {
    if !new && host_end_exists() {
        return Ok(());
    }
    remove()?;
    let host = std::process::id();
    let inside = format!(
        "set -e
        ip link add uplink type veth peer name {NAME} netns {host}
        ip link set lo up
        ip addr add {NODE_ADDRESS}/30 dev uplink
        ip link set uplink up
        ip link add blk0 type veth peer name blk1
        ip link set blk0 up
        ip link set blk1 up
        ip route add default dev blk0 src {NODE_ADDRESS}
        echo 1 > /proc/sys/net/ipv4/ip_forward
        # Two pods on one bridge must pass the packet filter too, or a ClusterIP fails between them.
        test ! -e /proc/sys/net/bridge || echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables"
    );
    run(namespaces::in_network(paths).args(["sh", "-c", &inside]))
        .context("cannot set up the network of the cluster")?;
    run(&mut words(&format!("ip addr add {HOST_ADDRESS}/30 dev {NAME}")))?;
    run(&mut words(&format!("ip link set {NAME} up")))
}

/// Removes the link; its inner end and the namespace's other links go with the namespace.
pub(super) fn remove() -> anyhow::Result<()> {
    if host_end_exists() {
        run(&mut words(&format!("ip link delete {NAME}")))?;
    }
    Ok(())
}

fn host_end_exists() -> bool {
    fs::symlink_metadata(Path::new("/sys/class/net").join(NAME)).is_ok()
}
