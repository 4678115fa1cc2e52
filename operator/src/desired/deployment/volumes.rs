//! What is mounted, and where: configuration, policy, sealing key, CA bundles of issuers, keys of the API server, a cache, and what
//! opens a Redis.
//!
//! Whole directories, never `subPath`: the kubelet updates only those in place, and the policy must.

mod redis;

use k8s_openapi::{
    api::core::v1::{ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, SecretVolumeSource, Volume, VolumeMount},
    apimachinery::pkg::api::resource::Quantity,
};

use crate::{
    desired::{
        metadata::{config_map_name, policy_config_map_name},
        pod_security::GROUP_READS,
        sealing_key::{sealing_directory, sealing_secret_name},
        service_account_keys::{KEYS_DIRECTORY, service_account_keys_name},
    },
    validate::{IssuerCa, ValidServer},
};

/// Where the structure is.
pub(super) const CONFIG_DIRECTORY: &str = "/etc/mcp-foundry/config";

/// Where the policy is.
pub(super) const POLICY_DIRECTORY: &str = "/etc/mcp-foundry/policy";

/// Name of the volume with the API server's keys.
const KEYS_VOLUME: &str = "service-account-keys";

/// Where the process keeps the keys that it fetched, for the time after a restart of the container. The only place that it writes.
pub(super) const KEY_CACHE_DIRECTORY: &str = "/var/cache/mcp-foundry";

const KEY_CACHE_VOLUME: &str = "key-cache";

/// Chosen: the sets of 16 issuers of at most 256 KiB each, twice, since a new file is written beside the old one; twice that.
const KEY_CACHE_SIZE: &str = "16Mi";

pub(super) fn volumes(valid: &ValidServer) -> Vec<Volume> {
    let config = config_map_name(&valid.name, &valid.config_revision);
    let policy = policy_config_map_name(&valid.name);
    let mut volumes = vec![volume("config", source(config)), volume("policy", source(policy))];
    volumes.extend(in_order_of_revision(valid).map(|revision| sealing_key(valid, revision)));
    volumes.extend(valid.issuer_cas.iter().map(issuer_ca));
    if valid.service_account_keys.is_some() {
        volumes.push(volume(KEYS_VOLUME, source(service_account_keys_name(&valid.name))));
    }
    if keeps_keys(valid) {
        volumes.push(key_cache());
    }
    volumes.extend(redis::volumes(valid));
    volumes
}

pub(super) fn mounts(valid: &ValidServer) -> Vec<VolumeMount> {
    let mut mounts = vec![mount("config".to_owned(), CONFIG_DIRECTORY), mount("policy".to_owned(), POLICY_DIRECTORY)];
    mounts.extend(
        in_order_of_revision(valid).map(|revision| mount(sealing_volume(revision), &sealing_directory(revision))),
    );
    mounts.extend(valid.issuer_cas.iter().map(|ca| mount(volume_name(ca), &ca.directory())));
    if valid.service_account_keys.is_some() {
        mounts.push(mount(KEYS_VOLUME.to_owned(), KEYS_DIRECTORY));
    }
    if keeps_keys(valid) {
        let written = VolumeMount { read_only: None, ..mount(KEY_CACHE_VOLUME.to_owned(), KEY_CACHE_DIRECTORY) };
        mounts.push(written);
    }
    mounts.extend(redis::mounts(valid));
    mounts
}

fn volume(name: &str, config_map: ConfigMapVolumeSource) -> Volume {
    Volume { name: name.to_owned(), config_map: Some(config_map), ..Volume::default() }
}

fn source(name: String) -> ConfigMapVolumeSource {
    ConfigMapVolumeSource { name, ..ConfigMapVolumeSource::default() }
}

/// Not optional: a pod without the key that the others have could not open their sessions.
fn sealing_key(valid: &ValidServer, revision: u32) -> Volume {
    let secret = SecretVolumeSource {
        secret_name: Some(sealing_secret_name(&valid.name, &valid.owner.uid, revision)),
        default_mode: Some(GROUP_READS),
        ..SecretVolumeSource::default()
    };
    Volume { name: sealing_volume(revision), secret: Some(secret), ..Volume::default() }
}

fn sealing_volume(revision: u32) -> String {
    format!("sealing-{revision}")
}

/// Which of them seals is the configuration's business.
fn in_order_of_revision(valid: &ValidServer) -> impl Iterator<Item = u32> {
    valid.sealing.keys.iter().copied().collect::<std::collections::BTreeSet<_>>().into_iter()
}

/// Whether the process fetches keys: of an issuer whose keys are not mounted.
pub(super) fn keeps_keys(valid: &ValidServer) -> bool {
    valid.config.auth.issuers.iter().any(|issuer| issuer.jwks_file.is_none())
}

/// It goes with the pod: a new pod asks the issuers.
fn key_cache() -> Volume {
    let source = EmptyDirVolumeSource {
        size_limit: Some(Quantity(KEY_CACHE_SIZE.to_owned())),
        ..EmptyDirVolumeSource::default()
    };
    Volume { name: KEY_CACHE_VOLUME.to_owned(), empty_dir: Some(source), ..Volume::default() }
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
