//! Each reason why a spec is not run, and the fixtures of the pure stages.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes its literals with hashes")]

use expect_test::{Expect, expect};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::*;
use crate::host_policy::HostPolicy;
use crate::observed::{ChildKind, ObservedChild, ReferencedConfigMap, RouteOwner};

const WITH_CA: &str =
    "{ auth: { issuers: [{ issuer: https://login, caConfigMapRef: { name: corporate-ca, key: root.pem } }] } }";

const EXPOSED: &str = "{ publicUrl: https://mcp.example.com/mcp, expose: { ingress: {} }, auth: { issuers: [{ issuer: https://login }] } }";

#[test]
fn a_missing_ca_is_reported_by_name() {
    check(
        WITH_CA,
        &Observed::default(),
        &expect![
            "MissingConfigMap spec.auth.issuers[0].caConfigMapRef.name: ConfigMap `corporate-ca` does not exist in namespace `demo`; create it, or correct the name"
        ],
    );
}

#[test]
fn a_ca_without_the_key_is_reported_by_key() {
    check(
        WITH_CA,
        &with_ca("ca.crt", CA.as_bytes()),
        &expect![
            "MissingConfigMapKey spec.auth.issuers[0].caConfigMapRef.key: ConfigMap `corporate-ca` has no key `root.pem`; add the key, or correct its name"
        ],
    );
}

#[test]
fn a_ca_that_is_no_certificate_is_never_replaced_by_the_systems_roots() {
    for content in [
        &b""[..],
        b"not PEM",
        b"\xff\xfe",
        b"-----BEGIN CERTIFICATE-----\nMIIB",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let observed = with_ca("root.pem", content);
        let invalid = validate(&mcp_server(WITH_CA), &observed, &settings()).unwrap_err();
        assert_eq!(invalid[0].reason, Reason::InvalidCaBundle);
    }
    check(
        WITH_CA,
        &with_ca("root.pem", b"not PEM"),
        &expect![
            "InvalidCaBundle spec.auth.issuers[0].caConfigMapRef.key: key `root.pem` of ConfigMap `corporate-ca` does not hold PEM certificates; put CA certificates there, each from BEGIN CERTIFICATE to END CERTIFICATE"
        ],
    );
}

#[test]
fn a_good_ca_is_mounted_and_named_in_the_configuration() {
    let valid = validate(&mcp_server(WITH_CA), &with_ca("root.pem", CA.as_bytes()), &settings()).unwrap();
    let file = valid.config.auth.issuers[0].ca_file.as_deref();
    assert_eq!(file, Some("/etc/mcp-foundry/issuer-ca/0/root.pem"));
}

/// Source: auth.md, `refuse-open`: of all combinations only the spelled-out ones run.
#[test]
fn running_open_takes_both_fields_and_no_issuer() {
    for (mode, open, issuers, runs) in [
        ("OAuth", false, "[{ issuer: https://login }]", true),
        ("OAuth", false, "[]", false),
        ("OAuth", true, "[{ issuer: https://login }]", false),
        ("OAuth", true, "[]", false),
        ("None", false, "[{ issuer: https://login }]", false),
        ("None", false, "[]", false),
        ("None", true, "[{ issuer: https://login }]", false),
        ("None", true, "[]", true),
    ] {
        let spec = format!("{{ auth: {{ mode: {mode}, insecureAllowUnauthenticated: {open}, issuers: {issuers} }} }}");
        let verdict = validate(&mcp_server(&spec), &Observed::default(), &settings());
        assert_eq!(verdict.is_ok(), runs, "{spec}");
    }
    check(
        "{ auth: {} }",
        &Observed::default(),
        &expect![
            "InvalidSpec spec.auth.issuers: is empty, so that nobody could call; add an issuer: [{ issuer: https://... }]"
        ],
    );
    check(
        "{ auth: { mode: None } }",
        &Observed::default(),
        &expect![
            "InvalidSpec spec.auth.mode: is None without insecureAllowUnauthenticated: true; use mode OAuth with issuers, or set both to serve everybody"
        ],
    );
}

