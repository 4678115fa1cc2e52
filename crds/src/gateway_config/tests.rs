use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

/// One frozen document of each supported version. Never edit one after its release: that is the test.
const FROZEN: &[(u32, &str, &str)] = &[(
    1,
    include_str!("../../fixtures/gateway-config-v1.json"),
    include_str!("../../fixtures/gateway-policy-v1.json"),
)];

#[test]
fn every_supported_version_has_a_frozen_document_that_still_parses() {
    let frozen: Vec<u32> = FROZEN.iter().map(|(version, ..)| *version).collect();
    assert_eq!(frozen, SUPPORTED_VERSIONS.collect::<Vec<_>>());
    for (version, config, policy) in FROZEN {
        let config = GatewayConfig::parse(config.as_bytes());
        let policy = GatewayPolicy::parse(policy.as_bytes());
        assert!(config.is_ok(), "configuration version {version}: {config:?}");
        assert!(policy.is_ok(), "policy version {version}: {policy:?}");
    }
}

#[test]
fn at_most_two_versions_are_supported() {
    assert!(SUPPORTED_VERSIONS.count() <= 2);
}

proptest! {
    #[test]
    fn a_configuration_survives_the_round_trip(config in any_config()) {
        prop_assert_eq!(GatewayConfig::parse(config.to_json().as_bytes()).unwrap(), config);
    }

    #[test]
    fn a_policy_survives_the_round_trip(policy in any_policy()) {
        prop_assert_eq!(GatewayPolicy::parse(policy.to_json().as_bytes()).unwrap(), policy);
    }

    #[test]
    fn a_version_outside_the_range_is_refused(
        config in any_config(),
        version in any::<u32>().prop_filter("supported", |v| !SUPPORTED_VERSIONS.contains(v)),
    ) {
        let text = GatewayConfig { version, ..config }.to_json();
        let refused = matches!(
            GatewayConfig::parse(text.as_bytes()),
            Err(ParseError::UnsupportedVersion { found }) if found == version
        );
        prop_assert!(refused);
    }

    #[test]
    fn bytes_of_any_kind_are_answered_not_panicked_on(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(GatewayConfig::parse(&bytes).is_err());
    }
}

#[test]
fn an_unknown_field_is_named() {
    check_policy(
        r#"{"version":1,"authorization":{"default":"Deny","rule":[]}}"#,
        &expect![
            "field `authorization.rule`: unknown field `rule`, expected one of `default`, `rules`, `scopeImplications` at line 1 column 53"
        ],
    );
}

#[test]
fn a_wrong_value_is_named() {
    check_policy(
        r#"{"version":1,"authorization":{"default":"Deny","rules":[{"tools":"*"}]}}"#,
        &expect![[r"field `authorization.rules[0].tools`: invalid type, expected a sequence at line 1 column 68"]],
    );
}

/// serde would take their order for their names.
#[test]
fn members_have_names() {
    check_policy(
        r#"{"version":1,"authorization":["Authenticated"]}"#,
        &expect!["field `authorization`: invalid type, expected an object whose members have names"],
    );
    check_policy(
        r#"{"version":1,"authorization":{"default":"Deny","rules":[[["*"]]]}}"#,
        &expect!["field `authorization.rules[0]`: invalid type, expected an object whose members have names"],
    );
    let mut open: Value = serde_json::from_str(FROZEN[0].1).unwrap();
    open["auth"] = serde_json::json!(["None", true]);
    let error = GatewayConfig::parse(open.to_string().as_bytes()).unwrap_err();
    assert!(matches!(error, ParseError::Field { path, .. } if path == "auth"));
}

#[test]
fn a_missing_version_is_said() {
    check_policy("{}", &expect!["`version` cannot be read: missing field `version` at line 1 column 2"]);
}

#[test]
fn another_version_says_what_to_do() {
    check_policy(
        r#"{"version":7,"authorization":{"default":"Deny"}}"#,
        &expect!["`version` is 7; this server reads 1 to 1: use an image that matches the operator"],
    );
}

