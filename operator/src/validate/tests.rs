//! Fixtures for the pure stages.

use super::*;

/// An `McpServer` named `tools` in namespace `demo`, with this spec.
pub(crate) fn mcp_server(spec: &str) -> McpServer {
    let spec: serde_json::Value = serde_saphyr::from_str(spec).unwrap();
    serde_json::from_value(serde_json::json!({
        "apiVersion": "mcpfoundry.dev/v1alpha1",
        "kind": "McpServer",
        "metadata": { "name": "tools", "namespace": "demo", "uid": "11111111-2222-3333-4444-555555555555", "generation": 3 },
        "spec": spec,
    }))
    .unwrap()
}

/// What the chart sets, in short.
pub(crate) fn settings() -> OperatorSettings {
    OperatorSettings {
        server_image: "registry.example.com/mcp-foundry/server:1".to_owned(),
        operator_namespace: "mcp-foundry".to_owned(),
        operator_pod_labels: [("app.kubernetes.io/name".to_owned(), "mcp-operator".to_owned())].into(),
        scraper_namespace_labels: [("kubernetes.io/metadata.name".to_owned(), "monitoring".to_owned())].into(),
        allow_private_addresses: true,
        cluster_domain: "cluster.local".to_owned(),
    }
}
