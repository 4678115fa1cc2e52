//! Each rule by itself, over payloads of every type.

use crds::gateway_config::ScopeMapping;
use serde_json::json;

use super::*;

fn rules(change: impl FnOnce(&mut TokenRules)) -> Rules {
    let mut rules = TokenRules::default();
    change(&mut rules);
    Rules::compile(&rules).unwrap()
}

fn when(claim_path: &str, test: ClaimTest) -> ClaimCondition {
    ClaimCondition { claim_path: claim_path.to_owned(), test }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
fn payload(value: Value) -> Payload {
    value.as_object().unwrap().clone()
}

fn granted(rules: &Rules, value: Value) -> Result<String, InvalidToken> {
    rules.granted(&payload(value)).map(|scopes| scopes.iter().collect::<Vec<_>>().join(","))
}

#[test]
fn the_first_scope_claim_wins_and_claims_are_never_merged() {
    let plain = rules(|_| {});
    let rows = [
        (json!({}), Ok("")),
        (json!({ "scope": "" }), Ok("")),
        (json!({ "scope": "tools:ping tools:echo" }), Ok("tools:echo,tools:ping")),
        (json!({ "scope": " a  b a" }), Ok("a,b")),
        (json!({ "scope": ["a", "b"] }), Ok("a,b")),
        (json!({ "scp": "a b" }), Ok("a,b")),
        (json!({ "scp": ["a", "b"] }), Ok("a,b")),
        (json!({ "scope": "a", "scp": "b" }), Ok("a")),
        (json!({ "scope": "", "scp": "b" }), Ok("")),
        (json!({ "permissions": ["a"], "roles": ["a"] }), Ok("")),
        (json!({ "scope": null, "scp": "b" }), Err(InvalidToken::Scope)),
        (json!({ "scope": 1 }), Err(InvalidToken::Scope)),
        (json!({ "scope": ["a", 1] }), Err(InvalidToken::Scope)),
        (json!({ "scope": { "a": true } }), Err(InvalidToken::Scope)),
        (json!({ "scp": 1 }), Err(InvalidToken::Scope)),
    ];
    for (claims, expected) in rows {
        assert_eq!(granted(&plain, claims.clone()), expected.map(ToOwned::to_owned), "{claims}");
    }
}

#[test]
fn the_permissions_of_the_current_tenant_come_before_those_of_the_project() {
    let session = rules(|rules| rules.scope_claims = owned(&["tenants.{dct}.permissions", "permissions"]));
    let tenants = json!({ "t1": { "permissions": ["one"] }, "t2": { "permissions": ["two"] }, "t3": {} });
    for (current, expected) in [("t1", "one"), ("t2", "two"), ("t3", "project"), ("t4", "project")] {
        let claims = json!({ "dct": current, "tenants": tenants, "permissions": ["project"] });
        assert_eq!(granted(&session, claims).as_deref(), Ok(expected), "{current}");
    }
    assert_eq!(granted(&session, json!({ "permissions": 1 })), Err(InvalidToken::Scope));
    // What has no members leads to nothing: the next claim counts.
    let broken = json!({ "dct": "t1", "tenants": "x", "permissions": ["project"] });
    assert_eq!(granted(&session, broken).as_deref(), Ok("project"));
}

#[test]
fn mappings_grant_what_an_administrator_wrote_and_nothing_else() {
    let mapping = |when, scope: &str| ScopeMapping { when, grant_scopes: vec![scope.to_owned()] };
    let mapped = rules(|rules| {
        rules.scope_mappings = vec![
            mapping(when("groups", ClaimTest::Equals("ops".to_owned())), "equals"),
            mapping(when("sub", ClaimTest::Prefix("system:serviceaccount:team-a:".to_owned())), "prefix"),
            mapping(when("realm_access.roles", ClaimTest::In(owned(&["x", "y"]))), "in"),
        ];
    });
    for (claims, expected) in [
        (json!({}), ""),
        (json!({ "groups": "ops" }), "equals"),
        (json!({ "groups": ["dev", "ops"] }), "equals"),
        (json!({ "groups": ["OPS", "ops ", "opsx"] }), ""),
        (json!({ "groups": { "ops": true } }), ""),
        (json!({ "sub": "system:serviceaccount:team-a:agent" }), "prefix"),
        (json!({ "sub": "system:serviceaccount:team-ab:agent" }), ""),
        (json!({ "realm_access": { "roles": ["y"] } }), "in"),
        (json!({ "realm_access": ["y"] }), ""),
        (json!({ "scope": "claimed", "groups": "ops" }), "claimed,equals"),
    ] {
        assert_eq!(granted(&mapped, claims.clone()).as_deref(), Ok(expected), "{claims}");
    }
    // A broken authorization claim refuses the token, whatever a mapping would grant.
    assert_eq!(granted(&mapped, json!({ "scope": 1, "groups": "ops" })), Err(InvalidToken::Scope));
}

#[test]
fn required_claims_must_all_be_there_with_a_stated_value() {
    let strict = rules(|rules| {
        rules.required_claims = vec![
            when("email_verified", ClaimTest::Equals("true".to_owned())),
            when("level", ClaimTest::In(owned(&["2", "3"]))),
            when("roles", ClaimTest::Prefix("mcp-".to_owned())),
        ];
    });
    let check = |value: Value| strict.check_required(&payload(value));
    assert_eq!(check(json!({ "email_verified": true, "level": 2, "roles": ["a", "mcp-user"] })), Ok(()));
    assert_eq!(check(json!({ "email_verified": "true", "level": "3", "roles": "mcp-" })), Ok(()));
    for claims in [
        json!({}),
        json!({ "level": 2, "roles": ["mcp-user"] }),
        json!({ "email_verified": false, "level": 2, "roles": ["mcp-user"] }),
        json!({ "email_verified": null, "level": 2, "roles": ["mcp-user"] }),
        json!({ "email_verified": true, "level": 2.0, "roles": ["mcp-user"] }),
        json!({ "email_verified": true, "level": 4, "roles": ["mcp-user"] }),
        json!({ "email_verified": true, "level": 2, "roles": [["mcp-user"]] }),
        json!({ "email_verified": true, "level": 2, "roles": [] }),
    ] {
        assert_eq!(check(claims.clone()), Err(InvalidToken::RequiredClaim), "{claims}");
    }
}

#[test]
fn integers_and_booleans_count_as_their_text_and_fractions_as_none() {
    for (value, text, expected) in [
        (json!(-1), "-1", true),
        (json!(u64::MAX), "18446744073709551615", true),
        (json!(7), "7", true),
        (json!(true), "true", true),
        (json!(false), "false", true),
        (json!(1.5), "1.5", false),
        (json!(null), "null", false),
        (json!({}), "{}", false),
    ] {
        let rules = rules(|rules| rules.required_claims = vec![when("x", ClaimTest::Equals(text.to_owned()))]);
        assert_eq!(rules.check_required(&payload(json!({ "x": value }))).is_ok(), expected, "{value}");
    }
}

#[test]
fn a_workload_is_known_by_any_one_of_its_marks() {
    let marked = rules(|rules| {
        rules.workloads = vec![
            when("gty", ClaimTest::Equals("client-credentials".to_owned())),
            when("sub", ClaimTest::EqualsClaim("cid".to_owned())),
            when("scp", ClaimTest::Absent),
            when("sub", ClaimTest::Suffix("@clients".to_owned())),
        ];
    });
    for (claims, expected) in [
        (json!({ "scp": "a" }), false),
        (json!({ "scp": "a", "gty": "client-credentials" }), true),
        (json!({ "scp": "a", "sub": "x", "cid": "x" }), true),
        (json!({ "scp": "a", "sub": "x", "cid": "y" }), false),
        (json!({ "scp": "a", "sub": 1, "cid": 1 }), false),
        (json!({ "scp": "a", "sub": "x@clients" }), true),
        (json!({ "scp": "a", "sub": "x@clients.example" }), false),
        (json!({ "sub": "x", "cid": "y" }), true),
        (json!({ "scp": null }), false),
    ] {
        assert_eq!(marked.is_workload(&payload(claims.clone())), expected, "{claims}");
    }
    // Two claims that are both missing are not the same text.
    let same = rules(|rules| rules.workloads = vec![when("sub", ClaimTest::EqualsClaim("cid".to_owned()))]);
    assert!(!same.is_workload(&payload(json!({}))));
}

#[test]
fn a_workload_may_be_named_by_its_client_and_a_human_never() {
    let named = rules(|rules| rules.workload_subject_claim = Some("azp".to_owned()));
    let claims = payload(json!({ "azp": "robot", "sub": "alice" }));
    assert_eq!(named.subject(&claims, true), Ok("robot"));
    assert_eq!(named.subject(&claims, false), Ok("alice"));
    let without = payload(json!({ "azp": "robot" }));
    assert_eq!(named.subject(&without, true), Ok("robot"));
    assert_eq!(named.subject(&without, false), Err(InvalidToken::Subject));
    let empty = payload(json!({ "azp": "", "sub": "alice" }));
    assert_eq!(named.subject(&empty, true), Err(InvalidToken::Subject));
}

#[test]
fn the_client_is_the_first_claim_and_one_of_those_that_may_call() {
    let any = rules(|_| {});
    let client = |rules: &Rules, value: Value| rules.client(&payload(value)).map(|client| client.map(str::to_owned));
    assert_eq!(client(&any, json!({})), Ok(None));
    assert_eq!(client(&any, json!({ "client_id": "b" })), Ok(Some("b".to_owned())));
    assert_eq!(client(&any, json!({ "azp": "a", "client_id": "b" })), Ok(Some("a".to_owned())));
    assert_eq!(client(&any, json!({ "azp": 1, "client_id": "b" })), Err(InvalidToken::Client));
    let listed = rules(|rules| rules.allowed_clients = owned(&["a"]));
    assert_eq!(client(&listed, json!({ "azp": "a" })), Ok(Some("a".to_owned())));
    for claims in [json!({}), json!({ "azp": "b" }), json!({ "azp": "A" }), json!({ "azp": "b", "client_id": "a" })] {
        assert_eq!(client(&listed, claims.clone()), Err(InvalidToken::ClientNotAllowed), "{claims}");
    }
}

#[test]
fn tenant_and_groups_are_texts_or_the_token_is_refused() {
    let both = rules(|rules| rules.tenant_claims = owned(&["tid", "kubernetes\\.io.namespace"]));
    let tenant = |value: Value| both.tenant(&payload(value)).map(|tenant| tenant.map(str::to_owned));
    assert_eq!(tenant(json!({})), Ok(None));
    assert_eq!(tenant(json!({ "kubernetes.io": { "namespace": "team-a" } })), Ok(Some("team-a".to_owned())));
    assert_eq!(tenant(json!({ "tid": 7 })), Err(InvalidToken::Tenant));
    let groups = |value: Value| {
        both.groups(&payload(value)).map(|groups| groups.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    assert_eq!(groups(json!({})), Ok(vec![]));
    assert_eq!(groups(json!({ "groups": "ops" })), Ok(owned(&["ops"])));
    assert_eq!(groups(json!({ "groups": ["ops", "dev"] })), Ok(owned(&["ops", "dev"])));
    for claims in [json!({ "groups": 1 }), json!({ "groups": ["ops", 1] }), json!({ "groups": null })] {
        assert_eq!(groups(claims.clone()), Err(InvalidToken::Groups), "{claims}");
    }
}

#[test]
fn a_path_that_is_none_is_named() {
    let broken = |change: fn(&mut TokenRules)| {
        let mut rules = TokenRules::default();
        change(&mut rules);
        Rules::compile(&rules).unwrap_err().field
    };
    assert_eq!(broken(|rules| rules.scope_claims.push("a..b".to_owned())), "scopeClaims[2]");
    assert_eq!(broken(|rules| rules.client_claims = vec![String::new()]), "clientClaims[0]");
    assert_eq!(broken(|rules| rules.tenant_claims = vec!["{".to_owned()]), "tenantClaims[0]");
    assert_eq!(broken(|rules| rules.groups_claims = vec!["\\".to_owned()]), "groupsClaims[0]");
    assert_eq!(broken(|rules| rules.workload_subject_claim = Some(".".to_owned())), "workloadSubjectClaim");
    let other = |claim: &str| when("sub", ClaimTest::EqualsClaim(claim.to_owned()));
    let mut rules = TokenRules { workloads: vec![other("azp"), other("")], ..TokenRules::default() };
    assert_eq!(Rules::compile(&rules).unwrap_err().field, "workloads[1].test.equalsClaim");
    rules.workloads.pop();
    rules.required_claims = vec![when("", ClaimTest::Absent)];
    assert_eq!(Rules::compile(&rules).unwrap_err().field, "requiredClaims[0].claimPath");
    rules.required_claims = Vec::new();
    rules.scope_mappings = vec![ScopeMapping { when: when("a.", ClaimTest::Absent), grant_scopes: owned(&["a"]) }];
    assert_eq!(Rules::compile(&rules).unwrap_err().field, "scopeMappings[0].when.claimPath");
}
