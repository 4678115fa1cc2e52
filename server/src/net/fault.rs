//! Why a request got no answer, as a member of a closed set that may be shown to people.
//!
//! Nothing of what the other side sent, no URL and no address is in it.

use std::{error::Error, io};

use super::AddressRefused;

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// The name has only addresses that are refused.
    #[error("its host has no address that may be connected to")]
    AddressRefused,
    /// The name has no address.
    #[error("the name of its host cannot be resolved")]
    NameNotResolved,
    /// Nobody answers.
    #[error("its host cannot be connected to")]
    Connect,
    /// The certificate is not trusted, or TLS failed otherwise.
    #[error("its certificate is not trusted")]
    Tls,
    /// A deadline passed.
    #[error("it took too long")]
    Timeout,
    /// The connection broke.
    #[error("the connection broke")]
    Interrupted,
}

impl RequestFault {
    /// What `problem` comes down to.
    pub fn of(problem: &reqwest::Error) -> Self {
        let first: &(dyn Error + 'static) = problem;
        let chain = || std::iter::successors(Some(first), |error| inner(*error));
        if chain().any(<dyn Error>::is::<AddressRefused>) {
            Self::AddressRefused
        } else if problem.is_timeout() {
            Self::Timeout
        } else if chain().any(<dyn Error>::is::<rustls::Error>) {
            Self::Tls
        } else if problem.is_dns() {
            Self::NameNotResolved
        } else if problem.is_connect() {
            Self::Connect
        } else {
            Self::Interrupted
        }
    }
}

/// The cause of `error`. An I/O error hides what it wraps: its own `source` is already the next but one.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}