#[test]
fn keys_come_over_tls_and_issuers_are_named_once() {
    check(
        "{ auth: { issuers: [{ issuer: http://login }] } }",
        &Observed::default(),
        &expect![
            "InvalidSpec spec.auth.issuers[0].issuer: is no https URL, so that keys could not be trusted; set jwksUri to the https URL of the issuer's keys, or issuer to its https URL"
        ],
    );
    check(
        "{ auth: { issuers: [{ issuer: project-1 }] } }",
        &Observed::default(),
        &expect![
            "InvalidSpec spec.auth.issuers[0].issuer: is no https URL, so that keys could not be trusted; set jwksUri to the https URL of the issuer's keys, or issuer to its https URL"
        ],
    );
    check(
        "{ auth: { issuers: [{ issuer: https://login, jwksUri: http://keys }] } }",
        &Observed::default(),
        &expect![
            "InvalidSpec spec.auth.issuers[0].jwksUri: is no https URL, so that keys could not be trusted; set jwksUri to the https URL of the issuer's keys, or issuer to its https URL"
        ],
    );
    check(
        "{ auth: { issuers: [{ issuer: https://login }, { issuer: https://login }] } }",
        &Observed::default(),
        &expect!["InvalidSpec spec.auth.issuers[1].issuer: is named twice; merge the two entries"],
    );
}

#[test]
fn a_route_needs_a_url_with_a_name_as_host() {
    for (spec, expected) in [
        (
            "{ expose: { ingress: {} }, auth: { issuers: [{ issuer: https://login }] } }",
            expect![
                "InvalidSpec spec.publicUrl: is missing, and host and path of the route come from it; set it to a URL such as https://mcp.example.com/mcp"
            ],
        ),
        (
            "{ publicUrl: https://192.0.2.1/mcp, expose: { ingress: {} }, auth: { issuers: [{ issuer: https://login }] } }",
            expect![
                "InvalidSpec spec.publicUrl: has an address as host, which an Ingress cannot route; set it to a URL such as https://mcp.example.com/mcp"
            ],
        ),
        (
            "{ publicUrl: http://mcp.example.com/mcp, auth: { issuers: [{ issuer: https://login }] } }",
            expect![
                "InvalidSpec spec.publicUrl: is http beyond localhost and the cluster, where anybody could read tokens; set it to a URL such as https://mcp.example.com/mcp"
            ],
        ),
    ] {
        check(spec, &Observed::default(), &expected);
    }
}

#[test]
fn peers_and_collector_must_be_readable() {
    for (spec, expected) in [
        (
            "{ publicUrl: https://a.example.com, expose: { from: [{ ipBlock: { cidr: 10.0.0.0/33 } }] }, auth: { issuers: [{ issuer: https://login }] } }",
            expect![
                "InvalidSpec spec.expose.from[0].ipBlock.cidr: is no range of addresses; write a range such as 10.0.0.0/8, and parts of it in except"
            ],
        ),
        (
            "{ publicUrl: https://a.example.com, expose: { from: [{ ipBlock: { cidr: 10.0.0.0/8, except: [11.0.0.0/16] } }] }, auth: { issuers: [{ issuer: https://login }] } }",
            expect![
                "InvalidSpec spec.expose.from[0].ipBlock.except: holds something that is no range inside cidr; write a range such as 10.0.0.0/8, and parts of it in except"
            ],
        ),
        (
            "{ publicUrl: https://a.example.com, expose: { from: [{}] }, auth: { issuers: [{ issuer: https://login }] } }",
            expect![
                "InvalidSpec spec.expose.from[0]: takes either ipBlock or selectors; set ipBlock alone, or podSelector, namespaceSelector or both"
            ],
        ),
        (
            "{ observability: { otlp: { endpoint: collector } }, auth: { issuers: [{ issuer: https://login }] } }",
            expect![
                "InvalidSpec spec.observability.otlp.endpoint: is no http or https URL; set it to a URL such as http://otel-collector.observability.svc:4318"
            ],
        ),
    ] {
        check(spec, &Observed::default(), &expected);
    }
}

