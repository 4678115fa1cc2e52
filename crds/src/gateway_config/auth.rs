//! Who may call: the issuers, and what a token of each must look like.
//!
//! The operator resolves presets and defaults: what stands here is complete, and the server knows no provider by name.

use serde::{Deserialize, Serialize};

/// Default of [`TokenRules::leeway_seconds`].
pub const LEEWAY_SECONDS: u32 = 30;

/// The largest [`TokenRules::leeway_seconds`]. Source: auth.md section 4, "times".
pub const MAX_LEEWAY_SECONDS: u32 = 60;

/// Default of [`TokenRules::max_token_lifetime_seconds`], and of [`IssuerConfig::max_key_age_seconds`]: one day.
pub const DAY_SECONDS: u32 = 86_400;

/// The largest of both. Chosen: a key or token older than a week is no longer anybody's intention.
pub const MAX_AGE_SECONDS: u32 = 604_800;

/// Who may call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthConfig {
    /// How callers prove who they are.
    pub mode: AuthMode,
    /// Must be true for [`AuthMode::None`] and false otherwise: running open takes two fields.
    #[serde(default)]
    pub insecure_allow_unauthenticated: bool,
    /// At least one for [`AuthMode::OAuth`], none otherwise. `issuer` is unique. In the order in which clients are told of them.
    #[serde(default)]
    pub issuers: Vec<IssuerConfig>,
    /// Whether the resource metadata is served without the endpoint's path too, for clients that look nowhere else.
    #[serde(default)]
    pub root_metadata: bool,
    /// Whether the issuer's own metadata is served under the endpoint's host, for clients of 2025-03-26. Needs exactly
    /// one issuer, found by discovery.
    #[serde(default)]
    pub issuer_metadata_mirror: bool,
}

/// How callers prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthMode {
    /// Access tokens (JWT) from one of the issuers.
    OAuth,
    /// Everyone is the principal `anonymous`.
    None,
}

/// One issuer of access tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerConfig {
    /// The exact `iss` of its tokens; compared byte for byte.
    pub issuer: String,
    /// Where its keys are. `None`: found by OpenID Connect discovery under `issuer`, unless `jwks_file` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Path of a mounted [`KeyFile`] that is read again and again. Excludes `jwks_uri`, `ca_file` and every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<String>,
    /// Accepted values of `aud`; never empty. Sorted.
    pub audiences: Vec<String>,
    /// Path of a mounted PEM bundle to trust for this issuer instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Whether its keys may be fetched from a private address; counts only where the whole gateway allows them.
    #[serde(default)]
    pub allow_private_addresses: bool,
    /// How long the last good keys serve while there are no new ones.
    #[serde(default = "day")]
    pub max_key_age_seconds: u32,
    /// What its tokens must look like, and what their claims mean.
    #[serde(default)]
    pub tokens: TokenRules,
}

/// What tokens of one issuer must look like, and what their claims mean. The default is plain OAuth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TokenRules {
    /// Accepted signature algorithms; never empty. Sorted.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// What the header's `typ` must be.
    pub token_type: TokenType,
    /// How far clocks may be apart; at most [`MAX_LEEWAY_SECONDS`].
    pub leeway_seconds: u32,
    /// How long a token may be valid.
    pub max_token_lifetime_seconds: u32,
    /// All must hold. Claim conditions are never [`ClaimTest::Absent`] here. Sorted.
    pub required_claims: Vec<ClaimCondition>,
    /// Claim paths of the authorization claim: the first that is present wins, and claims are never merged.
    pub scope_claims: Vec<String>,
    /// What callers get beside it, by other claims. Sorted.
    pub scope_mappings: Vec<ScopeMapping>,
    /// Claim paths of the client's id: the first that is present wins.
    pub client_claims: Vec<String>,
    /// The only clients that may call. Empty: any. Sorted.
    pub allowed_clients: Vec<String>,
    /// Claim paths of the tenant: the first that is present wins.
    pub tenant_claims: Vec<String>,
    /// Claim paths of the groups, a string or an array of strings: the first that is present wins.
    pub groups_claims: Vec<String>,
    /// A caller for whom one of these holds is a workload, every other is a human. Sorted.
    pub workloads: Vec<ClaimCondition>,
    /// Claim path of a workload's subject instead of `sub`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_subject_claim: Option<String>,
}

