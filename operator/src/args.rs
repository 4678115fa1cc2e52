//! Every flag and environment variable of the operator, with unit and default.
//!
//! First thing that `main` reads; nothing else looks at the environment.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use clap::Parser;

use crate::host_policy::{HostPolicy, HostRule, HostRuleError};

/// Valkey is Redis under another licence, and its image has a program `redis-server`. By tag: it was not pulled where this was
/// written, so no digest was seen; name one by digest where you run it.
pub const DEFAULT_REDIS_IMAGE: &str = "docker.io/valkey/valkey:8.1";

/// `McpServer` in, Kubernetes objects out.
#[derive(Clone, Debug, Parser)]
#[command(name = "mcp-operator", version)]
pub struct Args {
    /// Image of the gateway pods that a new McpServer gets, when its spec names none.
    #[arg(long, env = "MCP_OPERATOR_SERVER_IMAGE")]
    pub server_image: String,

    /// Image of a managed Redis, where an McpServer's spec names none: Redis 7.0 or newer, or Valkey, with a program redis-server.
    #[arg(long, env = "MCP_OPERATOR_REDIS_IMAGE", default_value = DEFAULT_REDIS_IMAGE)]
    pub redis_image: String,

    /// Namespaces to watch, separated by commas. Empty: all of them.
    #[arg(long, env = "MCP_OPERATOR_NAMESPACES", value_delimiter = ',')]
    pub namespaces: Vec<String>,

    /// Namespace that this operator runs in: where its Lease is, and whose pods the NetworkPolicies let in.
    #[arg(long, env = "MCP_OPERATOR_NAMESPACE", default_value = "mcp-foundry-system")]
    pub operator_namespace: String,

    /// Labels of this operator's pods, `key=value` separated by commas, for the NetworkPolicies.
    #[arg(
        long,
        env = "MCP_OPERATOR_POD_LABELS",
        value_delimiter = ',',
        default_value = "app.kubernetes.io/name=mcp-operator",
        value_parser = label
    )]
    pub operator_pod_labels: Vec<(String, String)>,

    /// Labels of the namespace whose pods may reach the admin port of the gateways, to scrape `/metrics`; `key=value`
    /// separated by commas. Empty: nobody.
    #[arg(long, env = "MCP_OPERATOR_SCRAPER_NAMESPACE_LABELS", value_delimiter = ',', value_parser = label)]
    pub scraper_namespace_labels: Vec<(String, String)>,

    /// Refuse issuers, upstreams and collectors at private addresses (RFC 1918, ULA) in every gateway.
    #[arg(long, env = "MCP_OPERATOR_DENY_PRIVATE_ADDRESSES")]
    pub deny_private_addresses: bool,

    /// Which namespaces may expose an McpServer under which hosts: `NAMESPACE=HOST`, separated by commas or said again. A HOST is
    /// a name, or `*.example.com` for every name under it; a NAMESPACE `*` is all of them. Empty: every namespace, every host.
    #[arg(long, value_name = "NAMESPACE=HOST", env = "MCP_OPERATOR_HOST_POLICY", value_delimiter = ',', value_parser = host_rule)]
    pub host_policy: Vec<Option<HostRule>>,

    /// DNS domain of the cluster.
    #[arg(long, env = "MCP_OPERATOR_CLUSTER_DOMAIN", default_value = "cluster.local")]
    pub cluster_domain: String,

    /// Address of the API server as pods are told it: no upstream.
    #[arg(long, value_name = "ADDRESS", env = "KUBERNETES_SERVICE_HOST", hide = true)]
    pub kubernetes_service_host: Option<String>,

    /// Address of `/livez`, `/readyz` and `/metrics`.
    #[arg(long, env = "MCP_OPERATOR_ADMIN_LISTEN", default_value = "0.0.0.0:8080")]
    pub admin_listen: SocketAddr,

    /// Name of the Lease that decides which operator writes.
    #[arg(long, env = "MCP_OPERATOR_LEASE_NAME", default_value = "mcp-operator")]
    pub lease_name: String,

    /// Name of this process in the Lease and in events. Default: the host name, which is the pod's name.
    #[arg(long, env = "MCP_OPERATOR_IDENTITY")]
    pub identity: Option<String>,

    /// How many objects are reconciled at once.
    #[arg(long, env = "MCP_OPERATOR_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: u16,

    /// Requests a second to the Kubernetes API, watches and the Lease aside.
    #[arg(long, env = "MCP_OPERATOR_REQUESTS_PER_SECOND", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub requests_per_second: u32,

    /// Requests that may go out at once after a quiet time.
    #[arg(long, env = "MCP_OPERATOR_REQUEST_BURST", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub request_burst: u32,

    /// Fill caches by streaming lists (less memory); needs the API server's WatchList.
    #[arg(long, env = "MCP_OPERATOR_STREAMING_LISTS")]
    pub streaming_lists: bool,

    /// Least level that is logged: error, warn, info, debug; or a filter such as `operator=debug,kube=warn`.
    #[arg(long, env = "MCP_OPERATOR_LOG_LEVEL", default_value = "info")]
    pub log_level: String,

    /// Kubeconfig file. Default: the service account of the pod. The ambient `KUBECONFIG` is never used.
    #[arg(long, env = "MCP_OPERATOR_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,
}

