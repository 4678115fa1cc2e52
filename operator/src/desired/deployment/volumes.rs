//! What is mounted, and where: configuration, policy, sealing key, and the CA bundles of issuers.
//!
//! Whole directories, never `subPath`: the kubelet updates only those in place, and the policy must.

use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, KeyToPath, SecretVolumeSource, Volume, VolumeMount};

use crate::{
    desired::{
        metadata::{config_map_name, policy_config_map_name},
        sealing_key::{sealing_directory, sealing_secret_name},
    },
    validate::{IssuerCa, ValidServer},
};

/// Where the structure is.
pub(super) const CONFIG_DIRECTORY: &str = "/etc/mcp-foundry/config";

/// Where the policy is.
pub(super) const POLICY_DIRECTORY: &str = "/etc/mcp-foundry/policy";

/// Name of the volume with the sealing key.
const SEALING_VOLUME: &str = "sealing-1";

/// For the process's group (`fsGroup`) and nobody else.
const GROUP_READS: i32 = 0o440;

pub(super) fn volumes(valid: &ValidServer) -> Vec<Volume> {
    let config = config_map_name(&valid.name, &valid.config_revision);
    let policy = policy_config_map_name(&valid.name);
    let mut volumes = vec![volume("config", source(config)), volume("policy", source(policy)), sealing_key(valid)];
    volumes.extend(valid.issuer_cas.iter().map(issuer_ca));
    volumes
}

pub(super) fn mounts(valid: &ValidServer) -> Vec<VolumeMount> {
    let mut mounts = vec![
        mount("config".to_owned(), CONFIG_DIRECTORY),
        mount("policy".to_owned(), POLICY_DIRECTORY),
        mount(SEALING_VOLUME.to_owned(), &sealing_directory()),
    ];
    mounts.extend(valid.issuer_cas.iter().map(|ca| mount(volume_name(ca), &ca.directory())));
    mounts
}

fn volume(name: &str, config_map: ConfigMapVolumeSource) -> Volume {
    Volume { name: name.to_owned(), config_map: Some(config_map), ..Volume::default() }
}

fn source(name: String) -> ConfigMapVolumeSource {
    ConfigMapVolumeSource { name, ..ConfigMapVolumeSource::default() }
}

/// Not optional: a pod without the key that the others have could not open their sessions.
fn sealing_key(valid: &ValidServer) -> Volume {
    let secret = SecretVolumeSource {
        secret_name: Some(sealing_secret_name(&valid.name, &valid.owner)),
        default_mode: Some(GROUP_READS),
        ..SecretVolumeSource::default()
    };
    Volume { name: SEALING_VOLUME.to_owned(), secret: Some(secret), ..Volume::default() }
}

/// Optional: a pod that restarts after the ConfigMap is gone starts and reports what is missing.
fn issuer_ca(ca: &IssuerCa) -> Volume {
    let item = KeyToPath { key: ca.key.clone(), path: ca.key.clone(), mode: None };
    let source =
        ConfigMapVolumeSource { items: Some(vec![item]), optional: Some(true), ..source(ca.config_map.clone()) };
    volume(&volume_name(ca), source)
}

fn volume_name(ca: &IssuerCa) -> String {
    format!("issuer-ca-{}", ca.index)
}

fn mount(name: String, path: &str) -> VolumeMount {
    VolumeMount { name, mount_path: path.to_owned(), read_only: Some(true), ..VolumeMount::default() }
}
