//! The API server's keys for ServiceAccount tokens, in a ConfigMap that changes in place.
//!
//! The gateway never talks to the API server: what the operator fetched is mounted, and read again when it changes. Public
//! keys, nothing secret.

use k8s_openapi::api::core::v1::ConfigMap;

use super::metadata::{hashed, metadata};
use crate::validate::ValidServer;

/// Key of the ConfigMap, and name of the mounted file: a [`crds::gateway_config::KeyFile`].
const KEYS_FILE: &str = "keys.json";

/// Where it is mounted.
pub(super) const KEYS_DIRECTORY: &str = "/etc/mcp-foundry/service-account-keys";

/// Name of the ConfigMap. At most 40 + 21 characters.
pub fn service_account_keys_name(mcp_server: &str) -> String {
    format!("{mcp_server}-service-account-keys")
}

/// The file, as the configuration names it.
pub fn service_account_keys_file() -> String {
    format!("{KEYS_DIRECTORY}/{KEYS_FILE}")
}

/// `<name>-service-account-keys`, when ServiceAccount tokens are accepted.
pub(super) fn service_account_keys(valid: &ValidServer) -> Option<ConfigMap> {
    let keys = valid.service_account_keys.as_ref()?;
    let text = serde_json::to_string_pretty(keys).expect("a number and a JSON value always serialise");
    Some(hashed(ConfigMap {
        metadata: metadata(valid, service_account_keys_name(&valid.name)),
        data: Some([(KEYS_FILE.to_owned(), text)].into()),
        ..ConfigMap::default()
    }))
}
