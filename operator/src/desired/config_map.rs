//! The structure of the endpoint, as an immutable ConfigMap named by the hash of its content.
//!
//! A pod that restarts reads what it was rolled out with, and a broken revision never reaches the
//! pods that serve. Nothing here is secret.

use crds::gateway_config::{CONFIG_FILE, Versioned};
use k8s_openapi::api::core::v1::ConfigMap;

use super::metadata::{config_map_name, hashed, metadata};
use crate::validate::ValidServer;

/// `<name>-config-<revision>`.
pub(super) fn config_map(valid: &ValidServer) -> ConfigMap {
    hashed(ConfigMap {
        metadata: metadata(valid, config_map_name(&valid.name, &valid.config_revision)),
        data: Some([(CONFIG_FILE.to_owned(), valid.config.to_json())].into()),
        immutable: Some(true),
        ..ConfigMap::default()
    })
}
