//! `redis.conf`, in a ConfigMap that changes in place; a change of it rolls the pod, since the template holds its hash.
//!
//! It notes which Secrets of credentials there may be, before any is made, and is the last object to go: so that none is left
//! behind although nobody can list them.

use std::fmt::Write as _;

use crds::revision::revision;
use k8s_openapi::api::core::v1::ConfigMap;

use super::{
    super::metadata::{annotation, hashed},
    REDIS_PORT,
    credentials::default_user,
    metadata, redis_name,
    stateful_set::{DATA_DIRECTORY, USERS_DIRECTORY},
};
use crate::validate::{ManagedRedis, ValidServer};

/// Key of the ConfigMap, and name of the mounted file.
pub(super) const CONFIG_FILE: &str = "redis.conf";

pub(super) fn config_map(valid: &ValidServer, managed: &ManagedRedis) -> ConfigMap {
    let mut metadata = metadata(valid, redis_name(&valid.name));
    metadata.annotations = Some(managed.credentials.record.notes(annotation::REDIS_CREDENTIALS).into_iter().collect());
    hashed(ConfigMap {
        metadata,
        data: Some([(CONFIG_FILE.to_owned(), redis_conf(managed))].into()),
        ..ConfigMap::default()
    })
}

/// Hash of `redis.conf`.
pub(super) fn config_revision(managed: &ManagedRedis) -> String {
    revision(redis_conf(managed).as_bytes())
}

/// Every line is known to Redis 7.0 and to Valkey. The default user is off, so that without a line of a user nobody gets in.
fn redis_conf(managed: &ManagedRedis) -> String {
    let mut text = String::new();
    for (directive, value) in [
        ("bind", "* -::*".to_owned()),
        ("port", REDIS_PORT.to_string()),
        ("protected-mode", "yes".to_owned()),
        ("user", default_user(&managed.key_prefix)),
        ("include", format!("{USERS_DIRECTORY}/*.acl")),
        ("dir", DATA_DIRECTORY.to_owned()),
        // Changes are on disk within a second; no snapshots beside.
        ("appendonly", "yes".to_owned()),
        ("appendfsync", "everysec".to_owned()),
        ("aof-use-rdb-preamble", "yes".to_owned()),
        ("save", "\"\"".to_owned()),
        ("maxmemory", managed.max_memory_bytes.to_string()),
        // What evicts would drop the state of some for the flood of others.
        ("maxmemory-policy", "noeviction".to_owned()),
        // A stream of one entry, which a state of a session is, takes 4 KiB with the default.
        ("stream-node-max-bytes", "512".to_owned()),
    ] {
        writeln!(text, "{directive} {value}").expect("writing to a String cannot fail");
    }
    text
}
