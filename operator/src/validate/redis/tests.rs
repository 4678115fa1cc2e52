//! What each mode becomes, and what is refused.

use std::collections::BTreeSet;

use crds::conditions::Reason;
use serde_json::json;

use super::*;
use crate::{
    desired::annotation,
    observed::{
        ChildKind, ObservedChild, ObservedDeployment, ObservedPod, ObservedRedis, ObservedStatefulSet,
        ReferencedConfigMap,
    },
    validate::{
        ValidServer,
        tests::{CA, UID, mcp_server, settings},
        validate,
    },
};

const NONE: &str = "{}";
const MANAGED: &str = "{ mode: Managed }";
const EXTERNAL: &str = "{ mode: External, external: { addresses: ['redis.example.com:6380'] } }";

#[test]
fn without_a_mode_nothing_is_shared() {
    let valid = valid(NONE);
    assert_eq!((valid.redis, valid.config.redis, valid.traffic.redis), (None, None, RedisOutbound::default()));
}

#[test]
fn a_managed_redis_is_named_by_its_service_and_its_credentials_by_their_revision() {
    let valid = valid(MANAGED);
    let expected = json!({
        "topology": "Standalone",
        "addresses": ["tools-redis.demo.svc:6379"],
        "keyPrefix": "mcpf:demo/tools:",
        "credentials": {
            "usernameFile": "/etc/mcp-foundry/redis/credentials/tools-redis-1-11111111/username",
            "passwordFile": "/etc/mcp-foundry/redis/credentials/tools-redis-1-11111111/password",
        },
        "required": false,
    });
    assert_eq!(serde_json::to_value(valid.config.redis).unwrap(), expected);
    assert_eq!(valid.traffic.redis, RedisOutbound { managed: true, ports: BTreeSet::new() });
}

#[test]
fn three_quarters_of_the_memory_limit_are_for_data() {
    for (managed, limit, data) in [
        ("{}", "256Mi", 201_326_592),
        ("{ resources: { limits: { memory: 1G } } }", "1G", 750_000_000),
        ("{ resources: { requests: { memory: 64Mi } } }", "64Mi", 50_331_648),
        ("{ resources: { limits: { cpu: 1 } } }", "256Mi", 201_326_592),
    ] {
        let found = managed_redis(&valid(&format!("{{ mode: Managed, managed: {managed} }}")));
        assert_eq!(found.resources.limits.unwrap()["memory"].0, limit, "{managed}");
        assert_eq!(found.max_memory_bytes, data, "{managed}");
    }
    for memory in ["31Mi", "0", "-1Gi", "lots"] {
        let redis = format!("{{ mode: Managed, managed: {{ resources: {{ limits: {{ memory: {memory} }} }} }} }}");
        assert_eq!(refused(&redis), ["spec.redis.managed.resources.limits.memory"], "{memory}");
    }
}

#[test]
fn a_volume_has_a_size() {
    for size in ["0", "-1Gi", "large"] {
        let redis = format!("{{ mode: Managed, managed: {{ storage: {{ size: {size} }} }} }}");
        assert_eq!(refused(&redis), ["spec.redis.managed.storage.size"], "{size}");
    }
    let kept = managed_redis(&valid("{ mode: Managed, managed: { storage: { size: 1Gi } } }"));
    assert_eq!(kept.storage, Some(Storage { size: Quantity("1Gi".to_owned()), class_name: None }));
    assert!(!kept.retain_volume);
}

/// Source: operator.md, P15.
#[test]
fn an_upgrade_of_the_operator_restarts_no_redis_and_a_change_of_it_takes_the_new_image_along() {
    let old = managed_redis(&valid(MANAGED)).image;
    let stateful_set = ObservedStatefulSet { image: Some(old.clone()), ..ObservedStatefulSet::default() };
    let observed = Observed {
        redis: ObservedRedis { stateful_set: Some(stateful_set), ..ObservedRedis::default() },
        ..Observed::default()
    };
    let upgraded = OperatorSettings { redis_image: "registry.example.com/redis:8".to_owned(), ..settings() };
    let image = |redis: &str| {
        let valid = validate(&mcp_server(&spec(redis)), &observed, &upgraded).unwrap();
        managed_redis(&valid).image.reference
    };
    assert_eq!(image(MANAGED), old.reference);
    assert_eq!(
        image("{ mode: Managed, managed: { resources: { limits: { memory: 1Gi } } } }"),
        "registry.example.com/redis:8"
    );
    assert_eq!(image("{ mode: Managed, managed: { image: own/redis:7 } }"), "own/redis:7");
}

