//! A fixture's whole object set as reviewable YAML, and what must hold for all of them.

use std::collections::BTreeMap;

use crds::McpServer;
use proptest::prelude::*;
use serde::Serialize;
use serde_json::Value;

use super::{Desired, DesiredRedis, desired};
use crate::{
    desired::annotation::DESIRED_HASH,
    observed::{Observed, ReferencedConfigMap, ServiceAccountKeys},
    validate::{tests::settings, validate},
};

const MINIMAL: &str = include_str!("../../fixtures/minimal.yaml");
const FULL: &str = include_str!("../../fixtures/full.yaml");
const OPEN: &str = include_str!("../../fixtures/open.yaml");
const IN_CLUSTER: &str = include_str!("../../fixtures/in-cluster.yaml");
const SERVICE_ACCOUNTS: &str = include_str!("../../fixtures/service-accounts.yaml");
const MIRROR: &str = include_str!("../../fixtures/mirror.yaml");
const REDIS_MANAGED: &str = include_str!("../../fixtures/redis-managed.yaml");
const REDIS_EXTERNAL: &str = include_str!("../../fixtures/redis-external.yaml");
const ALL: [&str; 8] = [MINIMAL, FULL, OPEN, IN_CLUSTER, SERVICE_ACCOUNTS, MIRROR, REDIS_MANAGED, REDIS_EXTERNAL];

#[test]
fn the_objects_of_the_smallest_exposed_endpoint() {
    insta::assert_yaml_snapshot!("minimal", objects(MINIMAL));
}

#[test]
fn the_objects_of_an_endpoint_with_every_field() {
    insta::assert_yaml_snapshot!("full", objects(FULL));
}

#[test]
fn the_objects_of_an_open_endpoint() {
    insta::assert_yaml_snapshot!("open", objects(OPEN));
}

#[test]
fn the_objects_of_an_endpoint_inside_the_cluster() {
    insta::assert_yaml_snapshot!("in-cluster", objects(IN_CLUSTER));
}

#[test]
fn the_objects_of_an_endpoint_for_service_accounts() {
    insta::assert_yaml_snapshot!("service-accounts", objects(SERVICE_ACCOUNTS));
}

#[test]
fn the_objects_of_an_endpoint_with_a_redis_of_its_own() {
    insta::assert_yaml_snapshot!("redis-managed", objects(REDIS_MANAGED));
}

#[test]
fn the_objects_of_an_endpoint_with_the_users_redis() {
    insta::assert_yaml_snapshot!("redis-external", objects(REDIS_EXTERNAL));
}

#[test]
fn the_documents_at_the_root_of_the_host_are_routed_exactly() {
    let ingress = serde_json::to_value(all(&parse(MIRROR)).ingress).unwrap();
    let paths = ingress["spec"]["rules"][0]["http"]["paths"].as_array().unwrap();
    let paths: Vec<_> =
        paths.iter().map(|path| (path["path"].as_str().unwrap(), path["pathType"].as_str().unwrap())).collect();
    let expected = [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/mcp",
        "/mcp/capabilities",
    ];
    assert_eq!(paths, expected.map(|path| (path, "Exact")));
}

/// Renewed keys are read again from the mounted file.
#[test]
fn other_keys_of_the_api_server_change_one_config_map_alone() {
    let mcp_server = parse(SERVICE_ACCOUNTS);
    let of = |kid: &str| {
        let observed = Observed { service_account_keys: Some(Ok(service_account_keys(kid))), ..Observed::default() };
        desired(&validate(&mcp_server, &observed, &settings()).unwrap())
    };
    let (before, after) = (of("a"), of("b"));
    assert_ne!(before.service_account_keys, after.service_account_keys);
    assert_eq!(Desired { service_account_keys: None, ..before }, Desired { service_account_keys: None, ..after });
}

