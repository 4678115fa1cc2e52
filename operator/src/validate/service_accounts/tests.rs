use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::validate::{
    tests::{check, mcp_server, settings},
    validate,
};

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// The instant of a fetch that a step of the stamp begins with.
const STEP: i64 = 1_763_812_800;

#[test]
fn the_keys_are_mounted_and_the_gateway_asks_nobody() {
    let valid = validate(&mcp_server(&spec("")), &fetched(STEP), &settings()).unwrap();
    let issuer = &valid.config.auth.issuers[0];
    assert_eq!(issuer.jwks_file.as_deref(), Some("/etc/mcp-foundry/service-account-keys/keys.json"));
    assert_eq!((&issuer.jwks_uri, &issuer.ca_file), (&None, &None));
    assert_eq!(valid.service_account_keys.unwrap().jwks, jwks());
    assert_eq!(valid.traffic.outbound_ports, [443].into());
}

#[test]
fn the_keys_are_no_part_of_the_configuration() {
    let mut rotated = fetched(STEP);
    rotated.service_account_keys =
        Some(Ok(ServiceAccountKeys { jwks: json!({ "keys": [{ "kid": "new" }] }), ..keys(STEP) }));
    let revision = |observed| validate(&mcp_server(&spec("")), &observed, &settings()).unwrap().config_revision;
    assert_eq!(revision(fetched(STEP)), revision(rotated));
}

/// A run a minute must not be a write a minute, nor may a day go by without one: the keys would be too old.
#[test]
fn the_stamp_is_the_same_for_hours_and_never_younger_than_the_keys() {
    let stamp = |fetched_at| {
        let valid = validate(&mcp_server(&spec("")), &fetched(fetched_at), &settings()).unwrap();
        valid.service_account_keys.unwrap().fetched_at
    };
    for (fetched_at, expected) in [
        (STEP - 1, STEP - STAMP_STEP_SECONDS),
        (STEP, STEP),
        (STEP + 1, STEP),
        (STEP + STAMP_STEP_SECONDS - 1, STEP),
        (STEP + STAMP_STEP_SECONDS, STEP + STAMP_STEP_SECONDS),
    ] {
        assert_eq!(stamp(fetched_at), expected, "{fetched_at}");
    }
}

/// What the page tells people to do while a cluster changes its issuer.
#[test]
fn an_issuer_of_before_may_stand_beside_the_api_servers_own() {
    let entry = |issuer: &str| format!("{{ issuer: '{issuer}', preset: kubernetes, scopeMappings: [] }}");
    let spec = format!("{{ auth: {{ issuers: [{}, {}] }} }}", entry("https://before.example.com"), entry(ISSUER));
    let valid = validate(&mcp_server(&spec), &fetched(STEP), &settings()).unwrap();
    let issuers = &valid.config.auth.issuers;
    assert!(issuers.iter().all(|issuer| issuer.jwks_file.is_some()) && issuers.len() == 2);
    let alone = format!("{{ auth: {{ issuers: [{}] }} }}", entry("https://before.example.com"));
    assert!(validate(&mcp_server(&alone), &fetched(STEP), &settings()).is_err());
}

#[test]
fn a_prefix_ends_with_the_namespace_or_later() {
    for (prefix, is_right) in [
        ("system:serviceaccount:", true),
        ("system:serviceaccount:team-b:", true),
        ("system:serviceaccount:team-b:ci-", true),
        ("system:serviceaccount:team-b", false),
        ("system:serviceaccount:t", false),
    ] {
        let mapping = format!("[{{ claimPath: sub, prefix: '{prefix}', grantScopes: [a] }}]");
        let spec = format!(
            "{{ auth: {{ issuers: [{{ issuer: '{ISSUER}', preset: kubernetes, scopeMappings: {mapping} }}] }} }}"
        );
        let verdict = validate(&mcp_server(&spec), &fetched(STEP), &settings());
        assert_eq!(verdict.is_ok(), is_right, "{prefix}");
        if let Err(invalid) = verdict {
            assert_eq!(invalid[0].field, "spec.auth.issuers[0].scopeMappings[0].prefix");
        }
    }
}

#[test]
fn another_issuer_than_the_api_servers_is_told_the_right_one() {
    for issuer in ["https://kubernetes.default.svc.cluster.local/", "https://login"] {
        let spec = spec("").replace(ISSUER, issuer);
        check(
            &spec,
            &fetched(STEP),
            &expect![
                "WrongServiceAccountIssuer spec.auth.issuers[0].issuer: is not the issuer of this cluster's ServiceAccount tokens; set it to `https://kubernetes.default.svc.cluster.local`"
            ],
        );
    }
}

