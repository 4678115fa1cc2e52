//! The pod of the Redis: container, probes, and what is mounted.

use k8s_openapi::{
    api::core::v1::{
        ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, KeyToPath, PodSpec, Probe,
        ProjectedVolumeSource, SecretProjection, TCPSocketAction, Volume, VolumeMount, VolumeProjection,
    },
    apimachinery::pkg::{api::resource::Quantity, util::intstr::IntOrString},
};

use super::super::{
    REDIS_PORT, USER_LINE,
    config_map::CONFIG_FILE,
    credentials::{credentials_name, username},
    redis_name,
};
use crate::{
    desired::pod_security::{GROUP_READS, no_privilege, non_root},
    validate::{ManagedRedis, ValidServer},
};

/// Name of the container; the operator finds its state in the pod's status by it.
pub const CONTAINER_NAME: &str = "redis";

/// Name of the port, of container and Service alike.
pub(in crate::desired::redis) const PORT_NAME: &str = "redis";

/// Where the lines of users are: read once, when the process starts.
pub(in crate::desired::redis) const USERS_DIRECTORY: &str = "/etc/redis/users";

/// The only place that the process writes.
pub(in crate::desired::redis) const DATA_DIRECTORY: &str = "/data";

/// Name of the volume with the data, of the pod and of the claim alike.
pub(super) const DATA_VOLUME: &str = "data";

const CONFIG_VOLUME: &str = "config";
const CONFIG_DIRECTORY: &str = "/etc/redis/config";
const USERS_VOLUME: &str = "users";

/// Enough to end a command under way and to write the log of changes to its end.
const GRACE_PERIOD_SECONDS: i64 = 30;

/// How much of the node's disk the log of changes may take without a volume of its own, in times of the memory for data: it grows
/// to twice the data before it is rewritten, beside the new one.
const DISK_FACTOR: u64 = 4;

/// What the log may take however small the data is: it is not rewritten before 64 MB.
const DISK_BASE_BYTES: u64 = 512 * 1024 * 1024;

pub(super) fn pod_spec(valid: &ValidServer, managed: &ManagedRedis) -> PodSpec {
    PodSpec {
        // The gateway's, which has no rights either.
        service_account_name: Some(valid.name.clone()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(non_root()),
        termination_grace_period_seconds: Some(GRACE_PERIOD_SECONDS),
        containers: vec![container(managed)],
        volumes: Some(volumes(valid, managed)),
        ..PodSpec::default()
    }
}

fn container(managed: &ManagedRedis) -> Container {
    Container {
        name: CONTAINER_NAME.to_owned(),
        image: Some(managed.image.reference.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(vec!["redis-server".to_owned(), format!("{CONFIG_DIRECTORY}/{CONFIG_FILE}")]),
        ports: Some(vec![ContainerPort {
            name: Some(PORT_NAME.to_owned()),
            container_port: i32::from(REDIS_PORT),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(managed.resources.clone()),
        security_context: Some(no_privilege()),
        // It listens before it has loaded its data, so that a long load is no reason to end it.
        liveness_probe: Some(Probe { period_seconds: Some(10), failure_threshold: Some(6), ..listens() }),
        readiness_probe: Some(Probe { period_seconds: Some(2), failure_threshold: Some(2), ..listens() }),
        volume_mounts: Some(vec![
            mount(CONFIG_VOLUME, CONFIG_DIRECTORY, Some(true)),
            mount(USERS_VOLUME, USERS_DIRECTORY, Some(true)),
            mount(DATA_VOLUME, DATA_DIRECTORY, None),
        ]),
        ..Container::default()
    }
}

/// Whoever is asked for more wants a credential.
fn listens() -> Probe {
    Probe {
        tcp_socket: Some(TCPSocketAction { port: IntOrString::String(PORT_NAME.to_owned()), host: None }),
        timeout_seconds: Some(2),
        ..Probe::default()
    }
}

fn volumes(valid: &ValidServer, managed: &ManagedRedis) -> Vec<Volume> {
    let config = ConfigMapVolumeSource {
        name: redis_name(&valid.name),
        items: Some(vec![item(CONFIG_FILE, CONFIG_FILE.to_owned())]),
        ..ConfigMapVolumeSource::default()
    };
    let mut volumes = vec![
        Volume { name: CONFIG_VOLUME.to_owned(), config_map: Some(config), ..Volume::default() },
        Volume { name: USERS_VOLUME.to_owned(), projected: Some(users(valid, managed)), ..Volume::default() },
    ];
    if managed.storage.is_none() {
        volumes.push(passing_data(managed));
    }
    volumes
}

/// Of each Secret the line alone.
fn users(valid: &ValidServer, managed: &ManagedRedis) -> ProjectedVolumeSource {
    let line = |revision: &u32| VolumeProjection {
        secret: Some(SecretProjection {
            name: credentials_name(&valid.name, &valid.owner.uid, *revision),
            items: Some(vec![item(USER_LINE, format!("{}.acl", username(*revision)))]),
            optional: None,
        }),
        ..VolumeProjection::default()
    };
    ProjectedVolumeSource {
        default_mode: Some(GROUP_READS),
        sources: Some(managed.credentials.accepted.iter().map(line).collect()),
    }
}

/// It goes with the pod.
fn passing_data(managed: &ManagedRedis) -> Volume {
    let bytes = managed.max_memory_bytes.saturating_mul(DISK_FACTOR).saturating_add(DISK_BASE_BYTES);
    let source =
        EmptyDirVolumeSource { size_limit: Some(Quantity(bytes.to_string())), ..EmptyDirVolumeSource::default() };
    Volume { name: DATA_VOLUME.to_owned(), empty_dir: Some(source), ..Volume::default() }
}

fn item(key: &str, path: String) -> KeyToPath {
    KeyToPath { key: key.to_owned(), path, mode: None }
}

fn mount(volume: &str, path: &str, read_only: Option<bool>) -> VolumeMount {
    VolumeMount { name: volume.to_owned(), mount_path: path.to_owned(), read_only, ..VolumeMount::default() }
}
