//! The one way to make an HTTP client in this process.
//!
//! The resolver guards names; whoever sends a request passes its URL through [`super::permitted_url`]
//! first, which guards addresses written as such.

use std::{sync::Arc, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, redirect};

use super::{AddressPolicy, resolver::GuardedResolver};

/// How long a request may take in all, connecting and reading the body included.
/// Source: acceptance, auth.md section 5, "fetch".
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// How long an unused connection stays open. Chosen: shorter than what common servers allow (60 s and more), so that
/// a request rarely meets a connection that the other side is closing.
const IDLE: Duration = Duration::from_secs(30);

/// How often a silent connection is asked whether the other side still lives. Chosen: streams may be silent for long.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Which schemes a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schemes {
    /// Whatever must be trusted: keys, documents of issuers.
    Https,
    /// Also in clear: collectors inside a cluster.
    HttpAndHttps,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The CA bundle holds no certificate, or a broken one.
    #[error("the CA bundle cannot be read as PEM certificates")]
    CaBundle(#[source] Option<reqwest::Error>),
    /// The TLS library found no trust anchors, or refused its configuration.
    #[error("the HTTP client cannot be built; is a CA bundle installed?")]
    Build(#[source] reqwest::Error),
}

impl Schemes {
    pub(super) fn permit(self, scheme: &str) -> bool {
        scheme == "https" || (self == Self::HttpAndHttps && scheme == "http")
    }
}

/// A client that connects only where `policy` permits. `ca_pem`, when given, is trusted instead of the
/// system's certificates.
pub fn client(policy: AddressPolicy, schemes: Schemes, ca_pem: Option<&[u8]>) -> Result<Client, ClientError> {
    client_with_timeout(policy, schemes, ca_pem, TIMEOUT)
}

/// As [`client`], with a deadline of its own.
pub fn client_with_timeout(
    policy: AddressPolicy,
    schemes: Schemes,
    ca_pem: Option<&[u8]>,
    timeout: Duration,
) -> Result<Client, ClientError> {
    let mut builder = guarded(policy, schemes).connect_timeout(timeout).timeout(timeout);
    if let Some(pem) = ca_pem {
        builder = builder.tls_certs_only(certificates(pem)?);
    }
    builder.build().map_err(ClientError::Build)
}

/// A client for answers that are streams: only connecting has a deadline of [`TIMEOUT`] here, whoever reads brings
/// the other. At most `idle` connections are kept open while nobody uses them.
pub fn streaming_client(policy: AddressPolicy, schemes: Schemes, idle: usize) -> Result<Client, ClientError> {
    guarded(policy, schemes)
        .connect_timeout(TIMEOUT)
        .pool_max_idle_per_host(idle)
        .pool_idle_timeout(IDLE)
        .tcp_keepalive(KEEPALIVE)
        .build()
        .map_err(ClientError::Build)
}

/// What every client has: the guards.
#[expect(clippy::disallowed_methods, reason = "the one place that builds a client, with its guards")]
fn guarded(policy: AddressPolicy, schemes: Schemes) -> ClientBuilder {
    ensure_crypto_provider();
    Client::builder()
        .dns_resolver(Arc::new(GuardedResolver { policy }))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        // A proxy would connect on our behalf, past the guard.
        .no_proxy()
        .referer(false)
        .https_only(schemes == Schemes::Https)
        .user_agent(concat!("mcp-foundry/", env!("CARGO_PKG_VERSION")))
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, ClientError> {
    let certificates = Certificate::from_pem_bundle(pem).map_err(|problem| ClientError::CaBundle(Some(problem)))?;
    // An empty list would trust nobody and look like a broken network.
    if certificates.is_empty() { Err(ClientError::CaBundle(None)) } else { Ok(certificates) }
}

/// `main` installs the provider first; a library user or a test that did not would meet a panic inside
/// the HTTP client.
fn ensure_crypto_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing the race means that another thread has installed one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_bundle_without_a_certificate_is_refused() {
        for pem in [&b""[..], b"not a certificate"] {
            let result = client(AddressPolicy::default(), Schemes::Https, Some(pem));
            assert!(matches!(result, Err(ClientError::CaBundle(_))), "{result:?}");
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_loopback_is_not_connected_to() {
        let client = client(AddressPolicy::default(), Schemes::HttpAndHttps, None).unwrap();
        let error = client.get("http://localhost:9/").send().await.unwrap_err();
        let mut chain = std::iter::successors(std::error::Error::source(&error), |error| error.source());
        assert!(chain.any(<dyn std::error::Error>::is::<super::super::AddressRefused>), "{error:?}");
    }
}
