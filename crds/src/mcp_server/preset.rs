//! Issuer presets: which claims mean what on each provider. The one place that knows providers by name.
//!
//! Source: auth.md sections 3, 10 and 11. A preset says nothing about audiences: what a provider writes there is each
//! user's own setting, and the page of the provider under `docs/identity` says how to make it issue one.

use super::{Deserialize, JsonSchema, Serialize};
use crate::gateway_config::{ClaimCondition, ClaimTest, TokenRules, TokenType};

// The text is the manual of the field: for an optional enum the schema takes it from here.
/// The provider that the issuer runs on: which claims mean scopes, client, tenant, groups, and how a program is told from a person.
/// Every field beside it overrides its part. Example: keycloak. Default: plain OAuth, which reads scope or scp, azp or client_id, and groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Descope, a resource of type MCP server: scopes in scope.
    DescopeMcp,
    /// Descope, sessions of users and access keys: permissions of the current tenant, else of the project.
    DescopeSession,
    /// Keycloak: scopes in scope, service accounts are workloads.
    Keycloak,
    /// Auth0: scopes in scope; set scopeClaims: [permissions] for RBAC permissions instead.
    Auth0,
    /// Microsoft Entra ID v2: scopes in scp, app roles in roles for app-only tokens, which are workloads.
    Entra,
    /// Okta, a custom authorization server: scopes in scp, the client in cid.
    Okta,
    /// Dex: no scopes of its own; map groups with scopeMappings.
    Dex,
    /// ServiceAccount tokens of this cluster: no scopes of their own; map sub with scopeMappings.
    Kubernetes,
    /// The JWT profile of RFC 9068: typ must be at+jwt, scopes in scope.
    Rfc9068,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 9] = [
        Self::DescopeMcp,
        Self::DescopeSession,
        Self::Keycloak,
        Self::Auth0,
        Self::Entra,
        Self::Okta,
        Self::Dex,
        Self::Kubernetes,
        Self::Rfc9068,
    ];

    /// What tokens of the provider must look like, and what their claims mean.
    pub fn rules(self) -> TokenRules {
        match self {
            Self::DescopeMcp => TokenRules {
                scope_claims: paths(&["scope"]),
                client_claims: paths(&["azp"]),
                tenant_claims: paths(&["dct"]),
                groups_claims: Vec::new(),
                workloads: vec![same_as("azp")],
                ..TokenRules::default()
            },
            Self::DescopeSession => TokenRules {
                scope_claims: paths(&["tenants.{dct}.permissions", "permissions"]),
                client_claims: paths(&["azp"]),
                tenant_claims: paths(&["dct"]),
                groups_claims: paths(&["tenants.{dct}.roles", "roles"]),
                // Ids of access keys begin so, those of users with U.
                workloads: vec![when("sub", ClaimTest::Prefix("K2".to_owned()))],
                ..TokenRules::default()
            },
            Self::Keycloak => TokenRules {
                scope_claims: paths(&["scope"]),
                client_claims: paths(&["azp"]),
                workloads: vec![when("preferred_username", ClaimTest::Prefix("service-account-".to_owned()))],
                ..TokenRules::default()
            },
            Self::Auth0 => TokenRules {
                scope_claims: paths(&["scope"]),
                tenant_claims: paths(&["org_id"]),
                groups_claims: Vec::new(),
                // The dialect of RFC 9068 has no `gty`; in both the subject of a program is `CLIENT@clients`.
                workloads: vec![
                    when("gty", ClaimTest::Equals("client-credentials".to_owned())),
                    when("sub", ClaimTest::Suffix("@clients".to_owned())),
                ],
                ..TokenRules::default()
            },
            Self::Entra => TokenRules {
                scope_claims: paths(&["scp", "roles"]),
                client_claims: paths(&["azp", "appid"]),
                tenant_claims: paths(&["tid"]),
                // `idtyp` must be switched on; without it an app-only token is known by having no delegated scope.
                workloads: vec![when("idtyp", ClaimTest::Equals("app".to_owned())), when("scp", ClaimTest::Absent)],
                ..TokenRules::default()
            },
            Self::Okta => TokenRules {
                scope_claims: paths(&["scp"]),
                client_claims: paths(&["cid"]),
                workloads: vec![same_as("cid")],
                ..TokenRules::default()
            },
            Self::Dex => TokenRules {
                scope_claims: Vec::new(),
                client_claims: paths(&["azp"]),
                workloads: Vec::new(),
                ..TokenRules::default()
            },
            Self::Kubernetes => TokenRules {
                scope_claims: Vec::new(),
                client_claims: Vec::new(),
                tenant_claims: paths(&["kubernetes\\.io.namespace"]),
                groups_claims: Vec::new(),
                workloads: vec![when("sub", ClaimTest::Prefix("system:serviceaccount:".to_owned()))],
                ..TokenRules::default()
            },
            Self::Rfc9068 => TokenRules {
                token_type: TokenType::AccessToken,
                scope_claims: paths(&["scope"]),
                client_claims: paths(&["client_id"]),
                workloads: vec![same_as("client_id")],
                ..TokenRules::default()
            },
        }
    }
}

fn paths(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

fn when(claim_path: &str, test: ClaimTest) -> ClaimCondition {
    ClaimCondition { claim_path: claim_path.to_owned(), test }
}

/// The subject is the client: it acts for itself.
fn same_as(client_claim: &str) -> ClaimCondition {
    when("sub", ClaimTest::EqualsClaim(client_claim.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim_path::ClaimPath;

    #[test]
    fn every_preset_is_written_as_the_documents_spell_it() {
        let names = Preset::ALL.map(|preset| serde_json::to_value(preset).unwrap());
        let expected =
            ["descope-mcp", "descope-session", "keycloak", "auth0", "entra", "okta", "dex", "kubernetes", "rfc9068"];
        assert_eq!(names.to_vec(), expected);
    }

    #[test]
    fn every_path_of_a_preset_is_a_path() {
        for preset in Preset::ALL {
            let rules = preset.rules();
            let conditions = rules.workloads.iter().map(|rule| &rule.claim_path);
            let claims =
                [&rules.scope_claims, &rules.client_claims, &rules.tenant_claims, &rules.groups_claims].into_iter();
            for path in claims.flatten().chain(conditions) {
                assert!(ClaimPath::parse(path).is_ok(), "{preset:?}: {path}");
            }
        }
    }
}