/// A signature algorithm that can be enabled. There is no member for `none` or a symmetric one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// ECDSA with P-256 and SHA-256.
    ES256,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// Ed25519.
    EdDSA,
}

/// What the header's `typ` must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenType {
    /// `JWT`, `at+jwt`, `application/at+jwt`, or not there.
    Any,
    /// `at+jwt` (RFC 9068), also written `application/at+jwt`.
    AccessToken,
}

/// A claim and what must hold for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimCondition {
    /// See [`crate::claim_path`].
    pub claim_path: String,
    /// What must hold.
    pub test: ClaimTest,
}

/// What must hold for a claim. One text of a list is enough; `true`, `false` and integers count as their text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClaimTest {
    /// It is this text.
    Equals(String),
    /// It begins with this text.
    Prefix(String),
    /// It ends with this text.
    Suffix(String),
    /// It is one of these texts. Sorted.
    In(Vec<String>),
    /// It is a text, and the same as the claim at this path.
    EqualsClaim(String),
    /// It is not there.
    Absent,
}

/// Scopes for callers whose claim has a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScopeMapping {
    /// When they are granted.
    pub when: ClaimCondition,
    /// What is granted. Sorted, never empty.
    pub grant_scopes: Vec<String>,
}

/// Keys that the operator fetched for the gateway, as a mounted file: the content of [`IssuerConfig::jwks_file`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyFile {
    /// When the keys were fetched, in seconds since 1970.
    pub fetched_at: i64,
    /// The JSON Web Key Set, as the issuer publishes it.
    pub jwks: serde_json::Value,
}

impl IssuerConfig {
    /// An issuer that is found by discovery, whose tokens are plain OAuth.
    pub fn new(issuer: impl Into<String>, audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            issuer: issuer.into(),
            jwks_uri: None,
            jwks_file: None,
            audiences: audiences.into_iter().map(Into::into).collect(),
            ca_file: None,
            allow_private_addresses: false,
            max_key_age_seconds: day(),
            tokens: TokenRules::default(),
        }
    }
}

impl AuthConfig {
    /// Access tokens of these issuers.
    pub fn oauth(issuers: Vec<IssuerConfig>) -> Self {
        Self {
            mode: AuthMode::OAuth,
            insecure_allow_unauthenticated: false,
            issuers,
            root_metadata: false,
            issuer_metadata_mirror: false,
        }
    }

    /// Everybody.
    pub fn open() -> Self {
        Self { mode: AuthMode::None, insecure_allow_unauthenticated: true, ..Self::oauth(Vec::new()) }
    }
}

impl Default for TokenRules {
    fn default() -> Self {
        let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        Self {
            algorithms: vec![SignatureAlgorithm::RS256, SignatureAlgorithm::ES256],
            token_type: TokenType::Any,
            leeway_seconds: LEEWAY_SECONDS,
            max_token_lifetime_seconds: DAY_SECONDS,
            required_claims: Vec::new(),
            scope_claims: paths(&["scope", "scp"]),
            scope_mappings: Vec::new(),
            client_claims: paths(&["azp", "client_id"]),
            allowed_clients: Vec::new(),
            tenant_claims: Vec::new(),
            groups_claims: paths(&["groups"]),
            // RFC 9068 section 2.2: without a resource owner the subject is the client.
            workloads: ["azp", "client_id"]
                .map(|client| ClaimCondition {
                    claim_path: "sub".to_owned(),
                    test: ClaimTest::EqualsClaim(client.to_owned()),
                })
                .into(),
            workload_subject_claim: None,
        }
    }
}

fn day() -> u32 {
    DAY_SECONDS
}
