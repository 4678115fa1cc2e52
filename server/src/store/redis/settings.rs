//! Which Redis, and how it is reached: what `config/semantics` makes of the configuration's `redis`. Trusted from there on.

use crds::gateway_config::{RedisCredentials, RedisTls};

use super::RedisAddress;

/// What a [`super::RedisStore`] is made of. Holds the names of files, and no secret.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// How its servers are found.
    pub topology: Topology,
    /// At least one: of the server, of the sentinels, or of some nodes.
    pub addresses: Vec<RedisAddress>,
    /// What each key and the channel begin with; ends with `:`.
    pub key_prefix: String,
    /// Files of the ACL user. `None`: no `AUTH` is sent.
    pub credentials: Option<RedisCredentials>,
    /// `None`: the connection is not encrypted.
    pub tls: Option<RedisTls>,
    /// Whether readiness waits for the first contact. Read by [`crate::health`].
    pub required: bool,
}

/// How the servers of a Redis are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topology {
    /// One address.
    Standalone,
    /// Sentinels name the master.
    Sentinel {
        /// The name that they know it by.
        master_name: String,
    },
    /// Nodes share the keys, and redirect.
    Cluster,
}
