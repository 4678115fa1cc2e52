//! The gateway as a process of its own, with files as the operator writes them and an issuer in this process.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use crds::gateway_config::{
    AuthConfig, AuthorizationDefault, AuthorizationPolicy, Builtins, CONFIG_FILE, CURRENT_VERSION, GatewayConfig,
    GatewayPolicy, IssuerConfig, LogLevel, McpServerRef, Observability, POLICY_FILE, Versioned as _,
};
use tempfile::TempDir;
use tests::cluster::TestCa;
use tests::issuer::{IssuerOptions, TestIssuer};
use tokio::process::{Child, Command};

use crate::{idle::SharedRedis, usage::Usage};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How long the gateway may take to become ready, and idle afterwards.
const DEADLINE: Duration = Duration::from_secs(60);

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(100);

/// A running gateway; it is killed when this is dropped.
pub(crate) struct Gateway {
    pub(crate) issuer: TestIssuer,
    pub(crate) url: String,
    admin: SocketAddr,
    http: reqwest::Client,
    child: Child,
    _files: TempDir,
}

impl Gateway {
    /// Starts the program `server` and waits until it is ready.
    /// With a Redis where that is given.
    pub(crate) async fn start(server: &Path, redis: Option<&SharedRedis>) -> Result<Self> {
        // Nothing else in this process installs them.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let ca = TestCa::generate()?;
        let issuer = TestIssuer::start(LOOPBACK, &ca, IssuerOptions::default()).await?;
        let (public, admin) = (free_address()?, free_address()?);
        let url = format!("http://{public}/mcp");
        let files = files(&url, &issuer, redis)?;
        let child = Command::new(server)
            .arg("--config")
            .arg(files.path().join(CONFIG_FILE))
            .arg("--policy")
            .arg(files.path().join(POLICY_FILE))
            .args(["--listen", &public.to_string(), "--admin-listen", &admin.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", server.display()))?;
        let gateway = Self { issuer, url, admin, http: http_client()?, child, _files: files };
        gateway.until("ready", async || Ok(gateway.admin("/readyz").await.is_ok())).await?;
        Ok(gateway)
    }

    /// A token for the person with this number.
    pub(crate) fn token_of(&self, number: usize) -> String {
        self.issuer.token_of(&format!("person-{number}"), &["tools:echo"], &self.url)
    }

    /// What it holds now.
    pub(crate) async fn usage(&self) -> Result<Usage> {
        Usage::of(self.child.id().context("the gateway still runs")?, &self.admin("/metrics").await?)
    }

    /// Until no client is connected any more.
    pub(crate) async fn until_idle(&self) -> Result<()> {
        self.until("idle", async || Ok(self.usage().await?.connections == 0)).await
    }

    async fn until(&self, what: &str, look: impl AsyncFn() -> Result<bool>) -> Result<()> {
        for _ in 0..DEADLINE.as_millis() / INTERVAL.as_millis() {
            if look().await? {
                return Ok(());
            }
            tokio::time::sleep(INTERVAL).await;
        }
        bail!("the gateway is not {what} within {} s", DEADLINE.as_secs())
    }

    async fn admin(&self, path: &str) -> Result<String> {
        let answer = self.http.get(format!("http://{}{path}", self.admin)).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }
}

/// A client with connections of its own.
#[expect(clippy::disallowed_methods, reason = "a client of the suite: the server's own one refuses loopback")]
pub(crate) fn http_client() -> Result<reqwest::Client> {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(DEADLINE);
    client.build().context("cannot make an HTTP client")
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((LOOPBACK, 0))?.local_addr()?)
}

fn files(url: &str, issuer: &TestIssuer, redis: Option<&SharedRedis>) -> Result<TempDir> {
    let folder = TempDir::new().context("cannot make a folder for the configuration")?;
    let ca_file = folder.path().join("ca.crt");
    fs::write(&ca_file, issuer.ca_pem())?;
    let issuers = vec![IssuerConfig {
        ca_file: Some(ca_file.to_str().context("a path in UTF-8")?.to_owned()),
        ..IssuerConfig::new(issuer.issuer_url(), [url])
    }];
    let config = GatewayConfig {
        version: CURRENT_VERSION,
        mcp_server: McpServerRef { name: "load".to_owned(), namespace: "local".to_owned() },
        public_url: url.to_owned(),
        accepted_hosts: Vec::new(),
        allowed_origins: Vec::new(),
        auth: AuthConfig::oauth(issuers),
        builtins: Builtins { ping: true, echo: true, health_check: true },
        upstreams: Vec::new(),
        sealing_key_files: Vec::new(),
        redis: redis.map(SharedRedis::config),
        observability: Observability { log_level: LogLevel::Info, otlp_endpoint: None },
        allow_private_addresses: true,
    };
    let authorization = AuthorizationPolicy::new(AuthorizationDefault::Authenticated, Vec::new());
    fs::write(folder.path().join(CONFIG_FILE), config.to_json())?;
    fs::write(folder.path().join(POLICY_FILE), GatewayPolicy::of(authorization).to_json())?;
    Ok(folder)
}
