//! The files of `--loopback`: everybody on this machine may call, and no tool stands before the fixtures.

use std::fs;

use anyhow::{Context, Result};
use crds::gateway_config::{
    AuthConfig, AuthorizationDefault, AuthorizationPolicy, Builtins, CONFIG_FILE, CURRENT_VERSION, GatewayConfig,
    GatewayPolicy, LogLevel, McpServerRef, Observability, POLICY_FILE, Versioned as _,
};
use server::args::Args;
use tempfile::TempDir;

/// A folder with both files; it goes with the value.
pub(crate) struct Files {
    _folder: TempDir,
}

impl Files {
    /// Writes them, and points `args` at them and at this port.
    pub(crate) fn write(port: u16, args: &mut Args) -> Result<Self> {
        let folder = TempDir::new().context("cannot make a folder for the configuration")?;
        let (config, policy) = (folder.path().join(CONFIG_FILE), folder.path().join(POLICY_FILE));
        fs::write(&config, configuration(port).to_json()).context("cannot write the configuration")?;
        fs::write(&policy, everybody().to_json()).context("cannot write the policy")?;
        (args.config, args.policy) = (config, policy);
        args.listen = Some(([127, 0, 0, 1], port).into());
        args.admin_listen = Some(([127, 0, 0, 1], 0).into());
        Ok(Self { _folder: folder })
    }
}

/// The suite calls the first tool of the list without arguments and wants a success, so the built-ins are off.
fn configuration(port: u16) -> GatewayConfig {
    GatewayConfig {
        version: CURRENT_VERSION,
        mcp_server: McpServerRef { name: "conformance".to_owned(), namespace: "local".to_owned() },
        public_url: format!("http://localhost:{port}/mcp"),
        accepted_hosts: Vec::new(),
        allowed_origins: Vec::new(),
        auth: AuthConfig::open(),
        builtins: Builtins { ping: false, echo: false, health_check: false },
        upstreams: Vec::new(),
        sealing_key_files: Vec::new(),
        redis: None,
        observability: Observability { log_level: LogLevel::Info, otlp_endpoint: None },
        allow_private_addresses: false,
    }
}

fn everybody() -> GatewayPolicy {
    GatewayPolicy::of(AuthorizationPolicy::new(AuthorizationDefault::Authenticated, Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_takes_the_files() {
        server::Config::from_document(&configuration(8081)).unwrap();
        GatewayPolicy::parse(everybody().to_json().as_bytes()).unwrap();
    }
}
