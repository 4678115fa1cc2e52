//! Every flow that must work, and every one that must not.

use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::evaluator::{End, flow};
use crate::{
    desired::desired,
    observed::Observed,
    validate::{
        OperatorSettings,
        tests::{mcp_server, settings},
        validate,
    },
};

const EXPOSED: &str = "
publicUrl: https://mcp.example.com/mcp
expose: { ingress: {} }
auth: { issuers: [{ issuer: 'https://login.example.com:8443/realms/acme', jwksUri: 'https://keys.example.com:9443/jwks' }] }
observability: { otlp: { endpoint: 'http://otel-collector.observability.svc:4318' } }
";

const UPSTREAMS: &str = "
auth: { issuers: [{ issuer: https://login.example.com }] }
upstreams:
  - { name: search, url: https://search.example.com/mcp }
  - { name: wiki, url: 'http://wiki.team-b.svc:3000/mcp' }
  - { name: plain, url: 'http://plain.example.com/mcp' }
";

const INSIDE: &str = "auth: { issuers: [{ issuer: https://login.example.com }] }";

#[test]
fn the_operator_reaches_both_ports_wherever_clients_come_from() {
    for spec in [EXPOSED, INSIDE] {
        let policy = policy(spec);
        assert!(flow(&policy, &operator(), &gateway(), "TCP", 9090));
        assert!(flow(&policy, &operator(), &gateway(), "TCP", 8080));
    }
}

#[test]
fn a_neighbour_of_the_operator_is_not_the_operator() {
    let neighbour = End::pod("mcp-foundry", &[("app.kubernetes.io/name", "other")], "10.1.0.9");
    let impostor = End::pod("elsewhere", &[("app.kubernetes.io/name", "mcp-operator")], "10.1.0.8");
    for end in [neighbour, impostor] {
        assert!(!flow(&policy(INSIDE), &end, &gateway(), "TCP", 9090));
        assert!(!flow(&policy(INSIDE), &end, &gateway(), "TCP", 8080));
    }
}

#[test]
fn the_scraper_reaches_the_admin_port_alone() {
    let policy = policy(INSIDE);
    assert!(flow(&policy, &scraper(), &gateway(), "TCP", 9090));
    assert!(!flow(&policy, &scraper(), &gateway(), "TCP", 8080));
}

#[test]
fn without_a_scraper_nobody_scrapes() {
    let settings = OperatorSettings { scraper_namespace_labels: [].into(), ..settings() };
    let policy = policy_with(INSIDE, &settings);
    assert!(!flow(&policy, &scraper(), &gateway(), "TCP", 9090));
}

#[test]
fn what_is_not_exposed_is_for_the_own_namespace() {
    let policy = policy(INSIDE);
    assert!(flow(&policy, &neighbour(), &gateway(), "TCP", 8080));
    assert!(!flow(&policy, &traefik(), &gateway(), "TCP", 8080));
    assert!(!flow(&policy, &End::address("198.51.100.7"), &gateway(), "TCP", 8080));
}

#[test]
fn what_is_exposed_without_from_is_for_everyone() {
    for end in [neighbour(), traefik(), End::address("198.51.100.7"), End::address("2001:db8::7")] {
        assert!(flow(&policy(EXPOSED), &end, &gateway(), "TCP", 8080));
    }
}

#[test]
fn the_admin_port_is_never_for_clients() {
    for spec in [EXPOSED, INSIDE] {
        for end in [neighbour(), traefik(), End::address("198.51.100.7")] {
            assert!(!flow(&policy(spec), &end, &gateway(), "TCP", 9090));
        }
    }
}

#[test]
fn from_lets_in_its_peers_and_nobody_else() {
    let policy = policy(
        "
        publicUrl: https://mcp.example.com/mcp
        expose:
          ingress: {}
          from:
            - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: traefik } }
            - podSelector: { matchLabels: { app: agent } }
            - namespaceSelector: {}
              podSelector: { matchLabels: { role: auditor } }
            - ipBlock: { cidr: 10.20.0.0/16, except: [10.20.9.0/24] }
        auth: { issuers: [{ issuer: https://login.example.com }] }
        ",
    );
    let enters = |end: &End| flow(&policy, end, &gateway(), "TCP", 8080);
    assert!(enters(&traefik()));
    assert!(enters(&End::pod("demo", &[("app", "agent")], "10.1.0.20")));
    assert!(enters(&End::pod("anywhere", &[("role", "auditor")], "10.1.0.21")));
    assert!(enters(&End::address("10.20.1.1")));
    assert!(!enters(&End::pod("elsewhere", &[("app", "agent")], "10.1.0.22")));
    assert!(!enters(&neighbour()));
    assert!(!enters(&End::address("10.20.9.1")));
    assert!(!enters(&End::address("198.51.100.7")));
    assert!(enters(&operator()));
}

#[test]
fn only_the_two_ports_exist() {
    for port in [22, 80, 443, 8081, 10250] {
        assert!(!flow(&policy(EXPOSED), &neighbour(), &gateway(), "TCP", port), "{port}");
    }
    assert!(!flow(&policy(EXPOSED), &neighbour(), &gateway(), "UDP", 8080));
}

#[test]
fn names_are_resolved_also_by_a_cache_on_the_node() {
    let caches = [
        End::pod("kube-system", &[("k8s-app", "kube-dns")], "10.1.0.2"),
        End::address("169.254.20.10"),
        End::address("fd00::a"),
    ];
    for cache in caches {
        for protocol in ["UDP", "TCP"] {
            assert!(flow(&policy(INSIDE), &gateway(), &cache, protocol, 53));
        }
    }
}

#[test]
fn issuer_keys_and_collector_are_reached_on_their_ports() {
    let policy = policy(EXPOSED);
    for port in [443, 8443, 9443, 4318] {
        for end in [End::address("203.0.113.5"), End::address("2001:db8::5"), End::address("10.1.0.7")] {
            assert!(flow(&policy, &gateway(), &end, "TCP", port), "{port}");
        }
    }
}

#[test]
fn upstreams_are_reached_on_the_ports_of_their_urls_and_on_no_other() {
    let policy = policy(UPSTREAMS);
    for end in
        [End::address("198.51.100.5"), End::address("2001:db8::5"), End::pod("team-b", &[("app", "wiki")], "10.1.0.7")]
    {
        for port in [443, 3000, 80] {
            assert!(flow(&policy, &gateway(), &end, "TCP", port), "{port}");
        }
        for port in [22, 3001, 8080, 6443] {
            assert!(!flow(&policy, &gateway(), &end, "TCP", port), "{port}");
        }
    }
    for port in [443, 3000, 80] {
        assert!(!flow(&policy, &gateway(), &End::address("169.254.169.254"), "TCP", port), "{port}");
    }
}

#[test]
fn an_upstream_reaches_nothing_of_the_gateway() {
    let policy = policy(UPSTREAMS);
    let upstream = End::pod("team-b", &[("app", "wiki")], "10.1.0.7");
    for port in [8080, 9090] {
        assert!(!flow(&policy, &upstream, &gateway(), "TCP", port), "{port}");
    }
}

#[test]
fn ports_that_nobody_named_are_closed() {
    for port in [22, 80, 2379, 4318, 6379, 6443, 8443, 10250] {
        assert!(!flow(&policy(INSIDE), &gateway(), &End::address("203.0.113.5"), "TCP", port), "{port}");
    }
    assert!(!flow(&policy(INSIDE), &gateway(), &End::address("203.0.113.5"), "UDP", 443));
}

#[test]
fn metadata_services_and_the_node_are_never_reached() {
    // Port 80 in use, so that only the address can be what closes it.
    let policy = policy(&INSIDE.replace("https://login.example.com", "https://login.example.com:80"));
    assert!(flow(&policy, &gateway(), &End::address("203.0.113.5"), "TCP", 80));
    for ip in [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.20.10",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fe80::1",
    ] {
        for port in [80, 443] {
            assert!(!flow(&policy, &gateway(), &End::address(ip), "TCP", port), "{ip}");
        }
    }
}

const MANAGED: &str = "{ auth: { issuers: [{ issuer: https://login.example.com }] }, redis: { mode: Managed } }";

#[test]
fn the_gateway_reaches_its_own_redis_on_one_port() {
    let policy = policy(MANAGED);
    assert!(flow(&policy, &gateway(), &redis(), "TCP", 6379));
    for port in [22, 443, 6380, 16379, 26379] {
        assert!(!flow(&policy, &gateway(), &redis(), "TCP", port), "{port}");
    }
    assert!(!flow(&policy, &gateway(), &redis(), "UDP", 6379));
}

/// Source: operator.md, `borrowed-redis`.
#[test]
fn a_redis_is_reached_by_its_own_gateway_alone() {
    let policy = policy(MANAGED);
    let namesake = [("app.kubernetes.io/name", "mcp-server"), ("app.kubernetes.io/instance", "tools")];
    let neighbour_server = [("app.kubernetes.io/name", "mcp-server"), ("app.kubernetes.io/instance", "others")];
    for end in [
        neighbour(),
        operator(),
        scraper(),
        traefik(),
        redis(),
        End::pod("elsewhere", &namesake, "10.1.0.30"),
        End::pod("demo", &neighbour_server, "10.1.0.31"),
        End::address("198.51.100.7"),
    ] {
        assert!(!flow(&policy, &end, &redis(), "TCP", 6379), "{end:?}");
    }
}

#[test]
fn a_redis_reaches_nothing() {
    let policy = policy(MANAGED);
    for end in [gateway(), neighbour(), operator(), End::address("203.0.113.5"), End::address("169.254.169.254")] {
        for port in [53, 80, 443, 6379, 6443, 8080] {
            for protocol in ["TCP", "UDP"] {
                assert!(!flow(&policy, &redis(), &end, protocol, port), "{end:?} {port}");
            }
        }
    }
}

#[test]
fn the_gateway_reaches_no_redis_but_its_own() {
    let policy = policy(MANAGED);
    let others = [("app.kubernetes.io/name", "mcp-redis"), ("app.kubernetes.io/instance", "others")];
    let namesake = [("app.kubernetes.io/name", "mcp-redis"), ("app.kubernetes.io/instance", "tools")];
    for end in [
        End::pod("demo", &others, "10.1.0.40"),
        End::pod("elsewhere", &namesake, "10.1.0.41"),
        End::address("203.0.113.5"),
    ] {
        assert!(!flow(&policy, &gateway(), &end, "TCP", 6379), "{end:?}");
    }
}

#[test]
fn a_redis_of_the_user_is_reached_on_its_ports_and_sentinels_lead_to_the_usual_one() {
    let external = |fields: &str| {
        policy(&format!(
            "{{ auth: {{ issuers: [{{ issuer: https://login.example.com }}] }}, redis: {{ mode: External, external: {{ {fields} }} }} }}"
        ))
    };
    let one = external("addresses: ['redis.example.com:6380']");
    for end in
        [End::address("203.0.113.5"), End::address("2001:db8::5"), End::pod("team-b", &[("app", "redis")], "10.1.0.7")]
    {
        assert!(flow(&one, &gateway(), &end, "TCP", 6380));
        assert!(!flow(&one, &gateway(), &end, "TCP", 6379));
    }
    assert!(!flow(&one, &gateway(), &End::address("169.254.169.254"), "TCP", 6380));
    let sentinels = external("topology: Sentinel, masterName: main, addresses: ['a.example.com:26379']");
    for port in [6379, 26379] {
        assert!(flow(&sentinels, &gateway(), &End::address("203.0.113.5"), "TCP", port));
    }
}

#[test]
fn other_pods_of_the_namespace_are_left_alone() {
    let policy = policy(INSIDE);
    assert!(flow(&policy, &traefik(), &neighbour(), "TCP", 5432));
    assert!(flow(&policy, &neighbour(), &End::address("203.0.113.5"), "TCP", 25));
}

fn policy(spec: &str) -> Vec<NetworkPolicy> {
    policy_with(spec, &settings())
}

fn policy_with(spec: &str, settings: &OperatorSettings) -> Vec<NetworkPolicy> {
    let valid = validate(&mcp_server(spec), &Observed::default(), settings).unwrap();
    let desired = desired(&valid);
    let redis = desired.redis.map(|redis| redis.network_policy);
    std::iter::once(desired.network_policy).chain(redis).collect()
}

fn gateway() -> End {
    let labels = [("app.kubernetes.io/name", "mcp-server"), ("app.kubernetes.io/instance", "tools")];
    End::pod("demo", &labels, "10.1.0.10")
}

fn redis() -> End {
    let labels = [("app.kubernetes.io/name", "mcp-redis"), ("app.kubernetes.io/instance", "tools")];
    End::pod("demo", &labels, "10.1.0.12")
}

fn operator() -> End {
    End::pod("mcp-foundry", &[("app.kubernetes.io/name", "mcp-operator")], "10.1.0.3")
}

fn scraper() -> End {
    End::pod("monitoring", &[("app", "prometheus")], "10.1.0.4")
}

fn neighbour() -> End {
    End::pod("demo", &[("app", "other")], "10.1.0.11")
}

fn traefik() -> End {
    End::pod("traefik", &[("app", "traefik")], "10.1.0.5")
}
