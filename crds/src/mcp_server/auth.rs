//! `spec.auth`: whose tokens are accepted.

use super::{Deserialize, Issuer, JsonSchema, KubeSchema, Serialize};

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
#[x_kube(validation = Rule::new("!has(self.issuerMetadataMirror) || !self.issuerMetadataMirror || (has(self.issuers) && size(self.issuers) == 1 && !has(self.issuers[0].jwksUri) && self.issuers[0].issuer.startsWith('https://') && (!has(self.issuers[0].preset) || self.issuers[0].preset != 'kubernetes'))")
    .message("auth.issuerMetadataMirror needs exactly one issuer, an https URL without jwksUri and not of preset kubernetes: there is one document to mirror, and discovery is where it comes from"))]
#[x_kube(validation = Rule::new("self.mode != 'None' || !has(self.rootMetadata) || !self.rootMetadata")
    .message("auth.rootMetadata would be ignored with auth.mode None, under which there is no metadata; remove it"))]
pub struct Auth {
    /// OAuth: every request needs an access token (JWT) of one of the issuers. None: everybody is served as `anonymous`;
    /// takes insecureAllowUnauthenticated: true as well. Default: OAuth.
    #[serde(default)]
    pub mode: AuthMode,

    /// Second half of running open; see mode. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure_allow_unauthenticated: Option<bool>,

    /// The issuers whose tokens are accepted. A token names its issuer, and only that issuer's keys are tried.
    /// Clients are told of them in this order, and most go to the first.
    /// Example: [{ issuer: https://login.example.com/realms/acme, preset: keycloak }].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["issuer"]))]
    pub issuers: Vec<Issuer>,

    /// Serve the resource metadata (RFC 9728) at the host's root as well, for clients that do not look under the endpoint's path. Only one
    /// McpServer of a host can. It names publicUrl as resource, which strict clients refuse there. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_metadata: Option<bool>,

    /// Serve the issuer's own metadata, unchanged, at /.well-known/oauth-authorization-server of the endpoint's host: clients of protocol
    /// revision 2025-03-26 look for it there. Only one McpServer of a host can. Needs exactly one issuer, found by discovery. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_metadata_mirror: Option<bool>,
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
