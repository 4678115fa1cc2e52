//! Keycloak, a real identity provider, as a process of its own on an address of this machine, over TLS.
//!
//! Its realm is the one that [docs/identity/keycloak.md](../../docs/identity/keycloak.md) hands to users, with a person, secrets
//! and the audiences of the test put in. It starts in some ten seconds, takes half a gigabyte, and everything that it writes
//! lies in a folder of its own. The first use fetches it with Maven into the cache, so it needs a network.

mod admin;
mod browser;
mod installation;
mod realm;
mod tokens;

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::fs::symlink,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    cluster::{Options, TestCa},
    listening::{Listening, free_address},
    mcp_client::patient_client,
};

pub use realm::{ACCESS_TOKEN_SECONDS, GROUP, OUTSIDER, PERSON};
pub use tokens::Tokens;

use realm::{REALM, Secrets};

/// From the open port to the first answer. Chosen: twenty times what that takes.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// For one request. Chosen: a sign-in hashes a password and a new key is sought, each for a second on a machine with other work.
const DEADLINE: Duration = Duration::from_secs(60);

/// Between two looks at something that takes seconds.
const PAUSE: Duration = Duration::from_millis(100);

/// What of the installation a run only reads.
const SHARED: [&str; 4] = ["conf", "lib", "providers", "themes"];

/// A running Keycloak, or for a while not; ended when dropped.
pub struct Keycloak {
    installation: PathBuf,
    address: SocketAddr,
    ca_pem: String,
    http: Client,
    secrets: Secrets,
    /// `None` between [`Keycloak::kill`] and [`Keycloak::start_again`]. Before the folder, so that it ends before that goes.
    process: Option<Listening>,
    /// Its home, its certificate and its log.
    folder: TempDir,
}

impl Keycloak {
    /// Installs it unless it was before, starts it on a free port of `ip`, and waits until its realm answers.
    ///
    /// Tokens with a scope of a tool name all of `audiences`. Blocks the thread while it starts.
    pub async fn start(ip: IpAddr, ca: &TestCa, audiences: &[&str], options: &Options) -> Result<Self> {
        let mut keycloak = Self {
            installation: installation::ensure(options)?,
            address: free_address(ip)?,
            ca_pem: ca.cert_pem.clone(),
            http: patient_client(&ca.cert_pem, DEADLINE)?,
            secrets: Secrets::random(),
            process: None,
            folder: tempfile::tempdir().context("cannot make a folder for Keycloak")?,
        };
        keycloak.write_home(ca, audiences)?;
        keycloak.start_again().await?;
        Ok(keycloak)
    }

    /// The issuer string, byte for byte the `iss` of its tokens.
    pub fn issuer_url(&self) -> String {
        format!("https://{}/realms/{REALM}", self.address)
    }

    /// What clients must trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The password of [`PERSON`] and [`OUTSIDER`].
    pub fn password(&self) -> &str {
        &self.secrets.password
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it where it was before. It remembers keys, sessions and clients. Blocks the thread while it starts.
    pub async fn start_again(&mut self) -> Result<()> {
        self.kill();
        let log = self.folder.path().join("log");
        self.process = Some(Listening::start_on(self.address, "Keycloak", &log, self.command())?);
        self.until_answering().await.with_context(|| format!("Keycloak said last:\n{}", self.said()))
    }

    /// The end of what it printed, for a failure's message.
    pub fn said(&self) -> String {
        self.process.as_ref().map(Listening::last_lines).unwrap_or_default()
    }

    async fn until_answering(&self) -> Result<()> {
        let deadline = Instant::now() + ANSWERS_WITHIN;
        loop {
            match self.discovery().await {
                Ok(document) => {
                    ensure!(document["issuer"] == self.issuer_url(), "it calls itself {}", document["issuer"]);
                    return Ok(());
                }
                Err(problem) if Instant::now() > deadline => return Err(problem),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// The discovery document of the realm.
    pub async fn discovery(&self) -> Result<Value> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer_url());
        let response = self.http.get(url).send().await?;
        ensure!(response.status() == StatusCode::OK, "the discovery document is {}", response.status());
        Ok(response.json().await?)
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A home that reads the installation and writes beside it, so that many runs share one.
    fn write_home(&self, ca: &TestCa, audiences: &[&str]) -> Result<()> {
        let import = self.home().join("data/import");
        fs::create_dir_all(&import).context("cannot make Keycloak's home")?;
        for part in SHARED {
            symlink(self.installation.join(part), self.home().join(part)).context("cannot make Keycloak's home")?;
        }
        fs::write(import.join(realm::FILE), realm::import(audiences, &self.secrets)?.to_string())?;
        let ip = self.address.ip().to_string();
        let certificate = ca.issue(&[&ip, "localhost"])?;
        fs::write(self.folder.path().join("tls.crt"), certificate.cert_pem)?;
        fs::write(self.folder.path().join("tls.key"), certificate.key_pem)?;
        Ok(())
    }

    /// What `bin/kc.sh start` comes to, without the shell: one process, which ends with its id.
    #[expect(clippy::disallowed_methods, reason = "where programs are is no setting of ours")]
    fn command(&self) -> Command {
        let mut java = Command::new("java");
        // Variables of whoever tests, such as KC_HOSTNAME, would be settings of it.
        java.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        java.env("KC_BOOTSTRAP_ADMIN_USERNAME", admin::NAME);
        java.env("KC_BOOTSTRAP_ADMIN_PASSWORD", &self.secrets.admin_password);
        java.args(JAVA).arg(format!("-Dkc.home.dir={}", self.home().display()));
        java.arg("-cp").arg(self.home().join("lib/quarkus-run.jar"));
        java.args(["io.quarkus.bootstrap.runner.QuarkusEntryPoint", "start", "--optimized", "--import-realm"]);
        java.arg(format!("--http-host={}", self.address.ip()));
        java.arg(format!("--https-port={}", self.address.port()));
        // Without it the issuer would be what a request says in `Host`.
        java.arg(format!("--hostname=https://{}", self.address));
        for (option, file) in [("certificate", "tls.crt"), ("certificate-key", "tls.key")] {
            java.arg(format!("--https-{option}-file={}", self.folder.path().join(file).display()));
        }
        java
    }
}

/// The first five bound its memory and shorten its start, the others are what `kc.sh` of this version passes.
const JAVA: [&str; 11] = [
    "-Xms64m",
    "-Xmx384m",
    "-XX:MaxMetaspaceSize=256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dfile.encoding=UTF-8",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.security=ALL-UNNAMED",
];
