//! `spec.authorization`: which tools a caller may see and call.

use super::{Deserialize, JsonSchema, KubeSchema, Serialize};

/// Which tools a caller may see and call. The first rule whose glob matches a tool decides alone; then the built-in
/// tools' own rules (ping: scope tools:ping, echo: scope tools:echo, `health_check`: any valid token); then default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// What holds for a tool that no rule names. Deny: it is hidden, as if it did not exist. Authenticated: any valid token may
    /// call it. Default: Deny.
    #[serde(default)]
    pub default: AuthorizationDefault,

    /// Rules in order. The first whose tools match decides alone, and takes the place of the tool's own rule: one for ping without scopes
    /// lets in every valid token that meets its other conditions. Example: [{ tools: ["search__*"], scopes: ["search:read"] }]. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub rules: Vec<AuthorizationRule>,

    /// Scopes that stand for others: who has scope has everything in implies too, and what that implies. There are no wildcards.
    /// Example: [{ scope: "tools:generate", implies: ["tools:ping"] }]. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["scope"]))]
    pub scope_implications: Vec<ScopeImplication>,
}

/// What holds for a tool that no rule names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AuthorizationDefault {
    /// Hidden.
    #[default]
    Deny,
    /// Any valid token may call it.
    Authenticated,
}

/// One rule: who may use these tools. All of its conditions must hold; one that is left out always does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationRule {
    /// Names of tools as clients see them; `*` stands for any run of characters. Example: ["echo", "search__*"].
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(t, t.matches('^[A-Za-z0-9_.*-]+$'))")
        .message("authorization.rules[].tools must hold tool names: letters, digits, '_', '.', '-', and '*' for any run of characters"))]
    pub tools: Vec<String>,

    /// The scopes that a token needs, all of them. Example: ["search:read"]. Default: none, any valid token may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(s, s.matches('^[!#-\\\\[\\\\]-~]+$'))")
        .message("authorization.rules[].scopes must hold OAuth scopes (RFC 6749): printable ASCII without space, quote and backslash"))]
    pub scopes: Vec<String>,

    /// Whether people or programs may call; see auth.issuers[].workloads for how they are told apart. Example: [Human]. Default: both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2), extend("x-kubernetes-list-type" = "set"))]
    pub principal_kinds: Vec<PrincipalKind>,

    /// The only callers, by issuer and subject. Example: [{ issuer: "https://login.example.com/realms/acme", subject: "8f14e45f" }].
    /// Default: anybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub principals: Vec<PrincipalRef>,

    /// The caller must be in one of these groups; see auth.issuers[].groupsClaims. Example: [ops]. Default: any or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub groups: Vec<String>,

    /// The caller must act for one of these tenants; see auth.issuers[].tenantClaims. Example: [acme]. Default: any or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub tenants: Vec<String>,

    /// What a caller sees for whom the rule does not hold. Show: the tools are listed, a call is refused with 403, which names the scopes
    /// where a scope is missing. Hide: the tools do not exist. Default: Show.
    #[serde(default)]
    pub visibility: Visibility,
}

/// What a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PrincipalKind {
    /// A person, through whatever client.
    Human,
    /// A program that acts for itself.
    Workload,
}

/// One caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrincipalRef {
    /// `iss` of its tokens, as in auth.issuers. Example: https://login.example.com/realms/acme.
    #[schemars(length(min = 1, max = 512))]
    pub issuer: String,

    /// `sub` of its tokens, or what auth.issuers[].workloadSubjectClaim names instead. Example: system:serviceaccount:team-a:agent.
    #[schemars(length(min = 1, max = 512))]
    pub subject: String,
}

/// What a caller sees of a tool that it may not use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Visibility {
    /// Listed; a call is refused with 403.
    #[default]
    Show,
    /// As if it did not exist.
    Hide,
}

/// A scope that stands for others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScopeImplication {
    /// Who has this scope. Example: "tools:generate".
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[!#-\\\\[\\\\]-~]+$')")
        .message("authorization.scopeImplications[].scope must be an OAuth scope (RFC 6749): printable ASCII without space, quote and backslash"))]
    pub scope: String,

    /// Has these too. Example: ["tools:ping", "tools:echo"].
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(s, s.matches('^[!#-\\\\[\\\\]-~]+$'))")
        .message("authorization.scopeImplications[].implies must hold OAuth scopes (RFC 6749): printable ASCII without space, quote and backslash"))]
    pub implies: Vec<String>,
}
