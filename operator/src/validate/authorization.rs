//! `spec.authorization`, as the policy has it.
//!
//! Rules keep their order, the first that matches decides; inside a rule order means nothing.

use std::collections::BTreeSet;

use crds::{
    gateway_config::{
        AuthorizationDefault, AuthorizationPolicy, AuthorizationRule, PrincipalKind, PrincipalRef, ScopeImplication,
        Visibility,
    },
    mcp_server::{self, Auth, Authorization},
    scope::is_scope_token,
};

use super::{Checked, Invalid, files::sorted};

/// The policy. A rule for a caller of an issuer that is not there can never hold, whatever its writer meant.
pub(super) fn authorization(authorization: &Authorization, auth: &Auth) -> Checked<AuthorizationPolicy> {
    // Without `..`: a new field does not compile until somebody writes it into the policy.
    let Authorization { default, rules, scope_implications } = authorization;
    let issuers: BTreeSet<&str> = auth.issuers.iter().map(|issuer| issuer.issuer.as_str()).collect();
    let unknown = rules.iter().enumerate().flat_map(|(index, rule)| unknown_issuers(index, rule, &issuers));
    let invalid: Vec<Invalid> = unknown.chain(no_scopes(scope_implications)).collect();
    if !invalid.is_empty() {
        return Err(invalid);
    }
    Ok(AuthorizationPolicy {
        default: match default {
            mcp_server::AuthorizationDefault::Deny => AuthorizationDefault::Deny,
            mcp_server::AuthorizationDefault::Authenticated => AuthorizationDefault::Authenticated,
        },
        rules: rules.iter().map(rule).collect(),
        scope_implications: sorted(scope_implications.iter().map(scope_implication).collect()),
    })
}

fn unknown_issuers(index: usize, rule: &mcp_server::AuthorizationRule, issuers: &BTreeSet<&str>) -> Vec<Invalid> {
    let principals = rule.principals.iter().enumerate();
    let unknown = principals.filter(|(_, principal)| !issuers.contains(principal.issuer.as_str()));
    let refused = unknown.map(|(principal_index, principal)| {
        Invalid::spec(
            format!("spec.authorization.rules[{index}].principals[{principal_index}].issuer"),
            format!("`{}` is no issuer of spec.auth.issuers, so that the rule could never hold", principal.issuer),
            "write it byte for byte as in spec.auth.issuers, or add the issuer there",
        )
    });
    refused.collect()
}

/// A rule of CEL too: with such a policy no pod would start, and those that run would keep the policy of before.
fn no_scopes(implications: &[mcp_server::ScopeImplication]) -> impl Iterator<Item = Invalid> {
    let wrong = implications.iter().enumerate();
    let wrong =
        wrong.filter(move |(_, one)| !one.implies.iter().chain([&one.scope]).all(|scope| is_scope_token(scope)));
    wrong.map(|(index, _)| {
        Invalid::spec(
            format!("spec.authorization.scopeImplications[{index}]"),
            "holds something that is no OAuth scope",
            "write scopes of printable ASCII without space, quote and backslash",
        )
    })
}

fn rule(rule: &mcp_server::AuthorizationRule) -> AuthorizationRule {
    let mcp_server::AuthorizationRule { tools, scopes, principal_kinds, principals, groups, tenants, visibility } =
        rule.clone();
    AuthorizationRule {
        tools: sorted(tools),
        scopes: sorted(scopes),
        principal_kinds: sorted(principal_kinds.into_iter().map(principal_kind).collect()),
        principals: sorted(principals.into_iter().map(principal).collect()),
        groups: sorted(groups),
        tenants: sorted(tenants),
        visibility: match visibility {
            mcp_server::Visibility::Show => Visibility::Show,
            mcp_server::Visibility::Hide => Visibility::Hide,
        },
    }
}

fn principal_kind(kind: mcp_server::PrincipalKind) -> PrincipalKind {
    match kind {
        mcp_server::PrincipalKind::Human => PrincipalKind::Human,
        mcp_server::PrincipalKind::Workload => PrincipalKind::Workload,
    }
}

fn principal(principal: mcp_server::PrincipalRef) -> PrincipalRef {
    let mcp_server::PrincipalRef { issuer, subject } = principal;
    PrincipalRef { issuer, subject }
}

fn scope_implication(implication: &mcp_server::ScopeImplication) -> ScopeImplication {
    let mcp_server::ScopeImplication { scope, implies } = implication.clone();
    ScopeImplication { scope, implies: sorted(implies) }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::{
        observed::Observed,
        validate::{
            tests::{check, mcp_server, settings},
            validate,
        },
    };

    #[test]
    fn every_condition_of_a_rule_is_in_the_policy_and_sorted() {
        let spec = "{
            auth: { issuers: [{ issuer: https://login }] },
            authorization: {
                default: Authenticated,
                rules: [
                    {
                        tools: [wiki__*, echo], scopes: [b, a], principalKinds: [Workload, Human], groups: [ops, dev],
                        principals: [{ issuer: https://login, subject: z }, { issuer: https://login, subject: a }],
                        tenants: [globex, acme], visibility: Hide,
                    },
                    { tools: [a] },
                ],
                scopeImplications: [{ scope: z, implies: [c, b] }, { scope: a, implies: [z] }],
            },
        }";
        let valid = validate(&mcp_server(spec), &Observed::default(), &settings()).unwrap();
        expect![[r#"
            {
              "default": "Authenticated",
              "rules": [
                {
                  "tools": [
                    "echo",
                    "wiki__*"
                  ],
                  "scopes": [
                    "a",
                    "b"
                  ],
                  "principalKinds": [
                    "Human",
                    "Workload"
                  ],
                  "principals": [
                    {
                      "issuer": "https://login",
                      "subject": "a"
                    },
                    {
                      "issuer": "https://login",
                      "subject": "z"
                    }
                  ],
                  "groups": [
                    "dev",
                    "ops"
                  ],
                  "tenants": [
                    "acme",
                    "globex"
                  ],
                  "visibility": "Hide"
                },
                {
                  "tools": [
                    "a"
                  ],
                  "scopes": []
                }
              ],
              "scopeImplications": [
                {
                  "scope": "a",
                  "implies": [
                    "z"
                  ]
                },
                {
                  "scope": "z",
                  "implies": [
                    "b",
                    "c"
                  ]
                }
              ]
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&valid.policy.authorization).unwrap());
    }

    #[test]
    fn a_rule_for_a_caller_of_an_unknown_issuer_is_refused() {
        check(
            "{
                auth: { issuers: [{ issuer: https://login }] },
                authorization: { rules: [{ tools: [a], principals: [
                    { issuer: https://login, subject: a }, { issuer: https://login/, subject: a },
                ] }] },
            }",
            &Observed::default(),
            &expect![
                "InvalidSpec spec.authorization.rules[0].principals[1].issuer: `https://login/` is no issuer of spec.auth.issuers, so that the rule could never hold; write it byte for byte as in spec.auth.issuers, or add the issuer there"
            ],
        );
    }
}