#[test]
fn the_older_of_two_routes_wins() {
    let check_path = |spec: &str, path: &str, expected: &Expect| {
        let owner = RouteOwner { namespace: "other".to_owned(), name: "first".to_owned(), path: path.to_owned() };
        check(spec, &Observed { route_owner: Some(owner), ..Observed::default() }, expected);
    };
    check_path(
        EXPOSED,
        "/mcp",
        &expect![
            "RouteConflict spec.publicUrl: `/mcp` of host `mcp.example.com` belongs to the older McpServer `first` in namespace `other`; choose another host or path, or delete the other"
        ],
    );
    let with_root_documents = EXPOSED.replace("auth: {", "auth: { rootMetadata: true, issuerMetadataMirror: true,");
    check_path(
        &with_root_documents,
        "/.well-known/oauth-protected-resource",
        &expect![
            "RouteConflict spec.auth.rootMetadata: `/.well-known/oauth-protected-resource` of host `mcp.example.com` belongs to the older McpServer `first` in namespace `other`; remove it, or delete the other"
        ],
    );
    check_path(
        &with_root_documents,
        "/.well-known/oauth-authorization-server",
        &expect![
            "RouteConflict spec.auth.issuerMetadataMirror: `/.well-known/oauth-authorization-server` of host `mcp.example.com` belongs to the older McpServer `first` in namespace `other`; remove it, or delete the other"
        ],
    );
}

#[test]
fn documents_beside_the_metadata_need_something_to_serve() {
    check(
        "{ auth: { mode: None, insecureAllowUnauthenticated: true, rootMetadata: true } }",
        &Observed::default(),
        &expect![
            "InvalidSpec spec.auth.rootMetadata: would be ignored with mode None, under which there is no metadata; remove it, or use mode OAuth with issuers"
        ],
    );
    let mirrored = |issuers: &str| {
        let spec = format!("{{ auth: {{ issuerMetadataMirror: true, issuers: {issuers} }} }}");
        validate(&mcp_server(&spec), &Observed::default(), &settings())
    };
    for issuers in [
        "[{ issuer: https://a }, { issuer: https://b }]",
        "[{ issuer: https://a, jwksUri: https://a/jwks }]",
        "[{ issuer: project-1, jwksUri: https://a/jwks }]",
        "[{ issuer: https://a, preset: kubernetes, scopeMappings: [] }]",
    ] {
        assert_eq!(mirrored(issuers).unwrap_err()[0].field, "spec.auth.issuerMetadataMirror", "{issuers}");
    }
    check(
        "{ auth: { issuerMetadataMirror: true, issuers: [{ issuer: https://a }, { issuer: https://b }] } }",
        &Observed::default(),
        &expect![
            "InvalidSpec spec.auth.issuerMetadataMirror: has no one document to mirror; name exactly one issuer, an https URL without jwksUri and not of preset kubernetes, or remove it"
        ],
    );
    let both = "{ auth: { issuers: [{ issuer: https://login }], rootMetadata: true, issuerMetadataMirror: true } }";
    let valid = validate(&mcp_server(both), &Observed::default(), &settings()).unwrap();
    assert!(valid.config.auth.root_metadata && valid.config.auth.issuer_metadata_mirror);
}

