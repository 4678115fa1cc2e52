//! An identity provider with real keys, for tests, the demo and the SDK clients.
//!
//! It speaks HTTPS with a certificate of a [`TestCa`], publishes discovery and keys, hands out tokens over
//! OAuth or directly ([`TestIssuer::token`]), and misbehaves on purpose ([`TestIssuer::set_fault`]). It
//! approves whoever asks: it must never listen where strangers can reach it.

mod documents;
mod faults;
mod keys;
mod listener;
mod mint;
mod oauth;
mod state;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use jsonwebtoken::Algorithm;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use crate::cluster::TestCa;
pub use faults::{Document, Fault};
pub use mint::DEFAULT_SUBJECT;
pub use oauth::StaticClient;

use crate::cluster::Certificate;
use keys::KeyRing;
use listener::Listener;
use oauth::Grants;
use state::Shared;

/// The largest form or registration that is read, in bytes. Chosen: real ones have some hundred.
const MAX_BODY_BYTES: usize = 32 * 1024;

/// In every certificate, so that a forwarded port can be reached too.
const LOOPBACK: &str = "127.0.0.1";

/// What differs between issuers.
#[derive(Clone, Debug, Default)]
pub struct IssuerOptions {
    /// 0: any free port.
    pub port: u16,
    /// What is wrong from the first moment on.
    pub fault: Fault,
    /// Clients with a secret that exist from the start.
    pub clients: Vec<StaticClient>,
    /// Names in the certificate beside the bound address, `127.0.0.1` and `localhost`.
    pub extra_names: Vec<String>,
}

/// A running issuer. Dropping it stops it; [`TestIssuer::stop`] also waits for the end.
pub struct TestIssuer {
    shared: Arc<Shared>,
    address: SocketAddr,
    ca_pem: String,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl TestIssuer {
    /// Binds `ip` and serves. The issuer string is `https://<ip>:<port>`.
    pub async fn start(ip: IpAddr, ca: &TestCa, options: IssuerOptions) -> anyhow::Result<Self> {
        let IssuerOptions { port, fault, clients, extra_names } = options;
        let socket = TcpListener::bind((ip, port)).await.context("bind the issuer's address")?;
        let address = socket.local_addr().context("read the issuer's address")?;
        let certificate = certificate(ca, ip, &extra_names)?;
        let shared = Arc::new(Shared::new(format!("https://{address}"), fault, Grants::new(&clients)));
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let listener = Listener {
            socket,
            tls: listener::acceptor(&certificate)?,
            router: router(Arc::clone(&shared)),
            fault: shared.fault.subscribe(),
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
        };
        tasks.spawn(listener.run());
        let ca_pem = ca.cert_pem.clone();
        Ok(Self { shared, address, ca_pem, tasks, shutdown })
    }

    /// The issuer string, byte for byte the `iss` of its tokens.
    pub fn issuer_url(&self) -> &str {
        &self.shared.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients of the issuer must trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// An honest RS256 token of [`DEFAULT_SUBJECT`].
    pub fn token(&self, scopes: &[&str], audience: &str) -> String {
        self.token_with(Algorithm::RS256, scopes, audience)
    }

    /// An honest token of [`DEFAULT_SUBJECT`], RS256 or ES256.
    pub fn token_with(&self, algorithm: Algorithm, scopes: &[&str], audience: &str) -> String {
        self.shared.token(algorithm, DEFAULT_SUBJECT, scopes, audience)
    }

    /// The same of somebody else.
    pub fn token_of(&self, subject: &str, scopes: &[&str], audience: &str) -> String {
        self.shared.token(Algorithm::RS256, subject, scopes, audience)
    }

    /// The claims of such a token, to be changed and given to [`Self::mint`].
    pub fn claims(&self, scopes: &[&str], audience: &str) -> Value {
        mint::claims(self.issuer_url(), DEFAULT_SUBJECT, scopes, audience)
    }

    /// Any claims, signed with the newest RS256 key.
    pub fn mint(&self, claims: &Value) -> String {
        self.shared.sign(Algorithm::RS256, claims)
    }

    /// Any claims under any header, signed with the newest key for `algorithm` whatever the header says.
    pub fn mint_under(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
        let key = self.shared.keys().signing(algorithm);
        mint::sign_under(&key, algorithm, header, claims)
    }

    /// Any claims, signed with a key that this issuer has not published, under that key's id.
    pub fn mint_with_unpublished_key(&self, algorithm: Algorithm, claims: &Value) -> String {
        mint::sign(&KeyRing::unpublished(algorithm), algorithm, claims)
    }

    /// From the next request on, this is wrong.
    pub fn set_fault(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
    }

    /// New keys appear in the set and sign from now on; the old ones stay published. Twice at most.
    pub fn rotate_keys(&self) {
        self.shared.keys().rotate();
    }

    /// Only the newest keys stay published.
    pub fn remove_old_keys(&self) {
        self.shared.keys().retire_old();
    }

    /// How often `document` has been asked for.
    pub fn requests(&self, document: Document) -> usize {
        self.shared.counters.get(document)
    }

    /// Stops, and returns once every connection is closed and the port is free.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn certificate(ca: &TestCa, ip: IpAddr, extra_names: &[String]) -> anyhow::Result<Certificate> {
    let address = ip.to_string();
    let mut names = vec![address.as_str(), "localhost"];
    if address != LOOPBACK {
        names.push(LOOPBACK);
    }
    names.extend(extra_names.iter().map(String::as_str));
    ca.issue(&names)
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(documents::discovery))
        .route("/.well-known/oauth-authorization-server", get(documents::discovery))
        .route("/jwks", get(documents::key_set))
        .route("/authorize", get(oauth::authorize))
        .route("/token", post(oauth::token))
        .route("/register", post(oauth::register))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(shared)
}

#[cfg(test)]
mod tests;