#[test]
fn without_keys_the_reason_says_who_can_help() {
    let unavailable = |unavailable, expected: Expect| {
        let observed = Observed { service_account_keys: Some(Err(unavailable)), ..Observed::default() };
        check(&spec(""), &observed, &expected);
    };
    unavailable(
        KeysUnavailable::Forbidden,
        expect![
            "AccessDenied spec.auth.issuers[0].preset: the API server does not show its keys to the operator; bind the ClusterRole system:service-account-issuer-discovery to the operator's ServiceAccount"
        ],
    );
    unavailable(
        KeysUnavailable::NotServed,
        expect![
            "ServiceAccountKeysUnavailable spec.auth.issuers[0].preset: the API server does not publish its keys; start it with --service-account-issuer set to an https URL"
        ],
    );
    unavailable(
        KeysUnavailable::Unreadable,
        expect![
            "ServiceAccountKeysUnavailable spec.auth.issuers[0].preset: what the API server publishes as its keys cannot be used; look at kubectl get --raw /openid/v1/jwks"
        ],
    );
    unavailable(
        KeysUnavailable::Unreachable,
        expect![
            "ApiUnavailable spec.auth.issuers[0].preset: the API server could not be asked for its keys yet; wait, the operator tries again"
        ],
    );
}

#[test]
fn a_token_for_the_api_server_opens_nothing() {
    for audience in [
        "https://kubernetes.default.svc",
        "https://kubernetes.default.svc.cluster.local",
        "https://kubernetes.default.svc.home.arpa",
    ] {
        let settings = OperatorSettings { cluster_domain: "home.arpa".to_owned(), ..settings() };
        let spec = spec(&format!(", audiences: [https://mcp.example.com/mcp, '{audience}']"));
        let invalid = validate(&mcp_server(&spec), &fetched(STEP), &settings).unwrap_err();
        assert_eq!(invalid[0].field, "spec.auth.issuers[0].audiences[1]", "{audience}");
    }
    check(
        &spec(&format!(", audiences: ['{ISSUER}']")),
        &fetched(STEP),
        &expect![
            "InvalidSpec spec.auth.issuers[0].audiences[0]: is an audience of the API server's own, so that the token of any pod would be taken; leave audiences out, and ask for tokens for the publicUrl"
        ],
    );
    let as_url = spec("").replacen('{', "{ publicUrl: https://kubernetes.default.svc,", 1);
    check(
        &as_url,
        &fetched(STEP),
        &expect![
            "InvalidSpec spec.publicUrl: is an audience of the API server's own, so that the token of any pod would be taken; name this endpoint's own host"
        ],
    );
}

#[test]
fn keys_come_from_one_place_and_may_serve_for_long_enough() {
    for (field, expected) in [
        (
            ", jwksUri: https://keys",
            expect![
                "InvalidSpec spec.auth.issuers[0].jwksUri: has no place beside preset kubernetes: the operator asks for the keys; remove it"
            ],
        ),
        (
            ", maxKeyAgeSeconds: 43199",
            expect![
                "InvalidSpec spec.auth.issuers[0].maxKeyAgeSeconds: is shorter than keys of preset kubernetes need, which are written anew after 21600 s; leave it out, or set 43200 at least"
            ],
        ),
    ] {
        check(&spec(field), &fetched(STEP), &expected);
    }
    assert!(validate(&mcp_server(&spec(", maxKeyAgeSeconds: 43200")), &fetched(STEP), &settings()).is_ok());
}

#[test]
fn whoever_does_not_use_the_preset_has_no_keys() {
    let spec = "{ auth: { issuers: [{ issuer: https://login }] } }";
    let valid = validate(&mcp_server(spec), &Observed::default(), &settings()).unwrap();
    assert_eq!((valid.service_account_keys, &valid.config.auth.issuers[0].jwks_file), (None, &None));
}

fn spec(more: &str) -> String {
    format!("{{ auth: {{ issuers: [{{ issuer: '{ISSUER}', preset: kubernetes, scopeMappings: []{more} }}] }} }}")
}

fn fetched(fetched_at: i64) -> Observed {
    Observed { service_account_keys: Some(Ok(keys(fetched_at))), ..Observed::default() }
}

fn keys(fetched_at: i64) -> ServiceAccountKeys {
    ServiceAccountKeys { issuer: ISSUER.to_owned(), jwks: jwks(), fetched_at }
}

fn jwks() -> Value {
    json!({ "keys": [{ "kid": "a", "kty": "RSA", "alg": "RS256", "use": "sig", "n": "AQAB", "e": "AQAB" }] })
}