impl Args {
    /// The namespaces to watch, without blanks and repetitions. Empty: all of them.
    pub fn watched_namespaces(&self) -> Vec<String> {
        let mut namespaces: Vec<String> =
            self.namespaces.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        namespaces.sort();
        namespaces.dedup();
        namespaces
    }

    /// [`Self::operator_pod_labels`] as a map.
    pub fn pod_labels(&self) -> BTreeMap<String, String> {
        self.operator_pod_labels.iter().cloned().collect()
    }

    /// [`Self::host_policy`] as one.
    pub fn host_policy(&self) -> HostPolicy {
        HostPolicy::new(self.host_policy.iter().flatten().cloned().collect())
    }

    /// [`Self::scraper_namespace_labels`] as a map.
    pub fn scraper_labels(&self) -> BTreeMap<String, String> {
        self.scraper_namespace_labels.iter().cloned().collect()
    }
}

/// `None` for nothing at all: an empty variable is no rule.
fn host_rule(text: &str) -> Result<Option<HostRule>, HostRuleError> {
    if text.trim().is_empty() { Ok(None) } else { text.parse().map(Some) }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a label is written key=value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_sorted_and_unique_and_empty_means_all() {
        assert_eq!(parse(&["--namespaces", "b,a,,b"]).watched_namespaces(), ["a", "b"]);
        assert_eq!(parse(&["--namespaces", ""]).watched_namespaces(), Vec::<String>::new());
        assert_eq!(parse(&[]).watched_namespaces(), Vec::<String>::new());
    }

    #[test]
    fn labels_are_pairs() {
        let args = parse(&["--operator-pod-labels", "a=b,c="]);
        assert_eq!(args.pod_labels(), [("a".to_owned(), "b".to_owned()), ("c".to_owned(), String::new())].into());
        assert!(Args::try_parse_from(["mcp-operator", "--server-image=x", "--operator-pod-labels=a"]).is_err());
    }

    #[test]
    fn host_rules_are_separated_by_commas_or_said_again_and_none_means_every_host() {
        let args = parse(&["--host-policy", "a=one.example.com,b=two.example.com", "--host-policy", "*=*.example.org"]);
        let policy = args.host_policy();
        assert!(policy.allows("b", "two.example.com") && policy.allows("c", "mcp.example.org"));
        assert!(!policy.allows("a", "two.example.com"));
        for none in [&[][..], &["--host-policy", ""]] {
            assert_eq!(parse(none).host_policy(), HostPolicy::default());
        }
        assert!(Args::try_parse_from(["mcp-operator", "--server-image=x", "--host-policy=one.example.com"]).is_err());
    }

    fn parse(more: &[&str]) -> Args {
        Args::try_parse_from(["mcp-operator", "--server-image", "server:test"].iter().chain(more)).unwrap()
    }
}
