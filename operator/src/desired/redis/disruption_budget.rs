//! The PodDisruptionBudget of the Redis. It allows what there is, one pod, to be evicted: one that forbade it would hold up the
//! drain of a node, and an outage of the Redis is harmless.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::{super::metadata::hashed, metadata, redis_name, redis_selector};
use crate::validate::ValidServer;

pub(super) fn disruption_budget(valid: &ValidServer) -> PodDisruptionBudget {
    hashed(PodDisruptionBudget {
        metadata: metadata(valid, redis_name(&valid.name)),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector {
                match_labels: Some(redis_selector(&valid.name)),
                ..LabelSelector::default()
            }),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    })
}
