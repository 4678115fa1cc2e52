//! What every child has in common: name, labels, owner and the hash that says what it should be.
//!
//! Labels in [`selector`] are permanent: a Deployment's selector cannot change once it exists.

use std::collections::BTreeMap;

use crds::revision::revision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde::Serialize;

use crate::validate::ValidServer;

/// Keys of labels.
pub mod label {
    /// What it is: [`super::APP_NAME`], and of a managed Redis [`super::super::redis::REDIS_APP_NAME`].
    pub const NAME: &str = "app.kubernetes.io/name";
    /// Whose it is: the name of the `McpServer`.
    pub const INSTANCE: &str = "app.kubernetes.io/instance";
    /// Who made it: always [`super::MANAGED_BY`].
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// The name of the `McpServer`; pruning asks for it beside the owner's uid.
    pub const MCP_SERVER: &str = "mcpfoundry.dev/mcp-server";
    /// On gateway pods: the revision of the configuration that they were made with.
    pub const CONFIG_REVISION: &str = "mcpfoundry.dev/config-revision";
    /// On gateway pods with a managed Redis: the revision of the credentials that they mount.
    pub const REDIS_CREDENTIALS: &str = "mcpfoundry.dev/redis-credentials";
    /// On gateway pods: revisions of the sealing keys that they mount, the one that seals first. Absent: the first alone.
    pub const SEALING_KEYS: &str = "mcpfoundry.dev/sealing-keys";
}

/// Keys of annotations.
pub mod annotation {
    /// On every child: hash of the object as it is wanted, without this annotation.
    pub const DESIRED_HASH: &str = "mcpfoundry.dev/desired-hash";
    /// On the Deployment: the image in force.
    pub const SERVER_IMAGE: &str = "mcpfoundry.dev/server-image";
    /// On the Deployment: hash of the part of the spec that the image was chosen for.
    pub const SERVER_IMAGE_CHOSEN_FOR: &str = "mcpfoundry.dev/server-image-chosen-for";
    /// On the StatefulSet of a managed Redis: the image in force.
    pub const REDIS_IMAGE: &str = "mcpfoundry.dev/redis-image";
    /// On the StatefulSet of a managed Redis: hash of the part of the spec that the image was chosen for.
    pub const REDIS_IMAGE_CHOSEN_FOR: &str = "mcpfoundry.dev/redis-image-chosen-for";
    /// On the StatefulSet of a managed Redis: hash of its volume, which Kubernetes does not change.
    pub const REDIS_VOLUME: &str = "mcpfoundry.dev/redis-volume";
    /// Revisions of credentials of a managed Redis. On its ConfigMap: whose Secrets may exist. On its StatefulSet: whose lines it
    /// mounts. On the Deployment: the one that gateway pods mount.
    pub const REDIS_CREDENTIALS: &str = "mcpfoundry.dev/redis-credentials";
    /// On pods of a managed Redis: hash of `redis.conf`.
    pub const REDIS_CONFIG: &str = "mcpfoundry.dev/redis-config";
    /// On the gateway's NetworkPolicy: the Redis that it opens; see [`crate::validate::RedisOutbound`].
    pub const REDIS_OUTBOUND: &str = "mcpfoundry.dev/redis-outbound";
    /// On the `McpServer`: any new value asks for new passwords and keys; status says which are in use.
    pub const ROTATE_AT: &str = "mcpfoundry.dev/rotate-at";
    /// On the ServiceAccount: revisions of sealing keys whose Secrets may exist. On the Deployment: those that its pods mount, the
    /// one that seals first.
    pub const SEALING_KEYS: &str = "mcpfoundry.dev/sealing-keys";
    /// On the ServiceAccount: when the former sealing key opens nothing any more.
    pub const SEALING_RETIRE_AT: &str = "mcpfoundry.dev/sealing-retire-at";
    /// On what notes revisions: when the newest was begun.
    pub const ROTATED: &str = "mcpfoundry.dev/rotated";
    /// On what notes revisions: hash of the [`ROTATE_AT`] that the newest answers.
    pub const ROTATED_FOR: &str = "mcpfoundry.dev/rotated-for";
    /// On the `McpServer`: any new value forces a run; status repeats it.
    pub const RECONCILE_AT: &str = "mcpfoundry.dev/reconcile-at";
}

/// Value of [`label::NAME`] on everything but a managed Redis.
pub const APP_NAME: &str = "mcp-server";

/// Value of [`label::MANAGED_BY`].
pub const MANAGED_BY: &str = "mcp-operator";

/// Name of the configuration of one revision. At most 40 + 18 characters.
pub fn config_map_name(mcp_server: &str, revision: &str) -> String {
    format!("{mcp_server}-config-{revision}")
}

/// Name of the policy.
pub fn policy_config_map_name(mcp_server: &str) -> String {
    format!("{mcp_server}-policy")
}

/// The labels that pods are selected by, for ever.
pub fn selector(mcp_server: &str) -> BTreeMap<String, String> {
    selector_of(APP_NAME, mcp_server)
}

/// The same of pods that are `app`.
pub(super) fn selector_of(app: &str, mcp_server: &str) -> BTreeMap<String, String> {
    [(label::NAME, app), (label::INSTANCE, mcp_server)].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// [`selector`] as text, for `status.selector` and list requests.
pub fn selector_text(mcp_server: &str) -> String {
    let pairs: Vec<String> = selector(mcp_server).iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

/// The labels of every child but those of a Redis.
pub(super) fn labels(mcp_server: &str) -> BTreeMap<String, String> {
    labels_of(APP_NAME, mcp_server)
}

/// The labels of what belongs to `app`.
pub(super) fn labels_of(app: &str, mcp_server: &str) -> BTreeMap<String, String> {
    let mut labels = selector_of(app, mcp_server);
    labels.insert(label::MANAGED_BY.to_owned(), MANAGED_BY.to_owned());
    labels.insert(label::MCP_SERVER.to_owned(), mcp_server.to_owned());
    labels
}

/// Metadata of the child `name`: our labels, controlled by the `McpServer`.
pub(super) fn metadata(valid: &ValidServer, name: String) -> ObjectMeta {
    metadata_of(valid, APP_NAME, name)
}

/// The same of what belongs to `app`.
pub(super) fn metadata_of(valid: &ValidServer, app: &str, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(valid.namespace.clone()),
        labels: Some(labels_of(app, &valid.name)),
        owner_references: Some(vec![valid.owner.clone()]),
        ..ObjectMeta::default()
    }
}

/// How much of the owner's uid is in the name of a Secret: enough that a namesake that is made again gets secrets of its own.
const UID_DIGITS: usize = 8;

/// The first hexadecimal digits of the owner's uid.
pub(super) fn uid_digits(owner_uid: &str) -> String {
    owner_uid.chars().filter(char::is_ascii_hexdigit).take(UID_DIGITS).collect::<String>().to_ascii_lowercase()
}

/// `object` with [`annotation::DESIRED_HASH`] set: every builder ends with it.
pub(super) fn hashed<K: Resource + Serialize>(mut object: K) -> K {
    let hash = desired_hash(&object);
    object.annotations_mut().insert(annotation::DESIRED_HASH.to_owned(), hash);
    object
}

/// Hash of `object` as it is wanted. The annotation that carries it must not be set yet.
///
/// Stable: maps of k8s-openapi are sorted, lists are in the order that builders give them.
pub fn desired_hash<K: Serialize>(object: &K) -> String {
    let json = serde_json::to_vec(object).expect("typed objects with string keys always serialise");
    revision(&json)
}