/// Before anything is routed, and whatever the route of another.
#[test]
fn a_host_is_for_the_namespaces_that_the_operator_allows() {
    let policy = |rules: &[&str]| OperatorSettings {
        host_policy: HostPolicy::new(rules.iter().map(|rule| rule.parse().unwrap()).collect()),
        ..settings()
    };
    for (rules, allowed) in [
        (&[][..], true),
        (&["demo=mcp.example.com"], true),
        (&["other=mcp.example.com", "*=*.example.com"], true),
        (&["other=mcp.example.com"], false),
        (&["demo=www.example.com"], false),
    ] {
        let verdict = validate(&mcp_server(EXPOSED), &Observed::default(), &policy(rules));
        assert_eq!(verdict.is_ok(), allowed, "{rules:?}");
    }
    let invalid =
        validate(&mcp_server(EXPOSED), &Observed::default(), &policy(&["other=mcp.example.com"])).unwrap_err();
    expect!["HostNotAllowed spec.publicUrl: has the host `mcp.example.com`, which the operator's host policy keeps from namespace `demo`; choose a host that is allowed, or ask who runs the operator"].assert_eq(&format!("{} {}", invalid[0].reason, invalid[0].sentence()));

    let inside = "{ auth: { issuers: [{ issuer: https://login }] } }";
    assert!(validate(&mcp_server(inside), &Observed::default(), &policy(&["other=mcp.example.com"])).is_ok());
}

#[test]
fn what_belongs_to_somebody_else_is_left_alone() {
    check(
        EXPOSED,
        &with_child(None),
        &expect![
            "NameConflict metadata.name: Service `tools` exists and belongs to nobody that the operator knows; delete or rename it, or choose another name for the McpServer"
        ],
    );
    let other = owner("apps/v1", "Deployment", "shop", "9");
    check(
        EXPOSED,
        &with_child(Some(other)),
        &expect![
            "NameConflict metadata.name: Service `tools` exists and belongs to Deployment `shop`; delete or rename it, or choose another name for the McpServer"
        ],
    );
}

#[test]
fn a_reference_that_does_not_control_is_no_ownership() {
    let mut ours = owner("mcpfoundry.dev/v1alpha1", "McpServer", "tools", UID);
    ours.controller = None;
    let invalid = validate(&mcp_server(EXPOSED), &with_child(Some(ours)), &settings()).unwrap_err();
    assert_eq!(invalid[0].reason, Reason::NameConflict);
}

#[test]
fn children_of_a_deleted_namesake_are_waited_for() {
    let earlier = owner("mcpfoundry.dev/v1alpha1", "McpServer", "tools", "an-earlier-uid");
    check(
        EXPOSED,
        &with_child(Some(earlier)),
        &expect![
            "PredecessorRemains metadata.name: Service `tools` belongs to a deleted McpServer of the same name; wait until Kubernetes has collected it"
        ],
    );
}

#[test]
fn our_own_child_is_no_conflict() {
    let ours = owner("mcpfoundry.dev/v1alpha1", "McpServer", "tools", UID);
    assert!(validate(&mcp_server(EXPOSED), &with_child(Some(ours)), &settings()).is_ok());
}

