//! The configuration and the policy of `--dev`: made in memory, checked like any other.

use crds::gateway_config::{
    AuthConfig, AuthorizationDefault, AuthorizationPolicy, Builtins, CURRENT_VERSION, GatewayConfig, GatewayPolicy,
    IssuerConfig, LogLevel, McpServerRef, Observability,
};

use crate::dev::DEV_ISSUER;

/// Everything on, authentication included. `url` is where the process listens.
pub(super) fn configuration(url: &str) -> GatewayConfig {
    GatewayConfig {
        version: CURRENT_VERSION,
        mcp_server: McpServerRef { name: "dev".to_owned(), namespace: "dev".to_owned() },
        public_url: url.to_owned(),
        accepted_hosts: ["127.0.0.1", "[::1]", "localhost"].map(ToOwned::to_owned).into(),
        allowed_origins: Vec::new(),
        auth: AuthConfig::oauth(vec![IssuerConfig::new(DEV_ISSUER, [url])]),
        builtins: Builtins { ping: true, echo: true, health_check: true },
        upstreams: Vec::new(),
        sealing_key_files: Vec::new(),
        redis: None,
        observability: Observability { log_level: LogLevel::Info, otlp_endpoint: None },
        allow_private_addresses: false,
    }
}

/// The built-ins' own rules, and any valid token for the rest.
pub(super) fn policy() -> GatewayPolicy {
    GatewayPolicy::of(AuthorizationPolicy::new(AuthorizationDefault::Authenticated, Vec::new()))
}
