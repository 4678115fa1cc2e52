//! Who may do what: the part of the policy that decides.

use serde::{Deserialize, Serialize};

/// Who may do what. The first rule whose glob matches decides alone, then the built-ins' own rules,
/// then `default`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorizationPolicy {
    /// What happens to a tool that no rule names.
    pub default: AuthorizationDefault,
    /// In order: the first whose glob matches decides.
    #[serde(default)]
    pub rules: Vec<AuthorizationRule>,
    /// Which scope stands for others. Sorted by `scope`, which is unique.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope_implications: Vec<ScopeImplication>,
}

/// What happens to a tool that no rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthorizationDefault {
    /// It is hidden: absent from lists, unknown when called.
    Deny,
    /// Any valid token may call it.
    Authenticated,
}

/// One rule: who may use these tools. All of its conditions must hold; one that is empty always does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorizationRule {
    /// Globs over public tool names; `*` stands for any run of characters. Never empty.
    pub tools: Vec<String>,
    /// The scopes that a token must have, all of them.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The caller is one of these kinds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub principal_kinds: Vec<PrincipalKind>,
    /// The caller is one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<PrincipalRef>,
    /// The caller is in one of these groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The caller acts for one of these tenants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// What a caller sees for whom it does not hold.
    #[serde(default, skip_serializing_if = "is_show")]
    pub visibility: Visibility,
}

/// What a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PrincipalKind {
    /// A person, through whatever client.
    Human,
    /// A program that acts for itself.
    Workload,
}

/// One caller: neither member is an identity alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrincipalRef {
    /// `iss`, byte for byte.
    pub issuer: String,
    /// `sub`, byte for byte.
    pub subject: String,
}

/// What a caller sees of a tool that it may not use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Visibility {
    /// It is listed, and a call is refused with 403 and the scopes that it takes.
    #[default]
    Show,
    /// It does not exist.
    Hide,
}

/// One scope that stands for others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScopeImplication {
    /// Who has this,
    pub scope: String,
    /// has these too, and what they imply. Sorted.
    pub implies: Vec<String>,
}

impl AuthorizationPolicy {
    /// These rules, and this for the rest.
    pub fn new(default: AuthorizationDefault, rules: Vec<AuthorizationRule>) -> Self {
        Self { default, rules, scope_implications: Vec::new() }
    }
}

impl AuthorizationRule {
    /// Whoever has all of `scopes` may use `tools`.
    pub fn scopes(
        tools: impl IntoIterator<Item = impl Into<String>>,
        scopes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            tools: tools.into_iter().map(Into::into).collect(),
            scopes: scopes.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_show(visibility: &Visibility) -> bool {
    *visibility == Visibility::Show
}
