//! What is mounted, and where: configuration, policy, and the CA bundles of issuers.
//!
//! Whole directories, never `subPath`: the kubelet updates only those in place, and the policy must.

use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, KeyToPath, Volume, VolumeMount};

use crate::{
    desired::metadata::{config_map_name, policy_config_map_name},
    validate::{IssuerCa, ValidServer},
};

/// Where the structure is.
pub(super) const CONFIG_DIRECTORY: &str = "/etc/mcp-foundry/config";

/// Where the policy is.
pub(super) const POLICY_DIRECTORY: &str = "/etc/mcp-foundry/policy";

pub(super) fn volumes(valid: &ValidServer) -> Vec<Volume> {
    let config = config_map_name(&valid.name, &valid.config_revision);
    let policy = policy_config_map_name(&valid.name);
    let mut volumes = vec![volume("config", source(config)), volume("policy", source(policy))];
    volumes.extend(valid.issuer_cas.iter().map(issuer_ca));
    volumes
}

pub(super) fn mounts(valid: &ValidServer) -> Vec<VolumeMount> {
    let mut mounts = vec![mount("config".to_owned(), CONFIG_DIRECTORY), mount("policy".to_owned(), POLICY_DIRECTORY)];
    mounts.extend(valid.issuer_cas.iter().map(|ca| mount(volume_name(ca), &ca.directory())));
    mounts
}

fn volume(name: &str, config_map: ConfigMapVolumeSource) -> Volume {
    Volume { name: name.to_owned(), config_map: Some(config_map), ..Volume::default() }
}

fn source(name: String) -> ConfigMapVolumeSource {
    ConfigMapVolumeSource { name, ..ConfigMapVolumeSource::default() }
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