#[test]
fn an_external_redis_is_reached_over_tls_unless_the_spec_says_otherwise() {
    let one = valid(EXTERNAL);
    let expected = json!({
        "topology": "Standalone", "addresses": ["redis.example.com:6380"], "keyPrefix": "mcpf:demo/tools:", "tls": {},
        "required": false,
    });
    assert_eq!(serde_json::to_value(&one.config.redis).unwrap(), expected);
    assert_eq!(one.redis, Some(ValidRedis::External(ExternalRedis::default())));
    assert_eq!(one.traffic.redis, RedisOutbound { managed: false, ports: [6380].into() });

    let clear = EXTERNAL.replace("'] }", "'], tls: { mode: Disabled } }");
    assert_eq!(valid(&clear).config.redis.unwrap().tls, None);
}

#[test]
fn what_opens_an_external_redis_is_named_by_the_files_that_it_is_mounted_as() {
    let redis = "{ mode: External, required: true, external: {
        topology: Sentinel, masterName: main, keyPrefix: 'acme:', addresses: ['b:26379', 'a:26379', 'b:26379'],
        credentialsSecretRef: { name: user, passwordKey: pass },
        tls: { caConfigMapRef: { name: corporate-ca }, clientSecretRef: { name: client } },
    } }";
    let valid = validate(&mcp_server(&spec(redis)), &with_ca(CA), &settings()).unwrap();
    let expected = json!({
        "topology": "Sentinel", "addresses": ["a:26379", "b:26379"], "masterName": "main", "keyPrefix": "acme:",
        "credentials": {
            "usernameFile": "/etc/mcp-foundry/redis/credentials/user/username",
            "passwordFile": "/etc/mcp-foundry/redis/credentials/user/pass",
        },
        "tls": {
            "caFile": "/etc/mcp-foundry/redis/ca/ca.crt",
            "client": {
                "certificateFile": "/etc/mcp-foundry/redis/client/client/tls.crt",
                "keyFile": "/etc/mcp-foundry/redis/client/client/tls.key",
            },
        },
        "required": true,
    });
    assert_eq!(serde_json::to_value(&valid.config.redis).unwrap(), expected);
    // The master's port is known to the sentinels alone.
    assert_eq!(valid.traffic.redis.ports, [6379, 26379].into());
}

#[test]
fn without_a_key_of_the_name_the_user_is_the_default_one() {
    let redis = EXTERNAL.replace("'] }", "'], credentialsSecretRef: { name: user, usernameKey: '' } }");
    let credentials = valid(&redis).config.redis.unwrap().credentials.unwrap();
    assert_eq!(credentials.username_file, None);
    assert_eq!(credentials.password_file, "/etc/mcp-foundry/redis/credentials/user/password");
}

#[test]
fn an_authority_that_cannot_be_used_is_never_replaced_by_the_systems() {
    let redis = EXTERNAL.replace("'] }", "'], tls: { caConfigMapRef: { name: corporate-ca } } }");
    for (observed, reason) in
        [(Observed::default(), Reason::MissingConfigMap), (with_ca("no certificate"), Reason::InvalidCaBundle)]
    {
        let invalid = validate(&mcp_server(&spec(&redis)), &observed, &settings()).unwrap_err();
        assert_eq!(invalid[0].reason, reason);
        assert!(invalid[0].field.starts_with("spec.redis.external.tls.caConfigMapRef."), "{}", invalid[0].field);
    }
}

/// CEL has these too. A Redis that nobody asked for, or one that cannot be meant, is never used.
#[test]
fn what_does_not_fit_together_is_refused_by_field() {
    let external = |fields: &str| format!("{{ mode: External, external: {{ {fields} }} }}");
    for (redis, field) in [
        ("{ required: true }".to_owned(), "spec.redis.required"),
        ("{ mode: External }".to_owned(), "spec.redis.external"),
        (external("addresses: []"), "spec.redis.external.addresses"),
        (external("addresses: ['a:1', 'b:1']"), "spec.redis.external.addresses"),
        (external("addresses: ['a:1'], masterName: main"), "spec.redis.external.masterName"),
        (external("addresses: ['a:1'], topology: Sentinel"), "spec.redis.external.masterName"),
        (external("addresses: ['a:1'], keyPrefix: acme"), "spec.redis.external.keyPrefix"),
        (external("addresses: ['a:1'], keyPrefix: 'a*:'"), "spec.redis.external.keyPrefix"),
        (external("addresses: ['a:1'], keyPrefix: '{a}:'"), "spec.redis.external.keyPrefix"),
        (external("addresses: ['a:1'], keyPrefix: 'a b:'"), "spec.redis.external.keyPrefix"),
        (external(&format!("addresses: ['a:1'], keyPrefix: '{}:'", "a".repeat(128))), "spec.redis.external.keyPrefix"),
    ] {
        assert_eq!(refused(&redis), [field], "{redis}");
    }
}

