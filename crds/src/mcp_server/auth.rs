//! `spec.auth`: whose tokens are accepted.

use super::{Deserialize, JsonSchema, KubeSchema, Serialize};

/// Who may call: whose tokens are accepted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.mode != 'OAuth' || (has(self.issuers) && size(self.issuers) > 0)")
    .message("auth.issuers needs at least one issuer: an endpoint without one would accept nobody; add issuers: [{issuer: https://...}]"))]
#[x_kube(validation = Rule::new("self.mode != 'None' || (has(self.insecureAllowUnauthenticated) && self.insecureAllowUnauthenticated)")
    .message("auth.mode None serves everybody: it takes auth.insecureAllowUnauthenticated: true as well, or use mode OAuth with issuers"))]
#[x_kube(validation = Rule::new("self.mode != 'None' || !has(self.issuers) || size(self.issuers) == 0")
    .message("auth.issuers would be ignored with auth.mode None; remove the issuers or the mode"))]
#[x_kube(validation = Rule::new("self.mode != 'OAuth' || !has(self.insecureAllowUnauthenticated) || !self.insecureAllowUnauthenticated")
    .message("auth.insecureAllowUnauthenticated contradicts auth.mode OAuth; remove it"))]
pub struct Auth {
    /// OAuth: every request needs an access token (JWT) of one of the issuers. None: everybody is served as `anonymous`;
    /// takes insecureAllowUnauthenticated: true as well. Default: OAuth.
    #[serde(default)]
    pub mode: AuthMode,

    /// Second half of running open; see mode. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure_allow_unauthenticated: Option<bool>,

    /// The issuers whose tokens are accepted. A token names its issuer, and only that issuer's keys are tried.
    /// Example: [{ issuer: https://login.example.com/realms/acme }].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["issuer"]))]
    pub issuers: Vec<Issuer>,
}

/// How callers prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AuthMode {
    /// Access tokens of the issuers.
    #[default]
    OAuth,
    /// Everybody is served.
    None,
}

/// One issuer of access tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.issuer.startsWith('https://') || has(self.jwksUri)")
    .message("jwksUri is required when issuer is not an https URL: there is nothing to discover the keys from"))]
pub struct Issuer {
    /// The exact `iss` of its tokens, compared byte for byte, a trailing slash included. An https URL, or any other string together
    /// with jwksUri. Example: https://login.example.com/realms/acme.
    #[schemars(length(min = 1, max = 512))]
    pub issuer: String,

    /// Where the issuer's keys (JWK set) are. Example: https://login.example.com/realms/acme/protocol/openid-connect/certs.
    /// Default: found by OpenID Connect discovery, at ISSUER/.well-known/openid-configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 512))]
    #[x_kube(validation = Rule::new("self.startsWith('https://')").message("jwksUri must be an https URL"))]
    pub jwks_uri: Option<String>,

    /// Accepted values of `aud`; a token must hold one of them. Some identity providers put a client or project id there.
    /// Example: [https://mcp.example.com/mcp]. Default: the publicUrl alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub audiences: Vec<String>,

    /// Certificates (PEM) to trust for this issuer instead of the system's: an issuer with a private CA. Default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<ConfigMapKeyRef>,
}

/// A key of a ConfigMap in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap, in the namespace of the McpServer. Example: corporate-ca.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("caConfigMapRef.name must be the name of a ConfigMap: a-z, 0-9, '-' and '.'"))]
    pub name: String,

    /// Key in it. Default: ca.crt.
    #[serde(default = "ca_crt")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$') && !self.startsWith('..') && self != '.'")
        .message("caConfigMapRef.key must be a key of a ConfigMap: letters, digits, '-', '_' and '.'"))]
    pub key: String,
}

fn ca_crt() -> String {
    "ca.crt".to_owned()
}
