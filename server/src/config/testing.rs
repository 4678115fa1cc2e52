//! A small checked configuration for unit tests.

use crds::gateway_config::{
    AuthConfig, Builtins, CURRENT_VERSION, GatewayConfig, LogLevel, McpServerRef, Observability,
};

use super::Config;

/// `https://mcp.example.com/mcp`, one more host, one allowed origin, no authentication.
pub(crate) fn config() -> Config {
    Config::from_document(&document()).unwrap()
}

pub(crate) fn document() -> GatewayConfig {
    GatewayConfig {
        version: CURRENT_VERSION,
        mcp_server: McpServerRef { name: "tools".to_owned(), namespace: "team-a".to_owned() },
        public_url: "https://mcp.example.com/mcp".to_owned(),
        accepted_hosts: vec!["tools.team-a.svc".to_owned()],
        allowed_origins: vec!["https://app.example.com".to_owned()],
        auth: AuthConfig::open(),
        builtins: Builtins { ping: true, echo: true, health_check: true },
        upstreams: Vec::new(),
        sealing_key_files: Vec::new(),
        redis: None,
        observability: Observability { log_level: LogLevel::Info, otlp_endpoint: None },
        allow_private_addresses: false,
    }
}