/// What an operator that knows neither writes.
#[test]
fn a_policy_without_limits_and_replicas_has_the_defaults() {
    let policy = GatewayPolicy::parse(br#"{"version":1,"authorization":{"default":"Deny"}}"#).unwrap();
    let authorization = AuthorizationPolicy::new(AuthorizationDefault::Deny, Vec::new());
    assert_eq!(policy, GatewayPolicy::of(authorization));
    let one = br#"{"version":1,"authorization":{"default":"Deny"},"limits":{"replayEvents":0}}"#;
    let limits = GatewayPolicy::parse(one).unwrap().limits;
    assert_eq!(limits, LimitsPolicy { replay_events: 0, ..LimitsPolicy::default() });
}

#[test]
fn a_configuration_without_upstreams_does_not_speak_of_them() {
    let config = GatewayConfig::parse(FROZEN[0].1.as_bytes()).unwrap();
    let text = GatewayConfig { upstreams: Vec::new(), sealing_key_files: Vec::new(), ..config }.to_json();
    assert!(!text.contains("upstreams") && !text.contains("sealingKeyFiles"), "{text}");
}

#[test]
fn a_second_document_in_the_file_is_refused() {
    let one = r#"{"version":1,"authorization":{"default":"Deny"}}"#;
    assert!(GatewayPolicy::parse(format!("{one}{one}").as_bytes()).is_err());
}

fn check_policy(text: &str, expected: &Expect) {
    let error = GatewayPolicy::parse(text.as_bytes()).unwrap_err();
    expected.assert_eq(&error.to_string());
}

fn text() -> impl Strategy<Value = String> {
    "[ -~é]{0,12}"
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 0..4)
}

prop_compose! {
    fn any_issuer()(
        issuer in text(),
        jwks_uri in prop::option::of(text()),
        audiences in texts(),
        ca_file in prop::option::of(text()),
        tokens in any_tokens(),
    ) -> IssuerConfig {
        IssuerConfig { jwks_uri, ca_file, tokens, ..IssuerConfig::new(issuer, audiences) }
    }
}

prop_compose! {
    fn any_upstream()(name in text(), url in text(), timeout_seconds in any::<u32>()) -> UpstreamConfig {
        UpstreamConfig { name, url, timeout_seconds }
    }
}

prop_compose! {
    fn any_limits()(numbers in any::<[u32; 7]>()) -> LimitsPolicy {
        let [
            session_lifetime_seconds,
            sessions_per_principal,
            replay_events,
            streams_per_principal,
            requests_in_flight_per_principal,
            keep_alive_interval_seconds,
            stream_buffer_bytes,
        ] = numbers;
        LimitsPolicy {
            session_lifetime_seconds,
            sessions_per_principal,
            replay_events,
            streams_per_principal,
            requests_in_flight_per_principal,
            keep_alive_interval_seconds,
            stream_buffer_bytes,
        }
    }
}

prop_compose! {
    fn any_redis()(
        topology in prop::sample::select(vec![
            RedisTopology::Standalone, RedisTopology::Sentinel, RedisTopology::Cluster,
        ]),
        (addresses, key_prefix, master_name) in (texts(), text(), prop::option::of(text())),
        credentials in prop::option::of((prop::option::of(text()), text())),
        tls in prop::option::of((prop::option::of(text()), prop::option::of((text(), text())))),
        required in any::<bool>(),
    ) -> RedisConfig {
        let client = |(certificate_file, key_file)| RedisClientCertificate { certificate_file, key_file };
        RedisConfig {
            topology,
            addresses,
            master_name,
            key_prefix,
            credentials: credentials
                .map(|(username_file, password_file)| RedisCredentials { username_file, password_file }),
            tls: tls.map(|(ca_file, certificate)| RedisTls { ca_file, client: certificate.map(client) }),
            required,
        }
    }
}

