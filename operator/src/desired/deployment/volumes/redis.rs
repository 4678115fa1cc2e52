//! What opens a Redis: credentials, and for one of the user's a bundle of authorities and a client certificate.
//!
//! Of a generated Secret the name and the password, not optional: without them a pod could only be refused. What is a user's is
//! optional, so that a pod starts, serves, and reports what is missing.

use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, KeyToPath, SecretVolumeSource, Volume, VolumeMount};

use super::mount;
use crate::{
    desired::{
        pod_security::GROUP_READS,
        redis::{
            CA_DIRECTORY, PASSWORD, TLS_CERTIFICATE, TLS_KEY, USERNAME, client_directory, credentials_directory,
            credentials_name,
        },
    },
    validate::{ExternalRedis, ManagedRedis, SecretKeys, ValidRedis, ValidServer},
};

const CREDENTIALS_VOLUME: &str = "redis-credentials";
const CA_VOLUME: &str = "redis-ca";
const CLIENT_VOLUME: &str = "redis-client";

pub(super) fn volumes(valid: &ValidServer) -> Vec<Volume> {
    match &valid.redis {
        None => Vec::new(),
        Some(ValidRedis::Managed(managed)) => {
            vec![secret(CREDENTIALS_VOLUME, generated(valid, managed), &[USERNAME, PASSWORD], None)]
        }
        Some(ValidRedis::External(ExternalRedis { credentials, ca, client_secret })) => {
            let credentials = credentials.as_ref().map(|keys| {
                let SecretKeys { secret: name, username, password } = keys;
                let mut keys: Vec<&str> = username.as_deref().into_iter().chain([password.as_str()]).collect();
                keys.dedup();
                secret(CREDENTIALS_VOLUME, name.clone(), &keys, Some(true))
            });
            let ca = ca.as_ref().map(|reference| {
                let source = ConfigMapVolumeSource {
                    name: reference.name.clone(),
                    items: Some(vec![item(&reference.key)]),
                    optional: Some(true),
                    ..ConfigMapVolumeSource::default()
                };
                Volume { name: CA_VOLUME.to_owned(), config_map: Some(source), ..Volume::default() }
            });
            let client = client_secret
                .as_ref()
                .map(|name| secret(CLIENT_VOLUME, name.clone(), &[TLS_CERTIFICATE, TLS_KEY], Some(true)));
            [credentials, ca, client].into_iter().flatten().collect()
        }
    }
}

pub(super) fn mounts(valid: &ValidServer) -> Vec<VolumeMount> {
    match &valid.redis {
        None => Vec::new(),
        Some(ValidRedis::Managed(managed)) => {
            vec![mount(CREDENTIALS_VOLUME.to_owned(), &credentials_directory(&generated(valid, managed)))]
        }
        Some(ValidRedis::External(ExternalRedis { credentials, ca, client_secret })) => {
            let credentials = credentials
                .as_ref()
                .map(|keys| mount(CREDENTIALS_VOLUME.to_owned(), &credentials_directory(&keys.secret)));
            let ca = ca.as_ref().map(|_| mount(CA_VOLUME.to_owned(), CA_DIRECTORY));
            let client = client_secret.as_ref().map(|name| mount(CLIENT_VOLUME.to_owned(), &client_directory(name)));
            [credentials, ca, client].into_iter().flatten().collect()
        }
    }
}

/// Name of the generated Secret that new pods mount.
fn generated(valid: &ValidServer, managed: &ManagedRedis) -> String {
    credentials_name(&valid.name, &valid.owner.uid, managed.credentials.gateway)
}

fn secret(volume: &str, name: String, keys: &[&str], optional: Option<bool>) -> Volume {
    let source = SecretVolumeSource {
        secret_name: Some(name),
        items: Some(keys.iter().map(|key| item(key)).collect()),
        default_mode: Some(GROUP_READS),
        optional,
    };
    Volume { name: volume.to_owned(), secret: Some(source), ..Volume::default() }
}

fn item(key: &str) -> KeyToPath {
    KeyToPath { key: key.to_owned(), path: key.to_owned(), mode: None }
}
