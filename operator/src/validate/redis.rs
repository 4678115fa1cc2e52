//! `spec.redis`: whose Redis the pods share, and what the gateway must know of it.
//!
//! Modes and defaults are resolved here; the gateway's file does not say whether the Redis is a managed one. Rules of CEL are
//! repeated where a Redis would be used that nobody asked for, or none that somebody relies on.

mod external;
mod managed;
pub(crate) mod outbound;

#[cfg(test)]
mod tests;

use crds::{
    gateway_config::RedisConfig,
    mcp_server::{ConfigMapKeyRef, McpServerSpec, RedisMode},
};
use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity};

use super::{Checked, Image, Invalid, OperatorSettings, identity::Identity};
use crate::{observed::Observed, rotation::redis::Plan};

pub use outbound::RedisOutbound;

/// What is left of `spec.redis`, when there is a Redis.
#[derive(Clone, Debug, PartialEq)]
pub enum ValidRedis {
    /// To be made.
    Managed(Box<ManagedRedis>),
    /// The user's own.
    External(ExternalRedis),
}

/// A Redis to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedRedis {
    /// The image in force.
    pub image: Image,
    /// Of its container, defaults filled in; a memory limit is always there.
    pub resources: ResourceRequirements,
    /// Three quarters of the memory limit.
    pub max_memory_bytes: u64,
    /// Its volume; `None`: what it holds ends with its pod.
    pub storage: Option<Storage>,
    /// Whether the volume stays when the StatefulSet goes.
    pub retain_volume: bool,
    /// What every key and channel begins with.
    pub key_prefix: String,
    /// Which revisions of its credentials are in use, each a user of its own, and which come and go.
    pub credentials: Plan,
}

/// A volume claim.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// How large.
    pub size: Quantity,
    /// StorageClass; `None`: the cluster's default.
    pub class_name: Option<String>,
}

/// A Redis of the user: what the pods mount to get in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalRedis {
    /// Secret and keys of the credentials.
    pub credentials: Option<SecretKeys>,
    /// Bundle of authorities.
    pub ca: Option<ConfigMapKeyRef>,
    /// Secret of type `kubernetes.io/tls`.
    pub client_secret: Option<String>,
}

/// Keys of a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKeys {
    /// Its name.
    pub secret: String,
    /// The user's name; `None`: the user `default`.
    pub username: Option<String>,
    /// The password.
    pub password: String,
}

/// The parts of `ValidServer` that `spec.redis` decides.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) redis: Option<ValidRedis>,
    pub(super) config: Option<RedisConfig>,
    pub(super) outbound: RedisOutbound,
}

pub(super) fn redis(
    spec: &McpServerSpec,
    identity: &Identity,
    observed: &Observed,
    settings: &OperatorSettings,
) -> Checked<Shared> {
    match spec.redis.mode {
        RedisMode::None if spec.redis.required => Err(vec![Invalid::spec(
            "spec.redis.required",
            "needs a Redis, and there is none, so that no pod would ever be ready",
            "set redis.mode to Managed or External, or remove it",
        )]),
        RedisMode::None => Ok(Shared::default()),
        RedisMode::Managed => managed::managed(spec, identity, observed, settings),
        RedisMode::External => external::external(&spec.redis, identity, observed, settings),
    }
}

/// What keys begin with unless the spec says otherwise. Names of Kubernetes hold nothing that an ACL pattern or a hash tag could be.
fn default_key_prefix(identity: &Identity) -> String {
    let Identity { name, namespace, .. } = identity;
    format!("mcpf:{namespace}/{name}:")
}
