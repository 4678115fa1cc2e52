//! What must take effect without a rollout, in a ConfigMap that changes in place.
//!
//! A tightened rule must not wait for a rollout that may hang: the pods read the mounted file again.

use crds::gateway_config::{POLICY_FILE, Versioned};
use k8s_openapi::api::core::v1::ConfigMap;

use super::metadata::{hashed, metadata, policy_config_map_name};
use crate::validate::ValidServer;

/// `<name>-policy`.
pub(super) fn policy_config_map(valid: &ValidServer) -> ConfigMap {
    hashed(ConfigMap {
        metadata: metadata(valid, policy_config_map_name(&valid.name)),
        data: Some([(POLICY_FILE.to_owned(), valid.policy.to_json())].into()),
        ..ConfigMap::default()
    })
}
