use crds::gateway_config::TokenType;
use expect_test::expect;

use super::*;
use crate::{
    observed::Observed,
    validate::{
        tests::{check, mcp_server, settings},
        validate,
    },
};

#[test]
fn without_a_preset_tokens_are_plain_oauth() {
    assert_eq!(
        only("").tokens,
        TokenRules { algorithms: vec![SignatureAlgorithm::RS256, SignatureAlgorithm::ES256], ..TokenRules::default() }
    );
}

#[test]
fn a_preset_fills_in_what_is_left_out() {
    let tokens = only(", preset: entra").tokens;
    assert_eq!(tokens.scope_claims, ["scp", "roles"]);
    assert_eq!(tokens.tenant_claims, ["tid"]);
    assert_eq!(only(", preset: rfc9068").tokens.token_type, TokenType::AccessToken);
}

#[test]
fn every_preset_can_be_run() {
    for preset in Preset::ALL.into_iter().filter(|preset| *preset != Preset::Kubernetes) {
        let name = serde_json::to_value(preset).unwrap();
        let rules = preset.rules();
        let tokens = only(&format!(", preset: {}", name.as_str().unwrap())).tokens;
        let expected = TokenRules {
            algorithms: sorted(rules.algorithms.clone()),
            workloads: sorted(rules.workloads.clone()),
            ..rules
        };
        assert_eq!(tokens, expected, "{preset:?}");
    }
}

/// Each field of an issuer, and what the gateway reads.
#[test]
fn every_field_overrides_its_part() {
    let issuer = only(
        ", preset: auth0, jwksUri: 'https://keys/jwks', allowPrivateAddresses: true, audiences: [z, a],
        algorithms: [PS256, EdDSA, ES256], tokenType: AccessToken,
        requiredClaims: [{ claimPath: email_verified, equals: 'true' }, { claimPath: acr, in: [gold, bronze] }],
        scopeClaims: [permissions, scope],
        scopeMappings: [
            { claimPath: groups, prefix: 'team-', grantScopes: ['tools:echo', 'tools:ping'] },
            { claimPath: groups, equals: ops, grantScopes: ['tools:ping'] },
        ],
        clientClaims: [client_id, azp], allowedClients: [web, ci], tenantClaims: [tenant, org_id],
        groupsClaims: [realm_access.roles], workloads: [
            { claimPath: sub, equalsClaim: client_id }, { claimPath: name, absent: true },
            { claimPath: gty, equals: client-credentials },
        ],
        workloadSubjectClaim: azp, leewaySeconds: 5, maxTokenLifetimeSeconds: 3600, maxKeyAgeSeconds: 7200",
    );
    expect![[r#"
        allowPrivateAddresses true
        audiences ["a","z"]
        issuer "https://login"
        jwksUri "https://keys/jwks"
        maxKeyAgeSeconds 7200
        algorithms ["ES256","PS256","EdDSA"]
        allowedClients ["ci","web"]
        clientClaims ["client_id","azp"]
        groupsClaims ["realm_access.roles"]
        leewaySeconds 5
        maxTokenLifetimeSeconds 3600
        requiredClaims [{"claimPath":"acr","test":{"in":["bronze","gold"]}},{"claimPath":"email_verified","test":{"equals":"true"}}]
        scopeClaims ["permissions","scope"]
        scopeMappings [{"grantScopes":["tools:ping"],"when":{"claimPath":"groups","test":{"equals":"ops"}}},{"grantScopes":["tools:echo","tools:ping"],"when":{"claimPath":"groups","test":{"prefix":"team-"}}}]
        tenantClaims ["tenant","org_id"]
        tokenType "AccessToken"
        workloadSubjectClaim "azp"
        workloads [{"claimPath":"gty","test":{"equals":"client-credentials"}},{"claimPath":"name","test":"absent"},{"claimPath":"sub","test":{"equalsClaim":"client_id"}}]"#]].assert_eq(&members(&serde_json::to_value(&issuer).unwrap()));
}

#[test]
fn nothing_at_all_is_a_choice_too() {
    let tokens = only(", preset: keycloak, scopeClaims: [], workloads: [], tokenType: Any, leewaySeconds: 0").tokens;
    assert_eq!((tokens.scope_claims, tokens.workloads, tokens.leeway_seconds), (Vec::new(), Vec::new(), 0));
}

#[test]
fn what_is_no_path_is_refused_where_it_stands() {
    check(
        "{ auth: { issuers: [{
            issuer: https://login, scopeClaims: [scope, 'a..b'], clientClaims: ['a\\b'], tenantClaims: ['{a'], groupsClaims: ['{}'],
            requiredClaims: [{ claimPath: '.a', equals: b }], scopeMappings: [{ claimPath: a., equals: b, grantScopes: [c] }],
            workloads: [{ claimPath: sub, equalsClaim: a.b.c.d.e.f.g.h.i }], workloadSubjectClaim: '..',
        }] } }",
        &Observed::default(),
        &expect![[r"
            InvalidSpec spec.auth.issuers[0].requiredClaims[0].claimPath: has an empty member; write names separated by single dots, such as realm_access.roles
            InvalidSpec spec.auth.issuers[0].scopeClaims[1]: has an empty member; write names separated by single dots, such as realm_access.roles
            InvalidSpec spec.auth.issuers[0].scopeMappings[0].claimPath: has an empty member; write names separated by single dots, such as realm_access.roles
            InvalidSpec spec.auth.issuers[0].clientClaims[0]: has a stray backslash; write \. for a dot inside a name and \\ for a backslash
            InvalidSpec spec.auth.issuers[0].tenantClaims[0]: has a stray brace; {name} stands alone between dots, for the value of the claim `name`
            InvalidSpec spec.auth.issuers[0].groupsClaims[0]: has a stray brace; {name} stands alone between dots, for the value of the claim `name`
            InvalidSpec spec.auth.issuers[0].workloads[0].equalsClaim: is too long; use at most 8 members and 256 bytes
            InvalidSpec spec.auth.issuers[0].workloadSubjectClaim: has an empty member; write names separated by single dots, such as realm_access.roles"]],
    );
}

