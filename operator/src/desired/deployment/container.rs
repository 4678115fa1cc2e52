//! The gateway container: arguments, ports, probes, and no privilege of any kind.
//!
//! Everything that the process must know stands in its arguments and in two mounted files; there is
//! no environment to override.

use crds::gateway_config::{AuthMode, CONFIG_FILE, POLICY_FILE};
use k8s_openapi::{
    api::core::v1::{Container, ContainerPort, HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{PRE_STOP_SECONDS, volumes};
use crate::{
    desired::{ADMIN_PORT, PUBLIC_PORT, pod_security::no_privilege, service::PUBLIC_PORT_NAME},
    validate::ValidServer,
};

/// Name of the container; the operator finds its state in the pod's status by it.
pub const CONTAINER_NAME: &str = "gateway";

const ADMIN_PORT_NAME: &str = "admin";

pub(super) fn gateway(valid: &ValidServer) -> Container {
    Container {
        name: CONTAINER_NAME.to_owned(),
        image: Some(valid.image.reference.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(vec!["/mcp-server".to_owned()]),
        args: Some(args(valid)),
        ports: Some(vec![port(PUBLIC_PORT_NAME, PUBLIC_PORT), port(ADMIN_PORT_NAME, ADMIN_PORT)]),
        resources: Some(valid.resources.clone()),
        security_context: Some(no_privilege()),
        liveness_probe: Some(Probe { period_seconds: Some(10), failure_threshold: Some(3), ..probe("/livez") }),
        readiness_probe: Some(Probe { period_seconds: Some(2), failure_threshold: Some(2), ..probe("/readyz") }),
        lifecycle: Some(Lifecycle {
            // The image has no shell, so the kubelet itself sleeps.
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction { seconds: PRE_STOP_SECONDS }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        volume_mounts: Some(volumes::mounts(valid)),
        ..Container::default()
    }
}

fn args(valid: &ValidServer) -> Vec<String> {
    let mut args = vec![
        "--config".to_owned(),
        format!("{}/{CONFIG_FILE}", volumes::CONFIG_DIRECTORY),
        "--policy".to_owned(),
        format!("{}/{POLICY_FILE}", volumes::POLICY_DIRECTORY),
        "--listen".to_owned(),
        format!("0.0.0.0:{PUBLIC_PORT}"),
        "--admin-listen".to_owned(),
        format!("0.0.0.0:{ADMIN_PORT}"),
    ];
    if volumes::keeps_keys(valid) {
        args.extend(["--key-cache".to_owned(), volumes::KEY_CACHE_DIRECTORY.to_owned()]);
    }
    // The process refuses to serve everybody beyond loopback unless it is told so a third time.
    if valid.config.auth.mode == AuthMode::None {
        args.push("--allow-unauthenticated-non-loopback".to_owned());
    }
    args
}

fn port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(number),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn probe(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(ADMIN_PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        timeout_seconds: Some(2),
        ..Probe::default()
    }
}
