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

    /// Rules in order. Example: [{ tools: ["search__*"], scopes: ["search:read"] }]. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub rules: Vec<AuthorizationRule>,
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

/// One rule: these tools need all of these scopes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
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
}
