//! `McpServer`: the one resource that a user writes.
//!
//! The doc comments of fields are the user's manual: `kubectl explain` and the reference page print
//! them, so each says what the field does, an example and the default. Rules that need more than one
//! field are CEL rules, whose messages name the fix. Nothing is in the schema that nothing reads.

#![expect(
    unreachable_pub,
    reason = "the KubeSchema derive repeats each struct in a private module, with its visibility"
)]
#![expect(clippy::doc_link_with_quotes, reason = "field docs hold YAML lists; they are printed by `kubectl explain`")]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod auth;
mod authorization;
mod claims;
mod config_map_ref;
mod expose;
mod issuer;
mod limits;
mod preset;
mod redis;
mod schema;
mod status;
mod upstreams;
mod workload;

pub use auth::{Auth, AuthMode};
pub use authorization::{
    Authorization, AuthorizationDefault, AuthorizationRule, PrincipalKind, PrincipalRef, ScopeImplication, Visibility,
};
pub use claims::{ClaimMatch, ScopeMapping, WorkloadRule};
pub use config_map_ref::ConfigMapKeyRef;
pub use expose::{Expose, Http, Ingress, IpBlock, Peer, Selector};
pub use issuer::{Algorithm, Issuer, TokenType};
pub use limits::{Limits, Sessions};
pub use preset::Preset;
pub use redis::{
    CredentialsSecretRef, DEFAULT_PASSWORD_KEY, DEFAULT_USERNAME_KEY, DeletionPolicy, Redis, RedisExternal,
    RedisManaged, RedisMode, RedisStorage, RedisTls, RedisTlsMode, RedisTopology, SecretRef,
};
pub use schema::crd;
pub use status::{McpServerStatus, SecretsStatus, ToolsStatus, UpstreamStatus};
pub use upstreams::{MAX_UPSTREAM_NAME_BYTES, MAX_UPSTREAM_TIMEOUT_SECONDS, Upstream};
pub use workload::{Builtin, Builtins, LogLevel, Observability, Otlp, Pod, ResourceRequirements};

/// The longest `metadata.name`, in bytes: children add suffixes, and labels end at 63.
pub const MAX_NAME_BYTES: usize = 40;

/// The most `spec.replicas`.
pub const MAX_REPLICAS: u32 = 100;

/// An MCP endpoint: what clients reach under one URL, who may call it, and which tools it offers.
///
/// Smallest complete example:
///
///     apiVersion: mcpfoundry.dev/v1alpha1
///     kind: McpServer
///     metadata: { name: tools }
///     spec:
///       publicUrl: https://mcp.example.com/mcp
///       expose: { ingress: {} }
///       auth:
///         issuers: [{ issuer: https://login.example.com/realms/acme }]
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "mcpfoundry.dev",
    version = "v1alpha1",
    kind = "McpServer",
    plural = "mcpservers",
    shortname = "mcpf",
    category = "mcpfoundry",
    namespaced,
    status = "McpServerStatus",
    derive = "PartialEq",
    doc = "An MCP endpoint: what clients reach under one URL, who may call it, and which tools it offers.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Replicas", type_ = "string", json_path = ".status.replicasSummary"),
    printcolumn(name = "Tools", type_ = "integer", json_path = ".status.tools.count"),
    printcolumn(name = "Eras", type_ = "string", json_path = ".status.eras"),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40")
        .message("metadata.name must start with a letter, hold only a-z, 0-9 and '-', end with a letter or digit, and have at most 40 characters; choose a shorter or plainer name")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.expose) || has(self.publicUrl)")
    .message("publicUrl is required with expose: it is where host and path of the route come from; set publicUrl: https://HOST/PATH"))]
#[x_kube(validation = Rule::new("!has(self.expose) || !has(self.expose.ingress) || !has(self.publicUrl) || !self.publicUrl.matches('^https?://[0-9.]+([:/]|$)')")
    .message("publicUrl must name a DNS host with expose.ingress: an Ingress has no address as host; use a name such as mcp.example.com"))]
pub struct McpServerSpec {
    /// How many gateway pods serve the endpoint. `kubectl scale` and a HorizontalPodAutoscaler that targets this
    /// McpServer write it. A change restarts nothing. More than one offer less to clients of protocol revisions before 2026-07-28, unless
    /// they share a Redis (see redis): the condition LegacyStreams says what. Example: 3. Default: 2.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,

    /// The whole URL under which clients reach the endpoint. It is the OAuth resource that tokens are issued for, and
    /// host and path of the route come from it alone, never from a request. https; http only for localhost and for
    /// names inside the cluster (ending in .svc or .svc.cluster.local). No query, no fragment, no user, no trailing slash, lower-case host.
    /// Example: https://mcp.example.com/mcp. Default: http://NAME.NAMESPACE.svc/mcp; required with expose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*$')")
        .message("publicUrl must be scheme://host[:port][/path]: lower-case host, no query, no fragment, no user, no trailing slash; for example https://mcp.example.com/mcp"))]
    #[x_kube(validation = Rule::new("self.startsWith('https://') || self.matches('^http://(localhost|127[.]0[.]0[.]1|[a-z0-9.-]+[.]svc|[a-z0-9.-]+[.]svc[.]cluster[.]local)([:/]|$)')")
        .message("publicUrl must use https; http is for localhost and in-cluster names (.svc) only"))]
    #[x_kube(validation = Rule::new("!self.matches('^https?://[^/]+/([.]|health$|[^?]*/[.]{1,2}(/|$))')")
        .message("publicUrl must not have the path /health, a path that starts with a dot, or . and .. segments: those are taken; use a path such as /mcp"))]
    pub public_url: Option<String>,

    /// How clients outside the namespace reach the endpoint. Absent: only pods of the same namespace do, through the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expose: Option<Expose>,

    /// What the endpoint accepts of HTTP beyond the defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,

    /// Who may call: whose tokens are accepted. There is no default that switches authentication off.
    pub auth: Auth,

    /// Which tools a caller may see and call. A change is in force without a restart.
    /// Default: every tool that no rule names is hidden, the built-in tools follow their own rules (see builtins).
    #[serde(default)]
    pub authorization: Authorization,

    /// The gateway's own tools. Default: all enabled.
    #[serde(default)]
    pub builtins: Builtins,

    /// MCP servers whose tools are offered besides, as NAME__TOOL. They follow authorization like every tool: with default: Deny they
    /// are hidden until a rule names them. The caller's token is never forwarded. A change rolls the pods once.
    /// Example: [{ name: search, url: "https://search.example.com/mcp" }]. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub upstreams: Vec<Upstream>,

    /// Sessions of clients that speak an older protocol revision.
    #[serde(default)]
    pub sessions: Sessions,

    /// What one caller may use at once.
    #[serde(default)]
    pub limits: Limits,

    /// Where pods keep what they share. Default: nowhere, each remembers for itself.
    #[serde(default)]
    pub redis: Redis,

    /// What becomes of the volume of a managed Redis when the McpServer is deleted or redis.mode changes: Delete or Retain. Passwords and
    /// keys that the operator made go in either case. A McpServer of the same name takes up a volume that was retained.
    /// Example: Retain. Default: Delete, since everything in it has an end anyway.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// What concerns the gateway's pods: image and resources.
    #[serde(default)]
    pub pod: Pod,

    /// Logs and traces.
    #[serde(default)]
    pub observability: Observability,
}

fn two() -> i32 {
    2
}

#[cfg(test)]
mod tests;