/// Of two tests one would be left out, and of none nothing would be asked.
#[test]
fn a_condition_asks_exactly_one_thing() {
    for condition in [
        "requiredClaims: [{ claimPath: a }]",
        "requiredClaims: [{ claimPath: a, equals: b, prefix: c }]",
        "scopeMappings: [{ claimPath: a, grantScopes: [b] }]",
        "scopeMappings: [{ claimPath: a, equals: b, in: [c], grantScopes: [d] }]",
        "workloads: [{ claimPath: a }]",
        "workloads: [{ claimPath: a, absent: false }]",
        "workloads: [{ claimPath: a, absent: true, equals: b }]",
    ] {
        let spec = format!("{{ auth: {{ issuers: [{{ issuer: https://login, {condition} }}] }} }}");
        let invalid = validate(&mcp_server(&spec), &Observed::default(), &settings()).unwrap_err();
        assert_eq!(invalid[0].problem, "does not say in one way what the claim must be", "{condition}");
    }
}

#[test]
fn numbers_beyond_the_schema_are_brought_inside_their_bounds() {
    let high = only(", leewaySeconds: 600, maxTokenLifetimeSeconds: 700000, maxKeyAgeSeconds: 700000");
    assert_eq!(
        (high.tokens.leeway_seconds, high.tokens.max_token_lifetime_seconds, high.max_key_age_seconds),
        (60, 604_800, 604_800)
    );
    let low = only(", leewaySeconds: -1, maxTokenLifetimeSeconds: 0, maxKeyAgeSeconds: -5");
    assert_eq!(
        (low.tokens.leeway_seconds, low.tokens.max_token_lifetime_seconds, low.max_key_age_seconds),
        (0, 60, 60)
    );
}

/// One member a line, those of `tokens` too.
fn members(issuer: &serde_json::Value) -> String {
    let (issuer, tokens) = (issuer.as_object().unwrap(), issuer["tokens"].as_object().unwrap());
    let outer = issuer.iter().filter(|(name, _)| *name != "tokens");
    outer.chain(tokens).map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join("\n")
}

/// The issuer `https://login` with these fields beside it.
fn only(more: &str) -> IssuerConfig {
    let spec = format!("{{ auth: {{ issuers: [{{ issuer: https://login{more} }}] }} }}");
    let mut valid = validate(&mcp_server(&spec), &Observed::default(), &settings()).unwrap();
    valid.config.auth.issuers.remove(0)
}
