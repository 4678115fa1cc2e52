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

/// A certificate of nobody; its key was never kept.
pub(crate) const CA: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBejCCASGgAwIBAgIUSRRfr+/myi8gK3FrWMF5h3kkajgwCgYIKoZIzj0EAwIw\n\
EjEQMA4GA1UEAwwHdGVzdC1jYTAgFw0yNjExMjIxNjA5NDVaGA8yMTI2MTAyOTE2\n\
MDk0NVowEjEQMA4GA1UEAwwHdGVzdC1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n\
A0IABEGz5q9TUhhgyB2/JIjq2T5B2OHlKkIZ9mnDQzSJhLTGg9eSuYfMGD9pNO5K\n\
O9LNyMcddmYLBK0cJEMI4mrdcVejUzBRMB0GA1UdDgQWBBTIk6P8lWkcrka6LWjh\n\
BoAx2czpnDAfBgNVHSMEGDAWgBTIk6P8lWkcrka6LWjhBoAx2czpnDAPBgNVHRMB\n\
Af8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCID90REd3YgrRfMqc3slkd18Fqtwf\n\
zUY1AGOeNqcBwXC9AiAfxkwOmnCZxrwNzjawaWasnBqrV8fUcvzspW6m3ZhLjg==\n\
-----END CERTIFICATE-----\n\
";