/// Source: operator.md, `shuffled-build`.
#[test]
fn the_order_of_what_has_no_order_changes_no_byte() {
    let wanted = serde_json::to_string(&objects(FULL)).unwrap();
    for rotation in 0..50 {
        let mut mcp_server = parse(FULL);
        let spec = &mut mcp_server.spec;
        spec.upstreams.rotate_left(rotation % 2);
        for issuer in &mut spec.auth.issuers {
            rotate(&mut issuer.audiences, rotation);
            rotate(&mut issuer.allowed_clients, rotation);
            issuer.algorithms.iter_mut().for_each(|list| rotate(list, rotation));
            rotate(&mut issuer.required_claims, rotation);
            for claim in &mut issuer.required_claims {
                claim.one_of.iter_mut().for_each(|list| rotate(list, rotation));
            }
            issuer.workloads.iter_mut().for_each(|list| rotate(list, rotation));
            if let Some(mappings) = &mut issuer.scope_mappings {
                rotate(mappings, rotation);
                for mapping in mappings {
                    rotate(&mut mapping.grant_scopes, rotation);
                }
            }
        }
        let http = spec.http.as_mut().unwrap();
        rotate(&mut http.allowed_origins, rotation);
        rotate(&mut http.extra_hosts, rotation);
        for rule in &mut spec.authorization.rules {
            rotate(&mut rule.tools, rotation);
            rotate(&mut rule.scopes, rotation);
            rotate(&mut rule.principal_kinds, rotation);
            rotate(&mut rule.principals, rotation);
            rotate(&mut rule.groups, rotation);
            rotate(&mut rule.tenants, rotation);
        }
        rotate(&mut spec.authorization.scope_implications, rotation);
        for implication in &mut spec.authorization.scope_implications {
            rotate(&mut implication.implies, rotation);
        }
        assert_eq!(serde_json::to_string(&objects_of(&mcp_server)).unwrap(), wanted);
    }
}

#[test]
fn every_object_is_ours_alone_and_says_what_it_should_be() {
    for fixture in ALL {
        for object in objects(fixture) {
            let metadata = &object["metadata"];
            assert_eq!(metadata["namespace"], "demo");
            assert_eq!(metadata["labels"]["mcpfoundry.dev/mcp-server"], "tools");
            let owner = &metadata["ownerReferences"][0];
            assert_eq!(owner["uid"], "11111111-2222-3333-4444-555555555555");
            assert_eq!((&owner["controller"], &owner["blockOwnerDeletion"]), (&true.into(), &true.into()));
            // The Secret is made once and never compared.
            if object["kind"] != "Secret" {
                assert_eq!(metadata["annotations"][DESIRED_HASH].as_str().unwrap().len(), 10);
            }
        }
    }
}

