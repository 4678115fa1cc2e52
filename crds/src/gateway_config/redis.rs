//! Where replicas keep what they share.
//!
//! The operator resolves modes and defaults: what stands here is complete, and the server does not know whether the Redis
//! is a managed one. Secrets are named by the files that they are mounted as.

use serde::{Deserialize, Serialize};

/// A Redis, or whatever speaks its protocol (7.0 or newer).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedisConfig {
    /// How its servers are found.
    pub topology: RedisTopology,
    /// `host:port` of the server, of the sentinels, or of some nodes of the cluster; never empty. IPv6 in brackets.
    pub addresses: Vec<String>,
    /// Under which name the sentinels know the master. Set for [`RedisTopology::Sentinel`] alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master_name: Option<String>,
    /// What every key and channel begins with: `mcpf:team-a/tools:`. The ACL user may use nothing else.
    pub key_prefix: String,
    /// Mounted files with the name and the password of the ACL user, read at each connection. `None`: no `AUTH` is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<RedisCredentials>,
    /// `None`: the connection is not encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<RedisTls>,
    /// Whether a pod becomes ready only once it has reached it. A later loss makes no pod unready.
    #[serde(default)]
    pub required: bool,
}

/// How the servers of a Redis are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RedisTopology {
    /// One address.
    Standalone,
    /// Sentinels name the master.
    Sentinel,
    /// Nodes share the keys, and redirect.
    Cluster,
}

/// Mounted files of an ACL user. What they hold ends at the first line break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedisCredentials {
    /// Path of the file with its name. `None`: the user `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_file: Option<String>,
    /// Path of the file with its password.
    pub password_file: String,
}

/// Encryption, always with verification: there is no way to skip it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedisTls {
    /// Path of a mounted PEM bundle to trust instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// What to show where the server asks for a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<RedisClientCertificate>,
}

/// A certificate of our own, and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedisClientCertificate {
    /// Path of a mounted PEM chain.
    pub certificate_file: String,
    /// Path of a mounted PEM key.
    pub key_file: String,
}
