//! The keys with which the API server signs ServiceAccount tokens, asked for when a spec accepts such tokens.
//!
//! One answer for the whole cluster: whoever needs it first asks, the others wait for that, and for an hour nobody asks
//! again. A failure keeps what was known. Any ServiceAccount may read both documents, by the cluster's default binding
//! `system:service-account-issuer-discovery`; they hold public keys, nothing secret.

use std::{io, time::Duration};

use crds::{McpServer, mcp_server::Preset};
use futures::AsyncReadExt;
use http::Request;
use jiff::Timestamp;
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};
use tracing::{info, warn};

use crate::{
    backoff::{Backoff, jittered},
    clock::chance,
    observed::{KeysUnavailable, ServiceAccountKeys},
    requests::{Access, CallError, Requests},
};

/// After this the keys are asked for again: nothing tells when they change. Chosen: a new key is published long before
/// it signs, or the API servers restart; two requests an hour cost nothing.
pub const RENEWAL_INTERVAL: Duration = Duration::from_secs(3600);

/// Where the API server says who it is as an issuer.
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// Where it publishes its keys itself, wherever discovery sends others for them.
const KEYS_PATH: &str = "/openid/v1/jwks";

/// The largest document that is read, in bytes. Source: auth.md, `fetch`.
const MAX_DOCUMENT_BYTES: u64 = 256 * 1024;

/// What is known about the API server as an issuer.
pub type Known = Result<ServiceAccountKeys, KeysUnavailable>;

/// Asks the API server; what it answered last.
#[derive(Default)]
pub struct ServiceAccountIssuer {
    // Held while it asks, so that one asks for all: each call has its deadline.
    asked: Mutex<Option<Asked>>,
    backoff: Backoff<()>,
}

#[derive(Clone)]
struct Asked {
    known: Known,
    /// Not before this.
    again: Instant,
}

/// An answer, and for how long it is the newest that there is.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What is known.
    pub known: Known,
    /// After this it is worth to look again.
    pub again_in: Duration,
}

impl ServiceAccountIssuer {
    /// The keys, when `mcp_server` accepts ServiceAccount tokens of this cluster.
    pub async fn keys(&self, requests: &Requests, mcp_server: &McpServer, now: Timestamp) -> Option<Answer> {
        let issuers = &mcp_server.spec.auth.issuers;
        if !issuers.iter().any(|issuer| issuer.preset == Some(Preset::Kubernetes)) {
            return None;
        }
        let mut asked = self.asked.lock().await;
        let newest = match asked.clone() {
            Some(before) if Instant::now() < before.again => before,
            before => {
                let newest = self.ask(requests, before.map(|before| before.known), now).await;
                *asked = Some(newest.clone());
                newest
            }
        };
        Some(Answer { known: newest.known, again_in: newest.again.saturating_duration_since(Instant::now()) })
    }

    async fn ask(&self, requests: &Requests, before: Option<Known>, now: Timestamp) -> Asked {
        match fetch(requests, now.as_second()).await {
            Ok(keys) => {
                self.backoff.forget(&());
                if !before.is_some_and(|before| before.is_ok_and(|before| before.jwks == keys.jwks)) {
                    info!("fetched the API server's keys for ServiceAccount tokens of issuer {}", keys.issuer);
                }
                Asked { known: Ok(keys), again: Instant::now() + jittered(RENEWAL_INTERVAL, chance()) }
            }
            Err(error) => {
                let unavailable = error.unavailable();
                let pause = self.backoff.after_failure((), unavailable == KeysUnavailable::Forbidden, chance());
                warn!(
                    error = &error as &dyn std::error::Error,
                    "the API server's keys for ServiceAccount tokens could not be fetched, next try in {pause:.1?}"
                );
                let known = before.filter(Result::is_ok).unwrap_or(Err(unavailable));
                Asked { known, again: Instant::now() + pause }
            }
        }
    }
}

/// Why there are no new keys.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("cannot get {path}")]
    Call {
        path: &'static str,
        #[source]
        source: CallError,
    },
    #[error("{path} is no document of at most {MAX_DOCUMENT_BYTES} bytes that names an issuer or keys")]
    Unreadable { path: &'static str },
}

impl FetchError {
    fn unavailable(&self) -> KeysUnavailable {
        match self {
            Self::Unreadable { .. } => KeysUnavailable::Unreadable,
            Self::Call { source, .. } => match source.code() {
                403 => KeysUnavailable::Forbidden,
                404 => KeysUnavailable::NotServed,
                _ => KeysUnavailable::Unreachable,
            },
        }
    }
}

async fn fetch(requests: &Requests, fetched_at: i64) -> Result<ServiceAccountKeys, FetchError> {
    let discovery = document(requests, DISCOVERY_PATH).await?;
    let issuer = discovery.get("issuer").and_then(Value::as_str).map(str::to_owned);
    let issuer = issuer.ok_or(FetchError::Unreadable { path: DISCOVERY_PATH })?;
    let mut jwks = document(requests, KEYS_PATH).await?;
    match jwks.get_mut("keys").and_then(Value::as_array_mut) {
        // Their order means nothing (RFC 7517, section 5), and two API servers may differ in it.
        Some(keys) if !keys.is_empty() => keys.sort_by_cached_key(Value::to_string),
        _ => return Err(FetchError::Unreadable { path: KEYS_PATH }),
    }
    Ok(ServiceAccountKeys { issuer, jwks, fetched_at })
}

async fn document(requests: &Requests, path: &'static str) -> Result<Value, FetchError> {
    let get = || async {
        let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
        let body = requests.client.request_stream(request).await?;
        let mut bytes = Vec::new();
        let mut bounded = std::pin::pin!(body.take(MAX_DOCUMENT_BYTES + 1));
        bounded.read_to_end(&mut bytes).await.map_err(unread)?;
        Ok(bytes)
    };
    let bytes = requests.call(Access::Read, get).await.map_err(|source| FetchError::Call { path, source })?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_DOCUMENT_BYTES);
    let document = fits.then(|| serde_json::from_slice(&bytes).ok()).flatten();
    document.ok_or(FetchError::Unreadable { path })
}

/// The answer broke off.
fn unread(error: io::Error) -> kube::Error {
    kube::Error::ReadEvents(error)
}

#[cfg(test)]
mod tests;
