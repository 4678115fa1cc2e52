//! How the issuer misbehaves on purpose, and how often each of its documents was asked for.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What is wrong with the issuer. All but [`Fault::Down`] concern the discovery document and the key set only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the issuer works.
    #[default]
    None,
    /// Connections are closed before TLS begins, on every endpoint.
    Down,
    /// Requests are taken and answered only once the fault is changed.
    Slow,
    /// 200 and `application/json`, but the body is not JSON.
    Garbage,
    /// 200 and a body of 50 MiB.
    Huge,
    /// 500 and a text.
    ServerError,
    /// 302 to the metadata address of clouds.
    Redirect,
    /// An empty key set; a discovery document without members.
    Empty,
}

/// A document that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// `/.well-known/openid-configuration` and its OAuth sibling.
    Discovery,
    /// `/jwks`.
    KeySet,
}

/// How often each document was asked for, faults included. Connections refused by [`Fault::Down`] are not requests.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    discovery: AtomicUsize,
    key_set: AtomicUsize,
}

impl Counters {
    pub(crate) fn add(&self, document: Document) {
        self.of(document).fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn get(&self, document: Document) -> usize {
        self.of(document).load(Ordering::SeqCst)
    }

    fn of(&self, document: Document) -> &AtomicUsize {
        match document {
            Document::Discovery => &self.discovery,
            Document::KeySet => &self.key_set,
        }
    }
}
