//! `spec.redis` and `spec.deletionPolicy`: where gateway pods keep what they share.
//!
//! A user's Redis (`external`) is in `redis/external.rs`. Defaults of modes are resolved by the operator: the gateway reads
//! [`crate::gateway_config::RedisConfig`], which is complete.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{Deserialize, JsonSchema, KubeSchema, ResourceRequirements, Serialize, schema};

mod external;

pub use external::{
    CredentialsSecretRef, DEFAULT_PASSWORD_KEY, DEFAULT_USERNAME_KEY, RedisExternal, RedisTls, RedisTlsMode,
    RedisTopology, SecretRef,
};

/// Where gateway pods keep what they share: sessions that ended, events to replay, messages between pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.managed) || self.mode == 'Managed'")
    .message("redis.managed would be ignored unless redis.mode is Managed; set mode: Managed, or remove managed"))]
#[x_kube(validation = Rule::new("!has(self.external) || self.mode == 'External'")
    .message("redis.external would be ignored unless redis.mode is External; set mode: External, or remove external"))]
#[x_kube(validation = Rule::new("self.mode != 'External' || has(self.external)")
    .message("redis.external is required with redis.mode External: it says where the Redis is; add external: {addresses: [\"HOST:PORT\"]}"))]
#[x_kube(validation = Rule::new("self.mode != 'None' || !self.required")
    .message("redis.required needs a Redis: with redis.mode None no pod would ever be ready; set mode: Managed or External, or remove required"))]
// At this level, so that a `managed` that comes or goes as a whole is a change too.
#[x_kube(validation = Rule::new("self.mode != 'Managed' || oldSelf.mode != 'Managed' || (has(self.managed) && has(self.managed.storage) ? has(oldSelf.managed) && has(oldSelf.managed.storage) && self.managed.storage == oldSelf.managed.storage : !has(oldSelf.managed) || !has(oldSelf.managed.storage))")
    .message("redis.managed.storage cannot change while redis.mode is Managed, since Kubernetes does not change the volume of a StatefulSet; set redis.mode: None, wait until StatefulSet NAME-redis is gone, then Managed with the new storage"))]
pub struct Redis {
    /// None: pods share nothing, and several offer less to clients of protocol revisions before 2026-07-28 (condition LegacyStreams).
    /// Managed: the operator runs one Redis for this McpServer alone, with a password that nobody reads. External: one that you run.
    /// May change at any time: pods of before keep their Redis until they are gone. Example: Managed. Default: None.
    #[serde(default)]
    pub mode: RedisMode,

    /// Whether a pod becomes ready only once it has reached the Redis. A later loss makes no pod unready, with or without this; the
    /// condition RedisReady tells it. Example: true. Default: false.
    #[serde(default)]
    pub required: bool,

    /// After how many days what the operator made is replaced, without a call that fails: the password of a managed Redis, which
    /// restarts twice for it, and in every mode the key that seals session ids. The annotation mcpfoundry.dev/rotate-at asks for it
    /// at once. Example: 90. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3650))]
    pub rotation_interval_days: Option<i32>,

    /// The Redis of mode Managed. Default: {}, with the values below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<RedisManaged>,

    /// The Redis of mode External. Required there, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<RedisExternal>,
}

/// Whose Redis it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RedisMode {
    /// Nobody's.
    #[default]
    None,
    /// Made by the operator.
    Managed,
    /// The user's own.
    External,
}

/// A Redis that the operator runs: one pod. It is no cluster; while it is down or moves to another node, requests are served and
/// what only the Redis knows is answered with 503. For high availability bring your own (mode External).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedisManaged {
    /// Image of Redis 7.0 or newer, or of Valkey; it must hold a program redis-server in its PATH. A change restarts the Redis.
    /// Example: registry.example.com/valkey@sha256:... Default: the image that the operator was installed with when the Redis was
    /// started last by a change of image, resources or storage: an upgrade of the operator restarts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$')")
        .message("redis.managed.image must be an image reference without spaces; for example docker.io/valkey/valkey:8.1"))]
    pub image: Option<String>,

    /// CPU and memory of the Redis. Three quarters of limits.memory are for data; when they are full, new state is refused and nothing
    /// is evicted. Where only requests.memory is named, it is the limit too. A change restarts the Redis.
    /// Example: { limits: { memory: 1Gi } }. Default: requests cpu 50m, memory 64Mi; limits memory 256Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// A volume that outlives the pod. Cannot change, appear or go while the mode is Managed. Example: { size: 1Gi }. Default: none,
    /// what is in the Redis ends with its pod, which costs clients a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<RedisStorage>,
}

/// The volume of a managed Redis. What becomes of it with the McpServer says deletionPolicy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedisStorage {
    /// How large. The log of changes takes up to three times the data while it is rewritten. Example: 1Gi.
    #[schemars(schema_with = "schema::quantity")]
    pub size: Quantity,

    /// Name of the StorageClass. Example: fast. Default: the cluster's default class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("redis.managed.storage.className must be the name of a StorageClass: a-z, 0-9, '-' and '.'"))]
    pub class_name: Option<String>,
}

/// What becomes of volumes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// They go.
    #[default]
    Delete,
    /// They stay.
    Retain,
}
