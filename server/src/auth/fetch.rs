//! Fetches the key set of one issuer, by discovery or from the URL that the configuration names.
//!
//! Every cause of failure is a member of a closed set: a status shows it to the user in one sentence, and nothing
//! that the other side sent is repeated.

use std::time::Duration;

use http::{HeaderValue, header::CONTENT_TYPE};
use reqwest::{Client, Response};
use serde::Deserialize;

use super::key_set::{KeySetError, MAX_SET_BYTES};
use crate::json;
use crate::net::{
    AddressPolicy, AddressRefused, BodyError, ClientError, RequestFault, Schemes, TIMEOUT, UrlError,
    client_with_timeout, permitted_url, read_bounded,
};

/// Where OpenID Connect discovery finds its document, after the issuer without its last slash.
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// Fetches for one issuer.
pub(super) struct KeyFetcher {
    client: Client,
    addresses: AddressPolicy,
    issuer: String,
    /// `None`: by discovery.
    jwks_uri: Option<String>,
}

/// What an attempt brought, byte for byte; at most 256 KiB each.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The key set.
    pub(super) jwks: Vec<u8>,
    /// The document that was discovered, if one was needed.
    pub(super) metadata: Option<Vec<u8>>,
}

/// Why there is no new key set. One sentence, made of fixed phrases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {cause}")]
pub struct FetchError {
    /// What was fetched or read.
    pub step: FetchStep,
    /// What went wrong.
    pub cause: FetchCause,
}

/// What was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchStep {
    /// The issuer's metadata.
    #[error("the discovery document cannot be used")]
    Discovery,
    /// The keys themselves.
    #[error("the key set cannot be used")]
    KeySet,
    /// The keys that the operator mounts.
    #[error("the mounted key file cannot be used")]
    KeyFile,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchCause {
    /// The URL is not one that is connected to.
    #[error("the URL is refused because {0}")]
    Url(UrlError),
    /// The name has only addresses that are refused.
    #[error(
        "its host has no address that may be connected to; private ones take `allowPrivateAddresses: true`, unless the operator denies them"
    )]
    AddressRefused,
    /// The name has no address.
    #[error("the name of its host cannot be resolved")]
    NameNotResolved,
    /// Nobody answers.
    #[error("its host cannot be connected to")]
    Connect,
    /// The certificate is not trusted, or TLS failed otherwise.
    #[error("its certificate is not trusted; name the CA in `caConfigMapRef`")]
    Tls,
    /// 5 s were not enough.
    #[error("it took longer than 5 s")]
    Timeout,
    /// The connection broke.
    #[error("the connection broke")]
    Interrupted,
    /// A redirect, which is never followed.
    #[error("the answer was a redirect, which is not followed; name the final URL")]
    Redirect,
    /// Another status than 200.
    #[error("the answer had status {0}")]
    Status(u16),
    /// Not JSON by its content type.
    #[error("the answer was not declared as JSON")]
    ContentType,
    /// More than 256 KiB.
    #[error("the answer had more than {MAX_SET_BYTES} bytes")]
    TooLarge,
    /// Not JSON, or not the document that was expected.
    #[error("the answer was not the expected JSON document")]
    Malformed,
    /// The document belongs to another issuer.
    #[error("the document names another issuer; `issuer` must be equal byte for byte")]
    IssuerMismatch,
    /// The file cannot be read at all, or not in time.
    #[error("it cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
    /// Not the document that the operator writes.
    #[error("it is not a file of keys as the operator writes it")]
    KeyFile,
    /// Fetched longer ago than keys may serve.
    #[error("its keys are older than `maxKeyAgeSeconds`")]
    TooOld,
    /// Fetched later than now.
    #[error("its keys are dated in the future; compare the clocks of the nodes")]
    FromTheFuture,
    /// What was fetched is not a set of keys that can be used.
    #[error("{0}")]
    KeySet(KeySetError),
}

/// Whether `url` could be fetched from at all, addresses aside.
pub(super) fn is_fetchable(url: &str) -> bool {
    let any_address = AddressPolicy { allow_loopback: true, allow_private: true, denied: None };
    let refused = |problem: &UrlError| !matches!(problem, UrlError::Address(_));
    !permitted_url(url, any_address, Schemes::Https).is_err_and(|problem| refused(&problem))
}

impl From<KeySetError> for FetchError {
    fn from(error: KeySetError) -> Self {
        Self { step: FetchStep::KeySet, cause: FetchCause::KeySet(error) }
    }
}

impl FetchError {
    /// Whether the issuer has said that none of its keys is valid any more, as opposed to not having been heard.
    pub(super) fn withdraws_keys(self) -> bool {
        self.cause == FetchCause::KeySet(KeySetError::NoUsableKey)
    }
}

#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
}

impl KeyFetcher {
    pub(super) fn new(
        issuer: String,
        jwks_uri: Option<String>,
        ca_pem: Option<&[u8]>,
        addresses: AddressPolicy,
    ) -> Result<Self, ClientError> {
        Self::with_timeout(issuer, jwks_uri, ca_pem, addresses, TIMEOUT)
    }

