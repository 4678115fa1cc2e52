//! `spec.auth.issuers[]`: one issuer, where its keys are, and what its tokens say.
//!
//! A preset fills in whatever is left out: [`super::preset`].

use super::{
    ClaimMatch, ConfigMapKeyRef, Deserialize, JsonSchema, KubeSchema, Preset, ScopeMapping, Serialize, WorkloadRule,
};

/// One issuer of access tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.issuer.startsWith('https://') || has(self.jwksUri)")
    .message("jwksUri is required when issuer is not an https URL: there is nothing to discover the keys from"))]
#[x_kube(validation = Rule::new("!has(self.preset) || self.preset != 'kubernetes' || (!has(self.jwksUri) && !has(self.caConfigMapRef))")
    .message("preset kubernetes takes neither jwksUri nor caConfigMapRef: the operator itself asks the API server for the keys; remove them"))]
#[x_kube(validation = Rule::new("!has(self.preset) || self.preset != 'kubernetes' || has(self.scopeMappings)")
    .message("preset kubernetes needs scopeMappings: a ServiceAccount token carries no scopes; map sub, for example [{claimPath: sub, equals: 'system:serviceaccount:team-a:agent', grantScopes: ['tools:ping']}], or write [] if no tool needs a scope"))]
pub struct Issuer {
    /// The exact `iss` of its tokens, compared byte for byte, a trailing slash included. An https URL, or any other string together
    /// with jwksUri. Example: https://login.example.com/realms/acme.
    #[schemars(length(min = 1, max = 512))]
    pub issuer: String,

    /// See [`Preset`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,

    /// Where the issuer's keys (JWK set) are. Example: https://login.example.com/realms/acme/protocol/openid-connect/certs.
    /// Default: found by OpenID Connect discovery, at ISSUER/.well-known/openid-configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 512))]
    #[x_kube(validation = Rule::new("self.startsWith('https://')").message("jwksUri must be an https URL"))]
    pub jwks_uri: Option<String>,

    /// Certificates (PEM) to trust for this issuer instead of the system's: an issuer with a private CA. Default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<ConfigMapKeyRef>,

    /// Whether the issuer's keys may be fetched from a private address (RFC 1918, 100.64.0.0/10, 198.18.0.0/15, ULA): an issuer inside your network or
    /// cluster. The operator can deny it for all. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_private_addresses: Option<bool>,

    /// Accepted values of `aud`; a token must hold one of them. Some identity providers put a client or project id there.
    /// Example: [https://mcp.example.com/mcp]. Default: the publicUrl alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub audiences: Vec<String>,

    /// Accepted signature algorithms. Example: [RS256, PS256]. Default: [RS256, ES256].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4), extend("x-kubernetes-list-type" = "set"))]
    pub algorithms: Option<Vec<Algorithm>>,

    /// See [`TokenType`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<TokenType>,

    /// Claims that every token must hold, all of them. Example: [{ claimPath: email_verified, equals: "true" }]. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub required_claims: Vec<ClaimMatch>,

    /// Claims that scopes are read from, a string with spaces or a list: the first that a token has counts alone, claims are never merged.
    /// Names of members with dots between, `\.` for a dot in a name, {claim} for the value of a claim. [] reads none.
    /// Example: ["tenants.{dct}.permissions", permissions]. Default: by preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "atomic"))]
    pub scope_claims: Option<Vec<String>>,

    /// Scopes for callers by other claims, such as groups or sub, beside those of scopeClaims.
    /// Example: [{ claimPath: groups, equals: ops, grantScopes: ["tools:echo"] }]. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub scope_mappings: Option<Vec<ScopeMapping>>,

    /// Claims that name the client, paths as in scopeClaims; the first that a token has counts. Example: [azp, client_id]. Default: by preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "atomic"))]
    pub client_claims: Option<Vec<String>>,

    /// The only clients that may call, by the value of clientClaims. Example: [claude-code, ci]. Default: any client that gets a token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub allowed_clients: Vec<String>,

    /// Claims that name the tenant, paths as in scopeClaims; the first that a token has counts. Example: [org_id]. Default: by preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "atomic"))]
    pub tenant_claims: Option<Vec<String>>,

    /// Claims that hold groups, a text or a list of texts, paths as in scopeClaims; the first that a token has counts.
    /// Example: [realm_access.roles]. Default: by preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "atomic"))]
    pub groups_claims: Option<Vec<String>>,

    /// How a program that acts for itself is told from a person: it is a workload when one of these holds. [] makes everybody a human.
    /// Example: [{ claimPath: gty, equals: client-credentials }]. Default: by preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub workloads: Option<Vec<WorkloadRule>>,

    /// The claim that names a workload, where the issuer writes no sub for it; a path as in scopeClaims. Make sure that no person has such a
    /// sub: rules and sessions know callers by issuer and subject. Example: azp. Default: sub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub workload_subject_claim: Option<String>,

    /// How far the clocks of issuer and pods may be apart, in seconds. Example: 5. Default: 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 60))]
    pub leeway_seconds: Option<i32>,

    /// The longest that a token may be valid, in seconds; a longer one is refused. Example: 3600. Default: 86400, one day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 604_800))]
    pub max_token_lifetime_seconds: Option<i32>,

    /// How long the last good keys serve while the issuer cannot be reached, in seconds; beside preset kubernetes 43200 at least.
    /// Example: 43200. Default: 86400, one day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 604_800))]
    pub max_key_age_seconds: Option<i32>,
}

/// A signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// RSA (PKCS #1 v1.5) with SHA-256.
    RS256,
    /// ECDSA with P-256 and SHA-256.
    ES256,
    /// RSA-PSS with SHA-256.
    PS256,
    /// Ed25519.
    EdDSA,
}

// The text is the manual of the field: for an optional enum the schema takes it from here.
/// What the `typ` of a token's header must be. Any: JWT, at+jwt, or none. AccessToken: at+jwt (RFC 9068), so that no other token of
/// the issuer passes. Default: Any; preset rfc9068: AccessToken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TokenType {
    /// JWT, at+jwt, or none.
    Any,
    /// at+jwt.
    AccessToken,
}
