//! `spec.redis.external`: a Redis that the user runs, and how to get in.

use crate::mcp_server::{ConfigMapKeyRef, Deserialize, JsonSchema, KubeSchema, Serialize};

/// Key of the credentials' Secret with the user name, unless the spec names another.
pub const DEFAULT_USERNAME_KEY: &str = "username";

/// Key of the credentials' Secret with the password, unless the spec names another.
pub const DEFAULT_PASSWORD_KEY: &str = "password";

/// A Redis, or whatever speaks its protocol (7.0 or newer), that you run or rent. Give this McpServer a user of its own, which may use
/// keys and channels that begin with keyPrefix and no others: a prefix alone keeps nobody out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.topology == 'Sentinel' ? has(self.masterName) : !has(self.masterName)")
    .message("redis.external.masterName is for topology Sentinel, and required there; set masterName: NAME with Sentinel, or remove it"))]
#[x_kube(validation = Rule::new("self.topology != 'Standalone' || size(self.addresses) == 1")
    .message("redis.external.addresses must hold exactly one address with topology Standalone; name one, or set topology: Sentinel or Cluster"))]
pub struct RedisExternal {
    /// Standalone: one server at one address. Sentinel: addresses are those of sentinels, which name the master. Cluster: addresses are
    /// those of some nodes, which name the others. Example: Sentinel. Default: Standalone.
    #[serde(default)]
    pub topology: RedisTopology,

    /// HOST:PORT of the server, of the sentinels, or of some nodes; an IPv6 address in brackets. The NetworkPolicy opens the ports that
    /// are named here, and 6379 with Sentinel, for the master. Example: ["redis.example.com:6379"].
    #[schemars(
        length(min = 1, max = 16),
        inner(length(min = 3, max = 260)),
        extend("x-kubernetes-list-type" = "set")
    )]
    #[x_kube(validation = Rule::new(r"self.all(a, a.matches('^([a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?|\\[[0-9a-fA-F:.]+\\]):[1-9][0-9]{0,4}$'))")
        .message("redis.external.addresses must hold HOST:PORT, without a scheme and without a path, an IPv6 address in brackets; for example redis.example.com:6379"))]
    pub addresses: Vec<String>,

    /// Under which name the sentinels know the master. Example: mymaster. Default: none; required with topology Sentinel, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[!-~]+$')")
        .message("redis.external.masterName must have printable ASCII characters and no spaces"))]
    pub master_name: Option<String>,

    /// What every key and channel begins with. Ends with a colon, at most 128 characters, none of * ? [ ] { } and the backslash, so
    /// that an ACL rule can say it. Another prefix is another, empty store. Example: "acme:mcp:". Default: mcpf:NAMESPACE/NAME: .
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[!-)+->@-Z^-z|~]*:$')")
        .message("redis.external.keyPrefix must end with ':' and have printable ASCII characters but spaces, '*', '?', brackets, braces and the backslash; for example acme:mcp:"))]
    pub key_prefix: Option<String>,

    /// A Secret in this namespace with name and password of the user. Only the pods read it, at each connection: a changed password
    /// needs no restart. Example: { name: redis-user }. Default: none, no password is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<CredentialsSecretRef>,

    /// Encryption. Default: required, with the authorities that the gateway's image trusts.
    #[serde(default)]
    pub tls: RedisTls,
}

/// How the servers of a Redis are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RedisTopology {
    /// One address.
    #[default]
    Standalone,
    /// Sentinels name the master.
    Sentinel,
    /// Nodes share the keys, and redirect.
    Cluster,
}

/// A Secret with the name and the password of an ACL user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsSecretRef {
    /// Name of the Secret, in the namespace of the McpServer. Example: redis-user.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("credentialsSecretRef.name must be the name of a Secret: a-z, 0-9, '-' and '.'"))]
    pub name: String,

    /// Key in it with the user's name. Empty: the password is that of the user `default`. Example: user. Default: username.
    #[serde(default = "username")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]*$') && !self.startsWith('..') && self != '.'")
        .message("credentialsSecretRef.usernameKey must be a key of a Secret: letters, digits, '-', '_' and '.'; or empty for the user default"))]
    pub username_key: String,

    /// Key in it with the user's password. Example: redis-password. Default: password.
    #[serde(default = "password")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$') && !self.startsWith('..') && self != '.'")
        .message("credentialsSecretRef.passwordKey must be a key of a Secret: letters, digits, '-', '_' and '.'"))]
    pub password_key: String,
}

fn username() -> String {
    DEFAULT_USERNAME_KEY.to_owned()
}

fn password() -> String {
    DEFAULT_PASSWORD_KEY.to_owned()
}

/// Encryption of the connections to a Redis. A certificate is always verified: there is no way to skip it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.mode != 'Disabled' || (!has(self.caConfigMapRef) && !has(self.clientSecretRef))")
    .message("redis.external.tls.caConfigMapRef and clientSecretRef would be ignored with mode Disabled; remove them, or set mode: Required"))]
pub struct RedisTls {
    /// Required: TLS, with the host of each address in its certificate. Disabled: anybody on the way reads along, the password
    /// included. Example: Disabled. Default: Required.
    #[serde(default)]
    pub mode: RedisTlsMode,

    /// Authorities to trust instead of the system's, for a private CA. Changes are read without a restart. Example: { name: corporate-ca }.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<ConfigMapKeyRef>,

    /// A Secret of type kubernetes.io/tls in this namespace, with the certificate that the gateway shows. Only the pods read it.
    /// Example: { name: gateway-redis-tls }. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<SecretRef>,
}

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RedisTlsMode {
    /// They are, and certificates are verified.
    #[default]
    Required,
    /// They are not.
    Disabled,
}

/// A Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Name of the Secret, in the namespace of the McpServer. Example: gateway-redis-tls.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("clientSecretRef.name must be the name of a Secret: a-z, 0-9, '-' and '.'"))]
    pub name: String,
}