#[test]
fn scaling_changes_the_policy_and_the_deployment_but_nothing_in_its_template() {
    let before = parse(MINIMAL);
    let mut after = before.clone();
    after.spec.replicas = 7;
    let (before, after) = (objects_of(&before), objects_of(&after));
    for (before, after) in before.iter().zip(&after) {
        if before["kind"] == "Deployment" {
            assert_eq!(before["spec"]["template"], after["spec"]["template"]);
            assert_eq!(after["spec"]["replicas"], 7);
            assert_ne!(before["metadata"]["annotations"], after["metadata"]["annotations"]);
        } else if before["metadata"]["name"] == "tools-policy" {
            let policy = after["data"]["gateway-policy.json"].as_str().unwrap();
            assert!(policy.contains(r#""replicas": 7"#), "{policy}");
        } else {
            assert_eq!(before, after);
        }
    }
}

#[test]
fn a_tightened_rule_rolls_no_pod() {
    let before = parse(MINIMAL);
    let mut after = before.clone();
    after.spec.authorization.default = crds::mcp_server::AuthorizationDefault::Authenticated;
    assert_eq!(all(&before).deployment, all(&after).deployment);
    assert_eq!(all(&before).config_map, all(&after).config_map);
    assert_ne!(all(&before).policy_config_map, all(&after).policy_config_map);
}

#[test]
fn limits_roll_no_pod() {
    let before = parse(MINIMAL);
    let mut after = before.clone();
    after.spec.limits.streams_per_principal = 1;
    after.spec.sessions.replay_events = 0;
    assert_eq!(all(&before).deployment, all(&after).deployment);
    assert_eq!(all(&before).config_map, all(&after).config_map);
    assert_ne!(all(&before).policy_config_map, all(&after).policy_config_map);
}

/// Defaults of the CRD and of the file are the same: what is left out here is left to the server there.
#[test]
fn without_limits_the_policy_has_its_defaults() {
    use crds::gateway_config::{GatewayPolicy, LimitsPolicy, Versioned};
    let text = all(&parse(MINIMAL)).policy_config_map.data.unwrap()["gateway-policy.json"].clone();
    assert_eq!(GatewayPolicy::parse(text.as_bytes()).unwrap().limits, LimitsPolicy::default());
}

/// Nothing that is compared, logged or printed holds a key or a password.
#[test]
fn desired_secrets_hold_nothing() {
    let desired = all(&parse(REDIS_MANAGED));
    assert!(desired.sealing_secrets.iter().all(|secret| secret.data.is_none()));
    let credentials = desired.redis.unwrap().credentials;
    assert_eq!(credentials.iter().map(|credentials| &credentials.secret.data).collect::<Vec<_>>(), [&None]);
}

/// Source: redis-and-degradation.md, `hashes-only`.
#[test]
fn the_redis_mounts_lines_of_users_and_no_password() {
    let redis = all(&parse(REDIS_MANAGED)).redis.unwrap();
    let stateful_set = json(&redis.stateful_set);
    let text = stateful_set.to_string();
    assert!(text.contains("user.acl") && !text.contains(r#""password""#) && !text.contains(r#""username""#), "{text}");
    let volumes = stateful_set["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    assert!(volumes.iter().all(|volume| volume["secret"] == Value::Null), "a Secret as a whole holds the password");
}

#[test]
fn a_redis_comes_and_goes_with_its_mode_and_changes_nothing_else_of_an_endpoint_without_one() {
    let managed = all(&parse(REDIS_MANAGED));
    let mut mcp_server = parse(REDIS_MANAGED);
    mcp_server.spec.redis = crds::mcp_server::Redis::default();
    let none = all(&mcp_server);
    assert_eq!(none.redis, None);
    assert_eq!((&none.service, &none.policy_config_map), (&managed.service, &managed.policy_config_map));
    assert_eq!(none.network_policy.metadata.annotations.unwrap().len(), 1);
}

#[test]
fn a_change_of_the_redis_rolls_it_and_not_the_gateway() {
    let before = all(&parse(REDIS_MANAGED));
    let mut mcp_server = parse(REDIS_MANAGED);
    let managed = mcp_server.spec.redis.managed.as_mut().unwrap();
    managed.resources = None;
    let after = all(&mcp_server);
    assert_eq!((&before.deployment, &before.config_map), (&after.deployment, &after.config_map));
    let template = |desired: &Desired| json(&desired.redis.as_ref().unwrap().stateful_set)["spec"]["template"].clone();
    assert_ne!(template(&before), template(&after));
    let config =
        |desired: &Desired| template(desired)["metadata"]["annotations"]["mcpfoundry.dev/redis-config"].clone();
    assert_ne!(config(&before), config(&after));
}

/// The gateway reads the mounted file again: a rollout besides would be one change made twice.
#[test]
fn another_ca_bundle_under_the_same_name_rolls_no_pod() {
    let mcp_server = parse(FULL);
    let before = desired(&validate(&mcp_server, &world(CA), &settings()).unwrap());
    let after = desired(&validate(&mcp_server, &world(&format!("{CA}{CA}")), &settings()).unwrap());
    assert_eq!(before, after);
}

#[test]
fn open_endpoints_say_so_in_an_argument_and_others_never_do() {
    for fixture in ALL {
        let text = serde_json::to_string(&all(&parse(fixture)).deployment).unwrap();
        assert_eq!(text.contains("--allow-unauthenticated-non-loopback"), fixture == OPEN);
    }
}

/// Pod Security «restricted», and what the standard leaves open. Source: operator.md, P33.
#[test]
fn pods_have_no_privilege() {
    let workloads = ALL.iter().flat_map(|fixture| objects(fixture));
    for workload in workloads.filter(|object| object["kind"] == "Deployment" || object["kind"] == "StatefulSet") {
        let pod = &workload["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        for absent in ["hostNetwork", "hostPID", "hostIPC", "initContainers", "nodeName"] {
            assert_eq!(pod[absent], Value::Null, "{absent}");
        }
        for container in pod["containers"].as_array().unwrap() {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false);
            assert_eq!(context["readOnlyRootFilesystem"], true);
            assert_eq!(context["capabilities"], serde_json::json!({ "drop": ["ALL"] }));
            assert_ne!(container["resources"], Value::Null);
            assert_eq!(container["env"], Value::Null);
        }
        for volume in pod["volumes"].as_array().unwrap() {
            let name = volume["name"].as_str().unwrap();
            assert!(is_harmless(volume), "{name} is no ConfigMap, no own or named Secret and no bounded scratch space");
        }
    }
}

/// ConfigMaps, scratch space with an end, Secrets of our own, and those that the spec names, which may be missing.
fn is_harmless(volume: &Value) -> bool {
    let own = |name: &str| ["tools-sealing-1-11111111", "tools-redis-1-11111111"].contains(&name);
    let secret = volume["secret"]["secretName"].as_str();
    let named = secret.is_some_and(|name| own(name) || volume["secret"]["optional"] == true);
    let lines = volume["projected"]["sources"].as_array().is_some_and(|sources| {
        let name = |source: &Value| source["secret"]["name"].as_str().is_some_and(own);
        sources.iter().all(|source| name(source) && source["secret"]["items"][0]["key"] == "user.acl")
    });
    let empty_dir = &volume["emptyDir"];
    let bounded = empty_dir["sizeLimit"].is_string() && empty_dir.get("medium").is_none();
    volume["configMap"] != Value::Null || named || lines || bounded
}

proptest! {
    #[test]
    fn names_of_children_fit_whatever_the_name(name in "[a-z]([-a-z0-9]{0,38}[a-z0-9])?") {
        for fixture in [FULL, REDIS_MANAGED] {
            let mut mcp_server = parse(fixture);
            mcp_server.metadata.name = Some(name.clone());
            for object in objects_of(&mcp_server) {
                let name = object["metadata"]["name"].as_str().unwrap();
                prop_assert!(name.len() <= 63);
                // Kubernetes adds `-` and ten characters to it, in a label of the pods.
                prop_assert!(object["kind"] != "StatefulSet" || name.len() <= 52);
            }
        }
    }
}

fn rotate<T>(list: &mut [T], by: usize) {
    if !list.is_empty() {
        list.rotate_left(by % list.len());
    }
}

fn parse(yaml: &str) -> McpServer {
    serde_saphyr::from_str(yaml).unwrap()
}

fn objects(yaml: &str) -> Vec<Value> {
    objects_of(&parse(yaml))
}

fn all(mcp_server: &McpServer) -> Desired {
    desired(&validate(mcp_server, &world(CA), &settings()).unwrap())
}

/// In the order of application.
fn objects_of(mcp_server: &McpServer) -> Vec<Value> {
    let Desired {
        service_account,
        config_map,
        policy_config_map,
        service_account_keys,
        redis,
        network_policy,
        service,
        disruption_budget,
        sealing_secrets,
        retired_secrets: _,
        deployment,
        ingress,
    } = all(mcp_server);
    let mut objects = vec![json(&service_account), json(&config_map), json(&policy_config_map)];
    objects.extend(service_account_keys.as_ref().map(json));
    if let Some(DesiredRedis { network_policy, .. }) = &redis {
        objects.push(json(network_policy));
    }
    objects.push(json(&network_policy));
    if let Some(redis) = redis {
        let DesiredRedis { network_policy: _, config_map, credentials, service, disruption_budget, stateful_set } =
            redis;
        objects.push(json(&config_map));
        objects.extend(credentials.iter().map(|credentials| json(&credentials.secret)));
        objects.extend([json(&service), json(&disruption_budget), json(&stateful_set)]);
    }
    objects.extend([json(&service), json(&disruption_budget)]);
    objects.extend(sealing_secrets.iter().map(json));
    objects.push(json(&deployment));
    objects.extend(ingress.as_ref().map(json));
    objects
}

fn json(object: &impl Serialize) -> Value {
    serde_json::to_value(object).unwrap()
}

const CA: &str = crate::validate::tests::CA;

fn world(ca: &str) -> Observed {
    let keys = BTreeMap::from([("ca.crt".to_owned(), ca.as_bytes().to_vec())]);
    Observed {
        config_maps: [("corporate-ca".to_owned(), ReferencedConfigMap { keys })].into(),
        service_account_keys: Some(Ok(service_account_keys("a"))),
        ..Observed::default()
    }
}

fn service_account_keys(kid: &str) -> ServiceAccountKeys {
    ServiceAccountKeys {
        issuer: "https://kubernetes.default.svc.cluster.local".to_owned(),
        jwks: serde_json::json!({ "keys": [{ "kid": kid, "kty": "RSA", "alg": "RS256", "use": "sig", "n": "AQAB", "e": "AQAB" }] }),
        fetched_at: 1_763_820_000,
    }
}