    /// As [`KeyFetcher::new`], with a deadline of its own for each request.
    pub(super) fn with_timeout(
        issuer: String,
        jwks_uri: Option<String>,
        ca_pem: Option<&[u8]>,
        addresses: AddressPolicy,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let client = client_with_timeout(addresses, Schemes::Https, ca_pem, timeout)?;
        Ok(Self { client, addresses, issuer, jwks_uri })
    }

    /// One attempt; two requests of at most 5 s each. What comes is a JSON document by its head only.
    pub(super) async fn fetch(&self) -> Result<Fetched, FetchError> {
        let discovery = |cause| FetchError { step: FetchStep::Discovery, cause };
        let (jwks_uri, metadata) = self.locate().await.map_err(discovery)?;
        let jwks = self.get(&jwks_uri).await.map_err(|cause| FetchError { step: FetchStep::KeySet, cause })?;
        Ok(Fetched { jwks, metadata })
    }

    /// Where the keys are, and the document that says so, if one was needed.
    async fn locate(&self) -> Result<(String, Option<Vec<u8>>), FetchCause> {
        if let Some(uri) = &self.jwks_uri {
            return Ok((uri.clone(), None));
        }
        let body = self.get(&discovery_url(&self.issuer)).await?;
        let document: DiscoveryDocument = json::read_object(&body).ok_or(FetchCause::Malformed)?;
        if document.issuer != self.issuer {
            return Err(FetchCause::IssuerMismatch);
        }
        Ok((document.jwks_uri, Some(body)))
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, FetchCause> {
        let url = permitted_url(url, self.addresses, Schemes::Https).map_err(|problem| match problem {
            UrlError::Address(AddressRefused) => FetchCause::AddressRefused,
            other => FetchCause::Url(other),
        })?;
        let response = self.client.get(url).send().await.map_err(|problem| cause_of(&problem))?;
        check_head(&response)?;
        read_bounded(response, MAX_SET_BYTES).await.map_err(|problem| match problem {
            BodyError::TooLarge { .. } => FetchCause::TooLarge,
            BodyError::Read(problem) => cause_of(&problem),
        })
    }
}

fn discovery_url(issuer: &str) -> String {
    format!("{}{DISCOVERY_PATH}", issuer.strip_suffix('/').unwrap_or(issuer))
}

fn check_head(response: &Response) -> Result<(), FetchCause> {
    let status = response.status();
    if status.is_redirection() {
        return Err(FetchCause::Redirect);
    }
    if status != http::StatusCode::OK {
        return Err(FetchCause::Status(status.as_u16()));
    }
    if response.headers().get(CONTENT_TYPE).is_some_and(is_json) { Ok(()) } else { Err(FetchCause::ContentType) }
}

/// `application/json` and whatever ends in `+json` (`application/jwk-set+json`), parameters aside.
fn is_json(content_type: &HeaderValue) -> bool {
    let text = content_type.to_str().unwrap_or_default();
    let media_type = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

fn cause_of(problem: &reqwest::Error) -> FetchCause {
    match RequestFault::of(problem) {
        RequestFault::AddressRefused => FetchCause::AddressRefused,
        RequestFault::NameNotResolved => FetchCause::NameNotResolved,
        RequestFault::Connect => FetchCause::Connect,
        RequestFault::Tls => FetchCause::Tls,
        RequestFault::Timeout => FetchCause::Timeout,
        RequestFault::Interrupted => FetchCause::Interrupted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_discovery_document_lies_under_the_issuer() {
        let rows = [
            ("https://login.example.com", "https://login.example.com/.well-known/openid-configuration"),
            ("https://tenant.example.com/", "https://tenant.example.com/.well-known/openid-configuration"),
            (
                "https://login.example.com/realms/acme",
                "https://login.example.com/realms/acme/.well-known/openid-configuration",
            ),
        ];
        for (issuer, expected) in rows {
            assert_eq!(discovery_url(issuer), expected);
        }
    }

    #[test]
    fn only_json_is_taken_for_json() {
        for (content_type, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/jwk-set+json", true),
            ("text/html", false),
            ("text/html; x=application/json", false),
            ("text/plain", false),
            ("image/svg+json", false),
            ("", false),
        ] {
            assert_eq!(is_json(&HeaderValue::from_static(content_type)), expected, "{content_type}");
        }
    }

    #[test]
    fn a_url_that_keys_could_come_from_is_https_with_a_host() {
        for (url, expected) in [
            ("https://login.example.com/keys", true),
            ("https://10.0.0.1/keys", true),
            // An address that is never reached is a finding of the fetch, which a status can show.
            ("https://169.254.169.254/keys", true),
            ("http://login.example.com/keys", false),
            ("P2project", false),
            ("https://login.example.com/#keys", false),
            ("", false),
        ] {
            assert_eq!(is_fetchable(url), expected, "{url}");
        }
    }

    #[test]
    fn a_cause_is_one_sentence_that_says_what_to_do() {
        let error = FetchError { step: FetchStep::Discovery, cause: FetchCause::IssuerMismatch };
        assert_eq!(
            error.to_string(),
            "the discovery document cannot be used: the document names another issuer; `issuer` must be equal byte for byte"
        );
    }
}
