//! The token matrix of auth.md section 9, and the hostile inputs of section 4: each row a case with a name.
//!
//! Every case runs twice: as new, and again when a decision about it could be remembered.

mod rows;

use serde_json::json;

use self::rows::{Case, cases};
use super::{
    keys::{EC, RSA, ec_jwk, rsa_jwk},
    support::{
        AUDIENCE, FakeClock, ISSUER, OTHER_ISSUER, Signer, ask, authenticator, bearer, build, key_set, token,
        token_with,
    },
};
use crate::{
    auth::{InvalidToken, IssuerSettings, KeySource, Refusal},
    net::AddressPolicy,
};

#[tokio::test]
async fn every_row_of_the_matrix_is_answered_as_it_says_new_and_remembered() {
    let clock = FakeClock::new();
    let authenticator = authenticator(&clock);
    let cases = cases();
    for Case { name, token, expected } in &cases {
        for round in ["new", "again"] {
            let refused = ask(&authenticator, token).await.map(|_| ()).err();
            assert_eq!(refused, expected.map(Refusal::Invalid), "{name}, {round}");
        }
    }
    let let_in = cases.iter().filter(|case| case.expected.is_none()).count();
    assert_eq!(authenticator.decisions.len(), let_in, "refusals are not remembered");
}

#[test]
fn the_matrix_has_no_row_twice() {
    let names: std::collections::BTreeSet<String> = cases().into_iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases().len());
}

#[tokio::test]
async fn a_principal_says_what_the_token_said() {
    let clock = FakeClock::new();
    let authenticator = authenticator(&clock);
    let principal = ask(&authenticator, &token_with(&json!({}))).await.unwrap();
    assert_eq!(principal.issuer(), ISSUER);
    assert_eq!(principal.subject(), "alice");
    assert_eq!(principal.client_id(), Some("agent"));
    assert!(principal.has_scope("tools:ping") && principal.has_scope("tools:echo"));
    assert!(!principal.has_scope("tools") && !principal.is_anonymous());
}

#[tokio::test]
async fn permissions_give_nothing_where_scope_is_read() {
    let clock = FakeClock::new();
    let authenticator = authenticator(&clock);
    let change =
        json!({ "scope": "tools:ping", "permissions": ["tools:echo"], "scp": "tools:echo", "roles": ["tools:echo"] });
    let principal = ask(&authenticator, &token_with(&change)).await.unwrap();
    assert_eq!(principal.scopes().iter().collect::<Vec<_>>(), ["tools:ping"]);
}

#[tokio::test]
async fn the_scheme_may_be_written_in_any_case_and_nothing_else_is_a_credential() {
    let clock = FakeClock::new();
    let authenticator = authenticator(&clock);
    let good = token_with(&json!({}));
    for (value, expected) in [
        (format!("bearer {good}"), Ok(())),
        (format!("BEARER {good}"), Ok(())),
        (format!("Basic {good}"), Err(Refusal::MissingCredential)),
        (good.clone(), Err(Refusal::MissingCredential)),
    ] {
        let mut headers = bearer("");
        headers.insert("authorization", value.parse().unwrap());
        assert_eq!(authenticator.authenticate(&headers).await.map(|_| ()), expected);
    }
    let mut elsewhere = http::HeaderMap::new();
    elsewhere.insert("cookie", format!("access_token={good}").parse().unwrap());
    assert_eq!(authenticator.authenticate(&elsewhere).await, Err(Refusal::MissingCredential));
    let mut twice = bearer(&good);
    twice.append("authorization", format!("Bearer {good}").parse().unwrap());
    assert_eq!(authenticator.authenticate(&twice).await, Err(InvalidToken::SeveralCredentials.into()));
}

#[tokio::test]
async fn without_a_kid_the_only_key_of_a_set_is_used() {
    let clock = FakeClock::new();
    let keys = KeySource::Static(key_set(&[rsa_jwk(&RSA, "rsa")]));
    let settings = IssuerSettings::new(ISSUER, vec![AUDIENCE.to_owned()], keys);
    let authenticator = build(vec![settings], &clock, AddressPolicy::default());
    let without_kid = token(Signer::rsa(), &json!({ "kid": "-" }), &json!({}));
    assert!(ask(&authenticator, &without_kid).await.is_ok());
    let other_algorithm = token(Signer::ec(), &json!({ "kid": "-" }), &json!({}));
    assert_eq!(ask(&authenticator, &other_algorithm).await, Err(InvalidToken::UnknownKey.into()));
}

/// auth.md, `sub`: what another claim stands for, nobody asks for, the JWT library included.
#[tokio::test]
async fn a_workload_without_a_subject_is_named_by_its_client() {
    use crds::gateway_config::TokenRules;
    let clock = FakeClock::new();
    let keys = KeySource::Static(key_set(&[ec_jwk(&EC, "ec")]));
    let tokens = TokenRules {
        workloads: vec![crds::gateway_config::ClaimCondition {
            claim_path: "azp".to_owned(),
            test: crds::gateway_config::ClaimTest::Equals("robot".to_owned()),
        }],
        workload_subject_claim: Some("azp".to_owned()),
        ..TokenRules::default()
    };
    let settings = IssuerSettings { tokens, ..IssuerSettings::new(ISSUER, vec![AUDIENCE.to_owned()], keys) };
    let authenticator = build(vec![settings], &clock, AddressPolicy::default());
    let robot = ask(&authenticator, &token_with(&json!({ "azp": "robot", "sub": "-" }))).await.unwrap();
    assert_eq!(robot.subject(), "robot");
    let person = ask(&authenticator, &token_with(&json!({ "sub": "-" }))).await;
    assert_eq!(person, Err(InvalidToken::Subject.into()));
}

#[tokio::test]
async fn an_issuer_whose_ca_is_missing_keeps_everyone_waiting() {
    let clock = FakeClock::new();
    let settings = |issuer: &str, keys| IssuerSettings::new(issuer, vec![AUDIENCE.to_owned()], keys);
    let issuers = vec![
        settings(ISSUER, KeySource::Static(key_set(&[ec_jwk(&EC, "ec")]))),
        settings(OTHER_ISSUER, KeySource::Unavailable),
    ];
    let authenticator = build(issuers, &clock, AddressPolicy::default());
    assert!(!authenticator.ready());
    let answer = ask(&authenticator, &token_with(&json!({}))).await;
    assert!(matches!(answer, Err(Refusal::KeysUnavailable { .. })), "{answer:?}");
}
