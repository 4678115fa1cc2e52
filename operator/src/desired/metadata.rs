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
    /// What it is: always [`super::APP_NAME`].
    pub const NAME: &str = "app.kubernetes.io/name";
    /// Whose it is: the name of the `McpServer`.
    pub const INSTANCE: &str = "app.kubernetes.io/instance";
    /// Who made it: always [`super::MANAGED_BY`].
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// The name of the `McpServer`; pruning asks for it beside the owner's uid.
    pub const MCP_SERVER: &str = "mcpfoundry.dev/mcp-server";
    /// On pods: the revision of the configuration that they were made with.
    pub const CONFIG_REVISION: &str = "mcpfoundry.dev/config-revision";
}

/// Keys of annotations.
pub mod annotation {
    /// On every child: hash of the object as it is wanted, without this annotation.
    pub const DESIRED_HASH: &str = "mcpfoundry.dev/desired-hash";
    /// On the Deployment: the image in force.
    pub const SERVER_IMAGE: &str = "mcpfoundry.dev/server-image";
    /// On the Deployment: hash of the part of the spec that the image was chosen for.
    pub const SERVER_IMAGE_CHOSEN_FOR: &str = "mcpfoundry.dev/server-image-chosen-for";
    /// On the `McpServer`: any new value forces a run; status repeats it.
    pub const RECONCILE_AT: &str = "mcpfoundry.dev/reconcile-at";
}

/// Value of [`label::NAME`].
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
    [(label::NAME, APP_NAME), (label::INSTANCE, mcp_server)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// [`selector`] as text, for `status.selector` and list requests.
pub fn selector_text(mcp_server: &str) -> String {
    let pairs: Vec<String> = selector(mcp_server).iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

/// The labels of every child.
pub(super) fn labels(mcp_server: &str) -> BTreeMap<String, String> {
    let mut labels = selector(mcp_server);
    labels.insert(label::MANAGED_BY.to_owned(), MANAGED_BY.to_owned());
    labels.insert(label::MCP_SERVER.to_owned(), mcp_server.to_owned());
    labels
}

/// Metadata of the child `name`: our labels, controlled by the `McpServer`.
pub(super) fn metadata(valid: &ValidServer, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(valid.namespace.clone()),
        labels: Some(labels(&valid.name)),
        owner_references: Some(vec![valid.owner.clone()]),
        ..ObjectMeta::default()
    }
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
