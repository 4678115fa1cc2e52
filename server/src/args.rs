//! Every flag and environment variable of `mcp-server`, with unit and default.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::Parser;

/// The MCP endpoint: serves one `McpServer` from the files that the operator has mounted.
#[derive(Clone, Debug, Parser)]
#[command(name = "mcp-server", version)]
pub struct Args {
    /// Configuration file (gateway-config.json). Read once, at start.
    #[arg(
        long,
        value_name = "FILE",
        env = "MCP_SERVER_CONFIG",
        default_value = "/etc/mcp-foundry/config/gateway-config.json"
    )]
    pub config: PathBuf,

    /// Policy file (gateway-policy.json). Looked at every 2 seconds; a change takes effect in place.
    #[arg(
        long,
        value_name = "FILE",
        env = "MCP_SERVER_POLICY",
        default_value = "/etc/mcp-foundry/policy/gateway-policy.json"
    )]
    pub policy: PathBuf,

    /// Address and port for clients [default: 0.0.0.0:8080; with --dev 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS:PORT", env = "MCP_SERVER_LISTEN")]
    pub listen: Option<SocketAddr>,

    /// Address and port for probes, metrics and the report [default: 0.0.0.0:9090; with --dev 127.0.0.1:9090].
    #[arg(long, value_name = "ADDRESS:PORT", env = "MCP_SERVER_ADMIN_LISTEN")]
    pub admin_listen: Option<SocketAddr>,

    /// Folder for the last good keys of issuers, so that a restart survives an outage of theirs. It must exist; a volume of the
    /// pod's own. Default: none, a restart begins without keys.
    #[arg(long, value_name = "FOLDER", env = "MCP_SERVER_KEY_CACHE")]
    pub key_cache: Option<PathBuf>,

    /// Serve on this machine alone, without any file: prints a token and a client configuration.
    /// Listens on loopback only. Default: off.
    #[arg(long, conflicts_with_all = ["config", "policy"])]
    pub dev: bool,

    /// Let a configuration with `auth.mode: None` listen beyond loopback: everyone who reaches the port
    /// may call. The operator sets it for pods that run open on purpose. Default: off.
    #[arg(long, env = "MCP_SERVER_ALLOW_UNAUTHENTICATED_NON_LOOPBACK")]
    pub allow_unauthenticated_non_loopback: bool,

    /// Address of the Kubernetes API server, which is never connected to. Kubernetes sets the variable in every pod.
    /// Default: none, outside of a cluster.
    #[arg(long, value_name = "ADDRESS", env = "KUBERNETES_SERVICE_HOST", hide = true)]
    pub kubernetes_service_host: Option<String>,
}

impl Args {
    /// Where to listen for clients.
    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| self.default_address(8080))
    }

    /// Where to listen for probes, metrics and the report.
    pub fn admin_listen(&self) -> SocketAddr {
        self.admin_listen.unwrap_or_else(|| self.default_address(9090))
    }

    /// The address of the Kubernetes API server, if it is known by one.
    ///
    /// Some clusters put a name into the variable. A name is no reason to refuse to start: who may be an issuer is
    /// said by a person, and this guard is the second one after that.
    pub fn api_server(&self) -> Option<IpAddr> {
        let address: IpAddr = self.kubernetes_service_host.as_deref()?.parse().ok()?;
        // An IPv4 address in IPv6 clothes is that IPv4 address.
        Some(address.to_canonical())
    }

    fn default_address(&self, port: u16) -> SocketAddr {
        let address = if self.dev { [127, 0, 0, 1] } else { [0, 0, 0, 0] };
        (address, port).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from([&["mcp-server"], args].concat())
    }

    #[test]
    fn a_pod_listens_everywhere_and_dev_on_loopback() {
        let pod = parse(&[]).unwrap();
        assert_eq!(
            (pod.listen().to_string(), pod.admin_listen().to_string()),
            ("0.0.0.0:8080".into(), "0.0.0.0:9090".into())
        );
        let dev = parse(&["--dev"]).unwrap();
        assert_eq!(
            (dev.listen().to_string(), dev.admin_listen().to_string()),
            ("127.0.0.1:8080".into(), "127.0.0.1:9090".into())
        );
    }

    #[test]
    fn the_api_server_is_known_by_its_address_only() {
        let host = |text| parse(&["--kubernetes-service-host", text]).unwrap().api_server();
        assert_eq!(host("10.96.0.1"), Some([10, 96, 0, 1].into()));
        assert_eq!(host("fd00:96::1"), "fd00:96::1".parse().ok());
        assert_eq!(host("::ffff:10.96.0.1"), Some([10, 96, 0, 1].into()));
        assert_eq!(host("api.example.com"), None);
    }

    #[test]
    fn dev_reads_no_file() {
        assert!(parse(&["--dev", "--config", "x.json"]).is_err());
    }
}
