//! Brings the cluster to a level. Every step looks first and does only what is missing, so the
//! same code starts from nothing, adds a node, repairs after a crash, and finds nothing to do.

use std::{fs, time::Duration};

use anyhow::Context;

use super::{
    Cluster, Level, Options, cgroup,
    command::run,
    components::{self, Component},
    images, ingress, kernel, kubeconfig,
    lock::Lock,
    modules::{self, COREDNS, ETCD, HELM, KUBERNETES, Module, TRAEFIK},
    namespaces, network,
    paths::{self, NAME, NODE_ADDRESS, Paths},
    pause, pki, prerequisites, process, remove, wait,
};

/// The API server answers after 2 s here; a loaded machine is slower, one that hangs is not faster.
const CONTROL_PLANE_READY: Duration = Duration::from_secs(90);

/// Ready after 4 to 10 s here.
const NODE_READY: Duration = Duration::from_secs(120);

/// Starts what is missing and waits until the cluster can be used.
///
/// Safe to repeat, and safe when two are asked for at once: the second waits, then finds it done.
pub fn up(level: Level, options: &Options) -> anyhow::Result<Cluster> {
    let paths = Paths::standard()?;
    prerequisites::ensure_all(level, options)?;
    let _lock = Lock::acquire(&Paths::lock())?;
    build(&paths, level)?;
    discard_state_of_another_boot(&paths)?;
    prepare(&paths)?;
    let components = components::all(&paths);
    start_control_plane(&paths, &components)?;
    if level == Level::Node {
        start_node(&paths, &components)?;
    }
    Ok(Cluster::new(&paths))
}

fn build(paths: &Paths, level: Level) -> anyhow::Result<()> {
    let control_plane: [&Module; 3] = [&ETCD, &KUBERNETES, &HELM];
    let node: &[&Module] = if level == Level::Node { &[&COREDNS, &TRAEFIK] } else { &[] };
    let modules = [&control_plane, node].concat();
    if !modules::are_built(paths, &modules) {
        prerequisites::ensure_go()?;
    }
    modules::ensure(paths, &modules)
}

/// After a reboot nothing of the old cluster runs, and its pids may name other processes.
fn discard_state_of_another_boot(paths: &Paths) -> anyhow::Result<()> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("cannot read the machine's boot id")?;
    let file = paths.data("boot");
    if paths.state.exists() && fs::read_to_string(&file).ok().as_ref() != Some(&boot) {
        remove::remnants(paths)?;
    }
    paths::write(&file, &boot)
}

fn prepare(paths: &Paths) -> anyhow::Result<()> {
    kernel::remember(paths)?;
    if !namespaces::are_held(paths) {
        // Whatever still runs does so in namespaces that are lost.
        cgroup::remove()?;
    }
    cgroup::ensure()?;
    let new = namespaces::ensure(paths)?;
    network::ensure(paths, new)?;
    pki::ensure(paths)?;
    kubeconfig::write_all(paths)
}

fn start_control_plane(paths: &Paths, components: &[Component]) -> anyhow::Result<()> {
    for component in components.iter().filter(|component| component.level == Level::ControlPlane) {
        start(paths, component)?;
    }
    let kubectl = Cluster::new(paths);
    wait_for(paths, "the API server is not ready", CONTROL_PLANE_READY, "apiserver", || {
        quietly(kubectl.kubectl().args(["get", "--raw=/readyz", "--request-timeout=5s"]))
    })?;
    // No pod can be made before the controller manager has made this account.
    wait_for(paths, "the controller manager does not work", CONTROL_PLANE_READY, "controller-manager", || {
        quietly(kubectl.kubectl().args(["get", "serviceaccount", "default", "--request-timeout=5s"]))
    })
}

fn start_node(paths: &Paths, components: &[Component]) -> anyhow::Result<()> {
    for component in components.iter().filter(|component| component.level == Level::Node) {
        if component.name == "kube-proxy" {
            wait_for_node(paths)?;
        }
        start(paths, component)?;
        if component.name == "containerd" {
            load_pause(paths)?;
        }
    }
    ingress::ensure_class(paths)?;
    for (component, port, path) in [
        ("kubelet", 10248, "/healthz"),
        ("coredns", 8181, "/ready"),
        ("traefik", 8082, "/ping"),
        ("kube-proxy", 10256, "/healthz"),
    ] {
        let address = format!("{NODE_ADDRESS}:{port}");
        let what = format!("{component} is not ready");
        wait_for(paths, &what, NODE_READY, component, || wait::http_ok(&address, path))?;
    }
    Ok(())
}

/// The kubelet makes no pod without it, and no registry has it.
fn load_pause(paths: &Paths) -> anyhow::Result<()> {
    wait_for(paths, "containerd does not answer", NODE_READY, "containerd", || images::containerd_answers(paths))?;
    if !images::holds(paths, pause::IMAGE) {
        images::load(paths, &pause::archive(paths)?)?;
    }
    Ok(())
}

fn wait_for_node(paths: &Paths) -> anyhow::Result<()> {
    let cluster = Cluster::new(paths);
    wait_for(paths, "the node is not ready", NODE_READY, "kubelet", || {
        quietly(cluster.kubectl().args(["wait", "--for=condition=Ready", "--timeout=2s"]).arg(format!("node/{NAME}")))
    })
}

fn start(paths: &Paths, component: &Component) -> anyhow::Result<()> {
    for (path, content) in &component.files {
        paths::write(path, content)?;
    }
    process::ensure(paths, component)?;
    Ok(())
}

fn wait_for(
    paths: &Paths,
    what: &str,
    limit: Duration,
    component: &str,
    check: impl FnMut() -> Result<(), String>,
) -> anyhow::Result<()> {
    wait::until(what, limit, &paths.log(component), || process::running(paths, component).is_some(), check)
}

fn quietly(command: &mut std::process::Command) -> Result<(), String> {
    run(command).map_err(|error| format!("{error:#}"))
}
