//! `spec.upstreams`: MCP servers whose tools the endpoint offers besides its own.

use super::{Deserialize, KubeSchema, Serialize};

/// The longest [`Upstream::name`], in bytes: `NAME-UPSTREAM` names a Service.
pub const MAX_UPSTREAM_NAME_BYTES: usize = 20;

/// The longest [`Upstream::timeout_seconds`].
pub const MAX_UPSTREAM_TIMEOUT_SECONDS: i32 = 600;

/// An MCP server whose tools are offered under this endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    /// What its tools are called by: tool query of upstream search is `search__query`. At most 20 characters: lower-case letters,
    /// digits and '-', a letter first. Example: search.
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("upstreams[].name must start with a letter, hold only a-z, 0-9 and '-', and end with a letter or digit; for example search"))]
    pub name: String,

    /// Its endpoint (Streamable HTTP), the whole URL as its own documentation gives it: no redirect is followed, so a trailing slash
    /// matters. The caller's token is never sent to it. Loopback, link-local and metadata addresses and the Kubernetes API are never
    /// connected to; private ones are, unless the operator runs with denyPrivateAddresses. The NetworkPolicy opens the port of this URL;
    /// where a network plugin looks behind a Service, that must be the port of its pods as well.
    /// Example: https://search.example.com/mcp.
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(validation = Rule::new(r"self.matches('^https?://([a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?|\\[[0-9a-fA-F:.]+\\])(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&()*+,;=:@%/-]*)?$')")
        .message("upstreams[].url must be scheme://host[:port][/path] with http or https: no user, no query, no fragment; for example https://search.example.com/mcp"))]
    pub url: String,

    /// How long one call of its tools may take. A longer one ends with an error, and pods that stop wait this long for calls under way.
    /// Example: 120. Default: 30.
    #[serde(default = "half_a_minute")]
    #[schemars(range(min = 1, max = 600))]
    pub timeout_seconds: i32,
}

fn half_a_minute() -> i32 {
    30
}