prop_compose! {
    fn any_config()(
        (name, namespace, public_url) in (text(), text(), text()),
        (accepted_hosts, allowed_origins) in (texts(), texts()),
        open in any::<bool>(),
        issuers in prop::collection::vec(any_issuer(), 0..3),
        (ping, echo, health_check) in any::<(bool, bool, bool)>(),
        (upstreams, sealing_key_files, redis) in
            (prop::collection::vec(any_upstream(), 0..3), texts(), prop::option::of(any_redis())),
        log_level in prop::sample::select(vec![LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug]),
        otlp_endpoint in prop::option::of(text()),
        allow_private_addresses in any::<bool>(),
    ) -> GatewayConfig {
        GatewayConfig {
            version: CURRENT_VERSION,
            mcp_server: McpServerRef { name, namespace },
            public_url,
            accepted_hosts,
            allowed_origins,
            auth: if open { AuthConfig::open() } else { AuthConfig::oauth(issuers) },
            builtins: Builtins { ping, echo, health_check },
            upstreams,
            sealing_key_files,
            redis,
            observability: Observability { log_level, otlp_endpoint },
            allow_private_addresses,
        }
    }
}

prop_compose! {
    fn any_rule()(
        (tools, scopes, groups, tenants) in (texts(), texts(), texts(), texts()),
        kinds in any::<(bool, bool)>(),
        principals in prop::collection::vec((text(), text()), 0..3),
        hide in any::<bool>(),
    ) -> AuthorizationRule {
        let kinds = [(kinds.0, PrincipalKind::Human), (kinds.1, PrincipalKind::Workload)];
        AuthorizationRule {
            tools,
            scopes,
            groups,
            tenants,
            principal_kinds: kinds.into_iter().filter_map(|(wanted, kind)| wanted.then_some(kind)).collect(),
            principals: principals.into_iter().map(|(issuer, subject)| PrincipalRef { issuer, subject }).collect(),
            visibility: if hide { Visibility::Hide } else { Visibility::Show },
        }
    }
}

prop_compose! {
    fn any_implication()(scope in text(), implies in texts()) -> ScopeImplication {
        ScopeImplication { scope, implies }
    }
}

prop_compose! {
    fn any_test()(
        kind in 0..6,
        one in text(),
        many in texts(),
    ) -> ClaimTest {
        match kind {
            0 => ClaimTest::Equals(one),
            1 => ClaimTest::Prefix(one),
            2 => ClaimTest::In(many),
            4 => ClaimTest::Suffix(one),
            3 => ClaimTest::EqualsClaim(one),
            _ => ClaimTest::Absent,
        }
    }
}

prop_compose! {
    fn any_tokens()(
        (scope_claims, client_claims, allowed_clients) in (texts(), texts(), texts()),
        (tenant_claims, groups_claims) in (texts(), texts()),
        conditions in prop::collection::vec((text(), any_test()), 3),
        grant_scopes in texts(),
        workload_subject_claim in prop::option::of(text()),
        (leeway_seconds, max_token_lifetime_seconds) in any::<(u32, u32)>(),
        strict in any::<bool>(),
    ) -> TokenRules {
        let condition = |index: usize| {
            let (claim_path, test) = conditions[index].clone();
            ClaimCondition { claim_path, test }
        };
        TokenRules {
            algorithms: vec![SignatureAlgorithm::PS256, SignatureAlgorithm::EdDSA],
            token_type: if strict { TokenType::AccessToken } else { TokenType::Any },
            leeway_seconds,
            max_token_lifetime_seconds,
            required_claims: vec![condition(0)],
            scope_claims,
            scope_mappings: vec![ScopeMapping { when: condition(1), grant_scopes }],
            client_claims,
            allowed_clients,
            tenant_claims,
            groups_claims,
            workloads: vec![condition(2)],
            workload_subject_claim,
        }
    }
}

prop_compose! {
    fn any_policy()(
        deny in any::<bool>(),
        rules in prop::collection::vec(any_rule(), 0..4),
        scope_implications in prop::collection::vec(any_implication(), 0..3),
        (replicas, limits) in (any::<u32>(), any_limits()),
    ) -> GatewayPolicy {
        GatewayPolicy {
            version: CURRENT_VERSION,
            authorization: AuthorizationPolicy {
                default: if deny { AuthorizationDefault::Deny } else { AuthorizationDefault::Authenticated },
                rules,
                scope_implications,
            },
            replicas,
            limits,
        }
    }
}