#[test]
fn every_reason_is_listed_not_only_the_first() {
    check(
        "{ publicUrl: ftp://x, auth: { issuers: [{ issuer: x, caConfigMapRef: { name: gone } }] } }",
        &Observed::default(),
        &expect![[r#"
            InvalidSpec spec.publicUrl: is neither https nor http; set it to a URL such as https://mcp.example.com/mcp
            MissingConfigMap spec.auth.issuers[0].caConfigMapRef.name: ConfigMap `gone` does not exist in namespace `demo`; create it, or correct the name
            InvalidSpec spec.auth.issuers[0].issuer: is no https URL, so that keys could not be trusted; set jwksUri to the https URL of the issuer's keys, or issuer to its https URL"#]],
    );
}

#[test]
fn the_service_answers_under_all_its_names() {
    let spec =
        "{ http: { extraHosts: [z.example.com, a.example.com] }, auth: { issuers: [{ issuer: https://login }] } }";
    let valid = validate(&mcp_server(spec), &Observed::default(), &settings()).unwrap();
    assert_eq!(
        valid.config.accepted_hosts,
        ["a.example.com", "tools", "tools.demo", "tools.demo.svc", "tools.demo.svc.cluster.local", "z.example.com"]
    );
    assert_eq!(valid.endpoint.url, "http://tools.demo.svc/mcp");
    assert_eq!(valid.config.auth.issuers[0].audiences, ["http://tools.demo.svc/mcp"]);
}

/// Every reason why `spec` is not run, one a line.
pub(crate) fn check(spec: &str, observed: &Observed, expected: &Expect) {
    let invalid = validate(&mcp_server(spec), observed, &settings()).unwrap_err();
    let lines: Vec<String> = invalid.iter().map(|reason| format!("{} {}", reason.reason, reason.sentence())).collect();
    expected.assert_eq(&lines.join("\n"));
}

fn with_ca(key: &str, content: &[u8]) -> Observed {
    let keys = BTreeMap::from([(key.to_owned(), content.to_vec())]);
    Observed { config_maps: [("corporate-ca".to_owned(), ReferencedConfigMap { keys })].into(), ..Observed::default() }
}

/// A Service called `tools` exists.
fn with_child(owner: Option<OwnerReference>) -> Observed {
    let metadata = ObjectMeta {
        name: Some("tools".to_owned()),
        owner_references: owner.map(|owner| vec![owner]),
        ..ObjectMeta::default()
    };
    Observed { children: vec![ObservedChild { kind: ChildKind::Service, metadata }], ..Observed::default() }
}

fn owner(api_version: &str, kind: &str, name: &str, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The uid of what [`mcp_server`] makes.
pub(crate) const UID: &str = "11111111-2222-3333-4444-555555555555";

/// An `McpServer` named `tools` in namespace `demo`, with this spec.
pub(crate) fn mcp_server(spec: &str) -> McpServer {
    let spec: serde_json::Value = serde_saphyr::from_str(spec).unwrap();
    serde_json::from_value(serde_json::json!({
        "apiVersion": "mcpfoundry.dev/v1alpha1",
        "kind": "McpServer",
        "metadata": { "name": "tools", "namespace": "demo", "uid": UID, "generation": 3 },
        "spec": spec,
    }))
    .unwrap()
}

/// What the chart sets, in short.
pub(crate) fn settings() -> OperatorSettings {
    OperatorSettings {
        server_image: "registry.example.com/mcp-foundry/server:1".to_owned(),
        redis_image: "registry.example.com/redis:7".to_owned(),
        operator_namespace: "mcp-foundry".to_owned(),
        operator_pod_labels: [("app.kubernetes.io/name".to_owned(), "mcp-operator".to_owned())].into(),
        scraper_namespace_labels: [("kubernetes.io/metadata.name".to_owned(), "monitoring".to_owned())].into(),
        allow_private_addresses: true,
        cluster_domain: "cluster.local".to_owned(),
        api_server_host: None,
        host_policy: HostPolicy::default(),
    }
}

/// A certificate of nobody; its key was never kept.
pub(crate) const CA: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBejCCASGgAwIBAgIUSRRfr+/myi8gK3FrWMF5h3kkajgwCgYIKoZIzj0EAwIw\n\
EjEQMA4GA1UEAwwHdGVzdC1jYTAgFw0yNjExMjIxNjA5NDVaGA8yMTI2MTAyOTE2\n\
MDk0NVowEjEQMA4GA1UEAwwHdGVzdC1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n\
A0IABEGz5q9TUhhgyB2/JIjq2T5B2OHlKkIZ9mnDQzSJhLTGg9eSuYfMGD9pNO5K\n\
O9LNyMcddmYLBK0cJEMI4mrdcVejUzBRMB0GA1UdDgQWBBTIk6P8lWkcrka6LWjh\n\
BoAx2czpnDAfBgNVHSMEGDAWgBTIk6P8lWkcrka6LWjhBoAx2czpnDAPBgNVHRMB\n\
Af8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCID90REd3YgrRfMqc3slkd18Fqtwf\n\
zUY1AGOeNqcBwXC9AiAfxkwOmnCZxrwNzjawaWasnBqrV8fUcvzspW6m3ZhLjg==\n\
-----END CERTIFICATE-----\n\
";
