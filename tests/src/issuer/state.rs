//! What the endpoints of one issuer share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jsonwebtoken::Algorithm;
use serde_json::Value;
use tokio::sync::watch;

use super::faults::{Counters, Fault};
use super::keys::KeyRing;
use super::mint;
use super::oauth::Grants;

/// One issuer's state. Locks are held for a few lines and never across an await.
pub(crate) struct Shared {
    /// The issuer string: `https://<address>:<port>`, no slash at the end.
    pub(crate) url: String,
    /// What is wrong now. Written by the test, awaited by requests that a fault holds back.
    pub(crate) fault: watch::Sender<Fault>,
    /// Written by the endpoints, read by the test.
    pub(crate) counters: Counters,
    keys: Mutex<KeyRing>,
    grants: Mutex<Grants>,
}

impl Shared {
    pub(crate) fn new(url: String, fault: Fault, grants: Grants) -> Self {
        Self {
            url,
            fault: watch::Sender::new(fault),
            counters: Counters::default(),
            keys: Mutex::new(KeyRing::new()),
            grants: Mutex::new(grants),
        }
    }

    pub(crate) fn keys(&self) -> MutexGuard<'_, KeyRing> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn grants(&self) -> MutexGuard<'_, Grants> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An honest token for `subject`, signed with the newest key.
    pub(crate) fn token(&self, algorithm: Algorithm, subject: &str, scopes: &[&str], audience: &str) -> String {
        let claims = mint::claims(&self.url, subject, scopes, audience);
        self.sign(algorithm, &claims)
    }

    /// These claims, signed with the newest key.
    pub(crate) fn sign(&self, algorithm: Algorithm, claims: &Value) -> String {
        let key = self.keys().signing(algorithm);
        mint::sign(&key, algorithm, claims)
    }
}
