//! The files that the operator would mount: configuration, policy, CA, in a folder of their own.

use std::path::PathBuf;

use crds::gateway_config::{
    AuthConfig, AuthorizationDefault, AuthorizationPolicy, AuthorizationRule, Builtins, CONFIG_FILE, CURRENT_VERSION,
    GatewayConfig, GatewayPolicy, IssuerConfig, LogLevel, McpServerRef, Observability, POLICY_FILE, Versioned as _,
};
use tempfile::TempDir;
use tests::issuer::TestIssuer;

use super::client::PUBLIC_URL;

/// What differs between gateways.
pub(crate) struct GatewayOptions {
    pub(crate) config: GatewayConfig,
    pub(crate) policy: GatewayPolicy,
    /// What becomes of the issuers' entries.
    pub(crate) issuers: ChangeIssuers,
}

/// Changes the entries of the issuers.
pub(crate) type ChangeIssuers = Box<dyn FnOnce(&mut Vec<IssuerConfig>) + Send>;

impl Default for GatewayOptions {
    /// All tools on, no rules, any valid token for what no rule names; no issuer yet.
    fn default() -> Self {
        Self { config: config(), policy: policy(&[]), issuers: Box::new(|_| {}) }
    }
}

impl GatewayOptions {
    /// Beside its own issuer it trusts the one of another gateway, whose authority's certificate is in the file `ca_file`: a token
    /// is good at both.
    pub(crate) fn trust(&mut self, issuer: &str, ca_file: &str) {
        self.config
            .auth
            .issuers
            .push(IssuerConfig { ca_file: Some(ca_file.to_owned()), ..IssuerConfig::new(issuer, [PUBLIC_URL]) });
    }
}

/// The mounted files of one gateway; the folder goes with it.
pub(crate) struct GatewayFiles {
    folder: TempDir,
}

impl GatewayFiles {
    /// Writes them; `issuers` become the issuers of the configuration.
    pub(crate) fn write(options: GatewayOptions, issuers: &[&TestIssuer]) -> Self {
        let issuers: Vec<_> = issuers.iter().map(|issuer| (issuer.issuer_url(), issuer.ca_pem())).collect();
        Self::trusting(options, &issuers)
    }

    /// The same with any issuers: what they are called, and the authority of their certificates.
    pub(crate) fn trusting(options: GatewayOptions, issuers: &[(&str, &str)]) -> Self {
        let files = Self { folder: TempDir::new().unwrap() };
        let GatewayOptions { mut config, policy, issuers: change } = options;
        let audience = config.public_url.clone();
        let mut entries: Vec<IssuerConfig> = issuers
            .iter()
            .enumerate()
            .map(|(index, (issuer, ca_pem))| {
                let ca_file = files.folder.path().join(format!("ca-{index}.crt"));
                std::fs::write(&ca_file, ca_pem).unwrap();
                IssuerConfig {
                    ca_file: Some(ca_file.to_str().unwrap().to_owned()),
                    ..IssuerConfig::new(*issuer, [audience.clone()])
                }
            })
            .collect();
        change(&mut entries);
        config.auth.issuers.extend(entries);
        std::fs::write(files.config(), config.to_json()).unwrap();
        files.replace_policy(&policy.to_json());
        files
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join(CONFIG_FILE)
    }

    pub(crate) fn policy(&self) -> PathBuf {
        self.folder.path().join(POLICY_FILE)
    }

    /// Puts another bundle in the place of the first issuer's, whole.
    pub(crate) fn replace_ca(&self, pem: &str) {
        let new = self.folder.path().join("ca.new");
        std::fs::write(&new, pem).unwrap();
        std::fs::rename(new, self.folder.path().join("ca-0.crt")).unwrap();
    }

    /// Puts a new policy in place whole, as the kubelet does.
    pub(crate) fn replace_policy(&self, text: &str) {
        let new = self.folder.path().join("policy.new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.policy()).unwrap();
    }
}

/// A policy of these rules (globs, scopes) over `default: Authenticated`.
pub(crate) fn policy(rules: &[(&[&str], &[&str])]) -> GatewayPolicy {
    let rules = rules
        .iter()
        .map(|(tools, scopes)| AuthorizationRule::scopes(tools.iter().copied(), scopes.iter().copied()))
        .collect();
    let authorization = AuthorizationPolicy::new(AuthorizationDefault::Authenticated, rules);
    GatewayPolicy::of(authorization)
}

fn config() -> GatewayConfig {
    GatewayConfig {
        version: CURRENT_VERSION,
        mcp_server: McpServerRef { name: "tools".to_owned(), namespace: "team-a".to_owned() },
        public_url: PUBLIC_URL.to_owned(),
        accepted_hosts: vec!["tools.team-a.svc".to_owned()],
        allowed_origins: vec!["https://app.example.com".to_owned()],
        auth: AuthConfig::oauth(Vec::new()),
        builtins: Builtins { ping: true, echo: true, health_check: true },
        upstreams: Vec::new(),
        sealing_key_files: Vec::new(),
        redis: None,
        observability: Observability { log_level: LogLevel::Info, otlp_endpoint: None },
        allow_private_addresses: true,
    }
}
