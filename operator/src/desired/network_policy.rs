//! The NetworkPolicy: who may reach the gateway's pods, and what they may reach.
//!
//! Both directions are named, so what is not listed is denied. A policy knows addresses and ports, not
//! names: that a connection goes to the issuer and not to its neighbour is enforced by the gateway
//! when it connects. Nothing here may depend on what a client sends.

#[cfg(test)]
mod evaluator;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crds::mcp_server::{Peer, Selector};
use k8s_openapi::{
    api::networking::v1::{
        IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
        NetworkPolicyPort, NetworkPolicySpec,
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::{
    ADMIN_PORT, PUBLIC_PORT,
    metadata::{annotation, hashed, metadata, selector},
    redis::to_redis,
};
use crate::validate::{Clients, Traffic, ValidServer};

const DNS_PORT: u16 = 53;

/// Link-local with the metadata services of most clouds, and those that sit on ordinary addresses: Alibaba, Azure's
/// platform address, Oracle's older one. The same list as the gateway's own, in `server/src/net/address.rs`.
pub(crate) const NEVER_V4: [&str; 4] = ["100.100.100.200/32", "168.63.129.16/32", "169.254.0.0/16", "192.0.0.192/32"];

/// Link-local, and the metadata services of AWS and Google Cloud on unique local addresses.
pub(crate) const NEVER_V6: [&str; 3] = ["fd00:ec2::254/128", "fd20:ce::254/128", "fe80::/10"];

/// `<name>`.
pub(super) fn network_policy(valid: &ValidServer) -> NetworkPolicy {
    let mut metadata = metadata(valid, valid.name.clone());
    // Noted, so that it stays open while pods of a former configuration need it.
    let noted = valid.traffic.redis.noted();
    metadata.annotations = noted.map(|noted| [(annotation::REDIS_OUTBOUND.to_owned(), noted)].into());
    hashed(NetworkPolicy {
        metadata,
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(matching(selector(&valid.name))),
            policy_types: Some(vec!["Egress".to_owned(), "Ingress".to_owned()]),
            ingress: Some(inbound(&valid.traffic)),
            egress: Some(outbound(valid)),
        }),
    })
}

fn inbound(traffic: &Traffic) -> Vec<NetworkPolicyIngressRule> {
    let mut rules = vec![from(Some(vec![operator(traffic)]), &[PUBLIC_PORT, ADMIN_PORT])];
    if !traffic.scraper_namespace_labels.is_empty() {
        rules.push(from(Some(vec![scraper(traffic)]), &[ADMIN_PORT]));
    }
    rules.push(from(clients(&traffic.clients), &[PUBLIC_PORT]));
    rules
}

/// The operator asks each pod for its report, and asks the endpoint what a client without a token sees.
fn operator(traffic: &Traffic) -> NetworkPolicyPeer {
    let namespace = [("kubernetes.io/metadata.name".to_owned(), traffic.operator_namespace.clone())];
    NetworkPolicyPeer {
        namespace_selector: Some(matching(namespace.into())),
        pod_selector: Some(matching(traffic.operator_pod_labels.clone())),
        ip_block: None,
    }
}

fn scraper(traffic: &Traffic) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(matching(traffic.scraper_namespace_labels.clone())),
        ..NetworkPolicyPeer::default()
    }
}

/// `None` is everyone, as Kubernetes reads a rule without `from`.
fn clients(clients: &Clients) -> Option<Vec<NetworkPolicyPeer>> {
    match clients {
        Clients::Everyone => None,
        Clients::OwnNamespace => Some(vec![NetworkPolicyPeer {
            pod_selector: Some(matching(BTreeMap::new())),
            ..NetworkPolicyPeer::default()
        }]),
        Clients::Peers(peers) => Some(peers.iter().map(peer).collect()),
    }
}

fn peer(peer: &Peer) -> NetworkPolicyPeer {
    let labels = |selector: &Selector| matching(selector.match_labels.clone());
    NetworkPolicyPeer {
        pod_selector: peer.pod_selector.as_ref().map(labels),
        namespace_selector: peer.namespace_selector.as_ref().map(labels),
        ip_block: peer.ip_block.as_ref().map(|block| IPBlock {
            cidr: block.cidr.clone(),
            except: (!block.except.is_empty()).then(|| block.except.clone()),
        }),
    }
}

fn outbound(valid: &ValidServer) -> Vec<NetworkPolicyEgressRule> {
    let Traffic { outbound_ports, redis, .. } = &valid.traffic;
    // DNS goes anywhere, since caches on the node have link-local addresses such as 169.254.20.10.
    let dns = NetworkPolicyEgressRule { ports: Some(vec![port("TCP", DNS_PORT), port("UDP", DNS_PORT)]), to: None };
    let named = NetworkPolicyEgressRule {
        ports: Some(outbound_ports.union(&redis.ports).map(|number| port("TCP", *number)).collect()),
        to: Some(vec![anywhere_but("0.0.0.0/0", &NEVER_V4), anywhere_but("::/0", &NEVER_V6)]),
    };
    let own_redis = redis.managed.then(|| to_redis(valid));
    [Some(dns), Some(named), own_redis].into_iter().flatten().collect()
}

fn anywhere_but(cidr: &str, except: &[&str]) -> NetworkPolicyPeer {
    let except = except.iter().map(|range| (*range).to_owned()).collect();
    NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr: cidr.to_owned(), except: Some(except) }),
        ..NetworkPolicyPeer::default()
    }
}

fn from(from: Option<Vec<NetworkPolicyPeer>>, ports: &[u16]) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule { from, ports: Some(ports.iter().map(|number| port("TCP", *number)).collect()) }
}

pub(super) fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(i32::from(number))),
        end_port: None,
    }
}

/// Empty: everything matches. Then nothing is written, since the API server drops an empty map.
fn matching(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector { match_labels: (!labels.is_empty()).then_some(labels), ..LabelSelector::default() }
}
