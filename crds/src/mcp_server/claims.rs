//! Conditions over the claims of a token, as `spec.auth.issuers[]` states them.

use super::{Deserialize, KubeSchema, Serialize};

/// A claim and its value: exactly one of equals, prefix and in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.equals), has(self.prefix), has(self.__in__)].filter(x, x).size() == 1")
    .message("set exactly one of equals, prefix and in"))]
pub struct ClaimMatch {
    /// Where the claim is: member names with dots between, `\.` for a dot in a name, {claim} for the value of a claim.
    /// Example: realm_access.roles.
    #[schemars(length(min = 1, max = 256))]
    pub claim_path: String,

    /// It is this text; of a list, one entry is. Numbers and booleans count as their text. Example: "true". Default: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub equals: Option<String>,

    /// It begins with this text; of a list, one entry does. Example: "team-". Default: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub prefix: Option<String>,

    /// It is one of these texts; of a list, one entry is. Example: [ops, dev]. Default: not asked.
    #[serde(rename = "in", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub one_of: Option<Vec<String>>,
}

/// Scopes for callers whose claim has a value: exactly one of equals, prefix and in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.equals), has(self.prefix), has(self.__in__)].filter(x, x).size() == 1")
    .message("set exactly one of equals, prefix and in"))]
pub struct ScopeMapping {
    /// Where the claim is: member names with dots between, `\.` for a dot in a name, {claim} for the value of a claim. Example: groups.
    #[schemars(length(min = 1, max = 256))]
    pub claim_path: String,

    /// It is this text; of a list, one entry is. Example: "system:serviceaccount:team-a:agent". Default: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub equals: Option<String>,

    /// It begins with this text; of a list, one entry does. End it with the separator: "system:serviceaccount:team-a:", since without the
    /// colon team-ab is meant too. Default: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub prefix: Option<String>,

    /// It is one of these texts; of a list, one entry is. Example: [ops, dev]. Default: not asked.
    #[serde(rename = "in", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub one_of: Option<Vec<String>>,

    /// What the caller gets. Example: ["tools:ping"].
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(s, s.matches('^[!#-\\\\[\\\\]-~]+$'))")
        .message("grantScopes must hold OAuth scopes (RFC 6749): printable ASCII without space, quote and backslash"))]
    pub grant_scopes: Vec<String>,
}

/// What makes a caller a workload: exactly one of equals, prefix, suffix, in, equalsClaim and absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.equals), has(self.prefix), has(self.suffix), has(self.__in__), has(self.equalsClaim), has(self.absent)].filter(x, x).size() == 1")
    .message("set exactly one of equals, prefix, suffix, in, equalsClaim and absent"))]
#[x_kube(validation = Rule::new("!has(self.absent) || self.absent")
    .message("absent can only be true; remove it, or use another condition"))]
pub struct WorkloadRule {
    /// Where the claim is: member names with dots between, `\.` for a dot in a name, {claim} for the value of a claim. Example: gty.
    #[schemars(length(min = 1, max = 256))]
    pub claim_path: String,

    /// It is this text; of a list, one entry is. Example: client-credentials. Default: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub equals: Option<String>,

    /// It begins with this text; of a list, one entry does. Example: service-account-. Default: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub prefix: Option<String>,

    /// It ends with this text; of a list, one entry does. Example: "@clients". Default: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub suffix: Option<String>,

    /// It is one of these texts; of a list, one entry is. Example: [app, service]. Default: not asked.
    #[serde(rename = "in", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub one_of: Option<Vec<String>>,

    /// It is the same text as this other claim. Example: client_id. Default: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub equals_claim: Option<String>,

    /// The token does not have it. Example: true. Default: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<bool>,
}
