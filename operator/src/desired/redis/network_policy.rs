//! The NetworkPolicy of the Redis: its own gateway gets in, on one port; it gets out nowhere.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicySpec,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::{
    super::{
        metadata::{hashed, selector},
        network_policy::port,
    },
    REDIS_PORT, metadata, redis_name, redis_selector,
};
use crate::validate::ValidServer;

pub(super) fn network_policy(valid: &ValidServer) -> NetworkPolicy {
    hashed(NetworkPolicy {
        metadata: metadata(valid, redis_name(&valid.name)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(matching(redis_selector(&valid.name))),
            policy_types: Some(vec!["Egress".to_owned(), "Ingress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                from: Some(vec![pods(selector(&valid.name))]),
                ports: Some(vec![port("TCP", REDIS_PORT)]),
            }]),
            // Named in policyTypes, and without a rule: nothing leaves.
            egress: None,
        }),
    })
}

/// What the gateway's own policy opens towards it.
pub(in crate::desired) fn to_redis(valid: &ValidServer) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule {
        to: Some(vec![pods(redis_selector(&valid.name))]),
        ports: Some(vec![port("TCP", REDIS_PORT)]),
    }
}

/// Pods of the own namespace.
fn pods(labels: BTreeMap<String, String>) -> NetworkPolicyPeer {
    NetworkPolicyPeer { pod_selector: Some(matching(labels)), ..NetworkPolicyPeer::default() }
}

fn matching(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}
