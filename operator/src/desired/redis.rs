//! The Redis that an `McpServer` asks for in mode `Managed`: its objects, and names that others need too.
//!
//! One Redis, one `McpServer`. Its pods carry another [`super::label::NAME`] than the gateway's, so that no selector takes one
//! for the other. It knows users by hashes alone: a password is in the Secret, which the gateway mounts, and in no object here.

mod config_map;
mod credentials;
mod disruption_budget;
mod network_policy;
mod service;
mod stateful_set;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, Secret, Service},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::metadata::{annotation, labels_of, metadata_of};
use crate::{
    observed::ChildKind,
    rotation::Record,
    validate::{ManagedRedis, ValidRedis, ValidServer},
};

pub use credentials::{
    PASSWORD, USER_LINE, USERNAME, credentials_directory, credentials_name, default_user, user_line, username,
};
pub(super) use network_policy::to_redis;
pub use stateful_set::{CONTAINER_NAME, volume_hash};

/// Port of a Redis, as everybody has it.
pub const REDIS_PORT: u16 = 6379;

/// Value of [`super::label::NAME`] on everything of a managed Redis. Permanent, as it is in selectors.
pub const REDIS_APP_NAME: &str = "mcp-redis";

/// Where the bundle of authorities of an external Redis is mounted.
pub const CA_DIRECTORY: &str = "/etc/mcp-foundry/redis/ca";

/// Key of a Secret of type `kubernetes.io/tls`.
pub const TLS_CERTIFICATE: &str = "tls.crt";

/// Key of a Secret of type `kubernetes.io/tls`.
pub const TLS_KEY: &str = "tls.key";

/// All objects of a managed Redis. Each but the Secrets carries its hash in [`annotation::DESIRED_HASH`].
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredRedis {
    /// `<name>-redis`: nobody gets in but the gateway, and it gets nowhere.
    pub network_policy: NetworkPolicy,
    /// `<name>-redis`: `redis.conf`, and which Secrets there may be.
    pub config_map: ConfigMap,
    /// `<name>-redis-<revision>-<uid>` without content, which is drawn when it is sent; one for each accepted revision.
    pub credentials: Vec<Credentials>,
    /// `<name>-redis`, headless.
    pub service: Service,
    /// `<name>-redis`.
    pub disruption_budget: PodDisruptionBudget,
    /// `<name>-redis`.
    pub stateful_set: StatefulSet,
}

/// A Secret of credentials, but for the password.
#[derive(Clone, Debug, PartialEq)]
pub struct Credentials {
    /// Metadata and type.
    pub secret: Secret,
    /// Which user it is for.
    pub revision: u32,
    /// What the user may use.
    pub key_prefix: String,
}

impl DesiredRedis {
    /// Every object that is compared with what the caches show.
    pub fn children(&self) -> Vec<(ChildKind, &ObjectMeta)> {
        // Without `..`: a new field does not compile until somebody says whether it is compared.
        let Self { network_policy, config_map, credentials: _, service, disruption_budget, stateful_set } = self;
        vec![
            (ChildKind::NetworkPolicy, &network_policy.metadata),
            (ChildKind::ConfigMap, &config_map.metadata),
            (ChildKind::Service, &service.metadata),
            (ChildKind::PodDisruptionBudget, &disruption_budget.metadata),
            (ChildKind::StatefulSet, &stateful_set.metadata),
        ]
    }
}

/// The objects of a managed Redis, when one is asked for.
pub(super) fn redis(valid: &ValidServer) -> Option<DesiredRedis> {
    let managed = managed(valid)?;
    Some(DesiredRedis {
        network_policy: network_policy::network_policy(valid),
        config_map: config_map::config_map(valid, managed),
        credentials: managed
            .credentials
            .accepted
            .iter()
            .map(|revision| credentials::credentials(valid, managed, *revision))
            .collect(),
        service: service::service(valid),
        disruption_budget: disruption_budget::disruption_budget(valid),
        stateful_set: stateful_set::stateful_set(valid, managed),
    })
}

/// The managed Redis that is asked for.
pub(super) fn managed(valid: &ValidServer) -> Option<&ManagedRedis> {
    match &valid.redis {
        Some(ValidRedis::Managed(managed)) => Some(managed),
        Some(ValidRedis::External(_)) | None => None,
    }
}

/// Name of every object of the Redis of `mcp_server` but the Secrets. At most 40 + 6 characters.
pub fn redis_name(mcp_server: &str) -> String {
    format!("{mcp_server}-redis")
}

/// Where the client certificate for an external Redis is mounted. The Secret's name is part of it, so that another Secret is
/// another configuration, which pods can be told apart by.
pub fn client_directory(secret: &str) -> String {
    format!("/etc/mcp-foundry/redis/client/{secret}")
}

/// The revisions whose Secrets may exist, as they are noted.
pub fn noted_revisions(metadata: &ObjectMeta) -> BTreeSet<u32> {
    Record::read(metadata, annotation::REDIS_CREDENTIALS).revisions
}

/// Metadata of the object `name`: labels of the Redis, controlled by the `McpServer`.
fn metadata(valid: &ValidServer, name: String) -> ObjectMeta {
    metadata_of(valid, REDIS_APP_NAME, name)
}

/// Labels of its pods.
fn labels(valid: &ValidServer) -> BTreeMap<String, String> {
    labels_of(REDIS_APP_NAME, &valid.name)
}

/// The labels that its pods are selected by, for ever.
pub fn redis_selector(mcp_server: &str) -> BTreeMap<String, String> {
    super::metadata::selector_of(REDIS_APP_NAME, mcp_server)
}
