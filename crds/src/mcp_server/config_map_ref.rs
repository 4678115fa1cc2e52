//! A key of a ConfigMap, as specs refer to it.

use super::{Deserialize, KubeSchema, Serialize};

/// A key of a ConfigMap in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap, in the namespace of the McpServer. Example: corporate-ca.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("caConfigMapRef.name must be the name of a ConfigMap: a-z, 0-9, '-' and '.'"))]
    pub name: String,

    /// Key in it. Default: ca.crt.
    #[serde(default = "ca_crt")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$') && !self.startsWith('..') && self != '.'")
        .message("caConfigMapRef.key must be a key of a ConfigMap: letters, digits, '-', '_' and '.'"))]
    pub key: String,
}

fn ca_crt() -> String {
    "ca.crt".to_owned()
}