#[test]
fn an_address_is_a_host_and_a_port_and_leads_to_nothing_that_is_never_connected_to() {
    for address in [
        "redis.example.com",
        "redis.example.com:0",
        "redis.example.com:65536",
        "redis://redis.example.com:6379",
        "user@redis.example.com:6379",
        "a b:6379",
        "localhost:6379",
        "127.0.0.1:6379",
        "[::1]:6379",
        "169.254.169.254:80",
        "[fd00:ec2::254]:80",
        "kubernetes.default.svc:443",
    ] {
        let redis = format!("{{ mode: External, external: {{ addresses: ['{address}'] }} }}");
        assert_eq!(refused(&redis), ["spec.redis.external.addresses[0]"], "{address}");
    }
    // A Redis has a private address more often than not, also where issuers and upstreams may have none.
    let strict = OperatorSettings { allow_private_addresses: false, ..settings() };
    for address in ["10.1.2.3:6379", "[fd12::1]:6379", "redis.team-b.svc:6379"] {
        let redis = format!("{{ mode: External, external: {{ addresses: ['{address}'] }} }}");
        assert!(validate(&mcp_server(&spec(&redis)), &Observed::default(), &strict).is_ok(), "{address}");
    }
}

/// Pods that a rollout has not replaced keep the way to their Redis, however often the operator restarts.
#[test]
fn the_way_to_a_former_redis_stays_open_while_a_pod_may_need_it() {
    let former = valid(MANAGED);
    let policy = |noted: &str| {
        let owner = json!({ "apiVersion": "x", "kind": "McpServer", "name": "tools", "uid": UID, "controller": true });
        let annotations = json!({ annotation::REDIS_OUTBOUND: noted });
        let metadata = json!({ "name": "tools", "annotations": annotations, "ownerReferences": [owner] });
        ObservedChild { kind: ChildKind::NetworkPolicy, metadata: serde_json::from_value(metadata).unwrap() }
    };
    let pod = |revision: &str, deleting| ObservedPod {
        config_revision: Some(revision.to_owned()),
        deleting,
        ..ObservedPod::default()
    };
    let deployment = |rolled: bool| ObservedDeployment {
        generation: 2,
        observed_generation: 1 + i64::from(rolled),
        ..ObservedDeployment::default()
    };
    let outbound = |redis: &str, pods: Vec<ObservedPod>, rolled: bool| {
        let observed = Observed {
            children: vec![policy("managed,7000")],
            deployment: Some(deployment(rolled)),
            pods,
            ..Observed::default()
        };
        let valid = validate(&mcp_server(&spec(redis)), &observed, &settings()).unwrap();
        valid.traffic.redis.noted()
    };
    let open = Some("7000,managed".to_owned());
    let before = former.config_revision.as_str();
    assert_eq!(outbound(NONE, vec![pod(before, false)], true), open);
    assert_eq!(outbound(NONE, vec![pod(before, true)], true), open);
    assert_eq!(outbound(EXTERNAL, vec![pod(before, false)], true), Some("6380,7000,managed".to_owned()));
    assert_eq!(outbound(NONE, vec![], false), open);
    assert_eq!(outbound(NONE, vec![], true), None);
    let none = valid(NONE).config_revision;
    assert_eq!(outbound(NONE, vec![pod(&none, false)], true), None);
    assert_eq!(outbound(NONE, vec![pod(&none, false), pod(before, true)], true), open);
}

fn managed_redis(valid: &ValidServer) -> ManagedRedis {
    match &valid.redis {
        Some(ValidRedis::Managed(managed)) => managed.as_ref().clone(),
        other => panic!("{other:?}"),
    }
}

fn valid(redis: &str) -> ValidServer {
    validate(&mcp_server(&spec(redis)), &Observed::default(), &settings()).unwrap()
}

fn refused(redis: &str) -> Vec<String> {
    let invalid = validate(&mcp_server(&spec(redis)), &Observed::default(), &settings()).unwrap_err();
    invalid.into_iter().map(|invalid| invalid.field).collect()
}

fn with_ca(pem: &str) -> Observed {
    let keys = [("ca.crt".to_owned(), pem.as_bytes().to_vec())].into();
    Observed { config_maps: [("corporate-ca".to_owned(), ReferencedConfigMap { keys })].into(), ..Observed::default() }
}

fn spec(redis: &str) -> String {
    format!("{{ auth: {{ issuers: [{{ issuer: https://login }}] }}, redis: {redis} }}")
}
