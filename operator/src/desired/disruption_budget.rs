//! The PodDisruptionBudget of the gateway: a drain takes one pod at a time.
//!
//! `maxUnavailable`, so that it does not change with the number of replicas and never holds up the drain of the node of a
//! single pod.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::metadata::{hashed, metadata, selector};
use crate::validate::ValidServer;

/// `<name>`.
pub(super) fn disruption_budget(valid: &ValidServer) -> PodDisruptionBudget {
    hashed(PodDisruptionBudget {
        metadata: metadata(valid, valid.name.clone()),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector { match_labels: Some(selector(&valid.name)), ..LabelSelector::default() }),
            // A pod that is not ready protects nobody: a drain must not wait for it.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    })
}
