//! What a network plugin would do with a set of policies, by the rules of `networking.k8s.io/v1`.
//!
//! Only for tests: many clusters enforce no policy at all, so the rendered ones are judged here.
//! It understands what Kubernetes defines (match labels, blocks, numbered ports) and panics on the rest.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use k8s_openapi::{
    api::networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

/// One end of a flow.
#[derive(Clone, Debug)]
pub(super) struct End {
    ip: IpAddr,
    pod: Option<Pod>,
}

#[derive(Clone, Debug)]
struct Pod {
    namespace: String,
    labels: BTreeMap<String, String>,
}

impl End {
    /// A pod. Its namespace carries the label that every namespace has.
    pub(super) fn pod(namespace: &str, labels: &[(&str, &str)], ip: &str) -> Self {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self { ip: ip.parse().unwrap(), pod: Some(Pod { namespace: namespace.to_owned(), labels }) }
    }

    /// Anything that is no pod of this cluster.
    pub(super) fn address(ip: &str) -> Self {
        Self { ip: ip.parse().unwrap(), pod: None }
    }
}

/// Whether `policies` let `from` open a connection to `port` of `to`: both ends must agree.
pub(super) fn flow(policies: &[NetworkPolicy], from: &End, to: &End, protocol: &str, port: u16) -> bool {
    leaves(policies, from, to, protocol, port) && enters(policies, from, to, protocol, port)
}

fn leaves(policies: &[NetworkPolicy], from: &End, to: &End, protocol: &str, port: u16) -> bool {
    let mut selected = selecting(policies, from, "Egress").peekable();
    selected.peek().is_none()
        || selected.any(|policy| {
            let rules = spec(policy).egress.iter().flatten();
            rules.clone().any(|rule| {
                ports(rule.ports.as_deref(), protocol, port) && peers(rule.to.as_deref(), to, namespace(policy))
            })
        })
}

fn enters(policies: &[NetworkPolicy], from: &End, to: &End, protocol: &str, port: u16) -> bool {
    let mut selected = selecting(policies, to, "Ingress").peekable();
    selected.peek().is_none()
        || selected.any(|policy| {
            let rules = spec(policy).ingress.iter().flatten();
            rules.clone().any(|rule| {
                ports(rule.ports.as_deref(), protocol, port) && peers(rule.from.as_deref(), from, namespace(policy))
            })
        })
}

/// The policies that isolate `end` in this direction. None: everything goes.
fn selecting<'a>(
    policies: &'a [NetworkPolicy],
    end: &'a End,
    direction: &'a str,
) -> impl Iterator<Item = &'a NetworkPolicy> {
    policies.iter().filter(move |policy| {
        let Some(pod) = &end.pod else { return false };
        let spec = spec(policy);
        let types = spec.policy_types.as_deref().expect("ours always name their types");
        types.iter().any(|type_| type_ == direction)
            && namespace(policy) == pod.namespace
            && spec.pod_selector.as_ref().is_none_or(|selector| matches(selector, &pod.labels))
    })
}

/// Absent or empty: every port.
fn ports(ports: Option<&[NetworkPolicyPort]>, protocol: &str, number: u16) -> bool {
    let ports = ports.unwrap_or_default();
    ports.is_empty()
        || ports.iter().any(|port| {
            assert_eq!(port.end_port, None, "ranges are not understood");
            let same_protocol = port.protocol.as_deref().unwrap_or("TCP") == protocol;
            same_protocol
                && match &port.port {
                    None => true,
                    Some(IntOrString::Int(wanted)) => *wanted == i32::from(number),
                    Some(IntOrString::String(name)) => panic!("named port {name} is not understood"),
                }
        })
}

/// Absent or empty: everybody.
fn peers(peers: Option<&[NetworkPolicyPeer]>, end: &End, own_namespace: &str) -> bool {
    let peers = peers.unwrap_or_default();
    peers.is_empty() || peers.iter().any(|peer| is_peer(peer, end, own_namespace))
}

fn is_peer(peer: &NetworkPolicyPeer, end: &End, own_namespace: &str) -> bool {
    if let Some(block) = &peer.ip_block {
        assert!(peer.pod_selector.is_none() && peer.namespace_selector.is_none(), "ipBlock stands alone");
        return in_block(block, end.ip);
    }
    let Some(pod) = &end.pod else { return false };
    let in_namespace = match &peer.namespace_selector {
        Some(selector) => {
            let labels = [("kubernetes.io/metadata.name".to_owned(), pod.namespace.clone())];
            matches(selector, &labels.into())
        }
        None => pod.namespace == own_namespace,
    };
    in_namespace && peer.pod_selector.as_ref().is_none_or(|selector| matches(selector, &pod.labels))
}

fn in_block(block: &IPBlock, ip: IpAddr) -> bool {
    let holds = |cidr: &String| cidr.parse::<IpNet>().unwrap().contains(&ip);
    holds(&block.cidr) && !block.except.iter().flatten().any(holds)
}

fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    assert!(selector.match_expressions.is_none(), "expressions are not understood");
    selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value))
}

fn spec(policy: &NetworkPolicy) -> &k8s_openapi::api::networking::v1::NetworkPolicySpec {
    policy.spec.as_ref().expect("ours always have a spec")
}

fn namespace(policy: &NetworkPolicy) -> &str {
    policy.metadata.namespace.as_deref().expect("ours always name their namespace")
}
