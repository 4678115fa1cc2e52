//! What the layers refuse, and the one mapping to HTTP status and JSON-RPC code.
//!
//! A layer returns an [`Error`]; [`crate::layers::answer`] alone turns it into bytes, since only then
//! path and correlation id are both known. Errors of MCP itself are made in [`crate::mcp`].

use std::time::Duration;

use http::StatusCode;

use crate::{auth::Refusal, places::NoPlace};

/// A request that no handler answers.
#[derive(Clone, Debug)]
pub enum Error {
    /// The target is longer than we read.
    UriTooLong,
    /// More header fields, or larger ones, than we read.
    HeadersTooLarge,
    /// No `Host`, two, or one that is no host.
    HostMalformed,
    /// A well-formed host that is not ours.
    HostUnknown,
    /// An `Origin` that is not allowed.
    OriginNotAllowed,
    /// No credential, a bad one, or no keys to check it with.
    Unauthenticated(Refusal),
    /// The issuer's metadata has not been fetched yet.
    MetadataUnavailable,
    /// More requests in flight than the process takes.
    Overloaded,
    /// More requests of one caller in flight than one may have.
    TooManyOfCaller,
    /// No such route.
    NotFound,
    /// The route exists, the method does not.
    MethodNotAllowed {
        /// The methods that do.
        allow: &'static str,
    },
    /// The body is larger than we read.
    BodyTooLarge,
    /// The body came too slowly.
    BodyTooSlow,
    /// The body ended before its end.
    BodyUnreadable,
    /// Our own fault; the log says more.
    Panicked,
}

/// Invalid Request. Source: JSON-RPC 2.0, section 5.1; for what HTTP already refuses no code is fixed.
const INVALID_REQUEST: i32 = -32600;

/// Internal error. Source: JSON-RPC 2.0, section 5.1.
const INTERNAL_ERROR: i32 = -32603;

/// Long enough that a burst has passed, short enough for a person. Chosen.
const RETRY_OVERLOADED: Duration = Duration::from_secs(1);

impl From<NoPlace> for Error {
    fn from(no_place: NoPlace) -> Self {
        match no_place {
            NoPlace::Full => Self::Overloaded,
            NoPlace::OfCaller => Self::TooManyOfCaller,
        }
    }
}

impl Error {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::HostMalformed | Self::BodyUnreadable => StatusCode::BAD_REQUEST,
            Self::HostUnknown | Self::OriginNotAllowed => StatusCode::FORBIDDEN,
            Self::Unauthenticated(Refusal::KeysUnavailable { .. } | Refusal::TooManyFailures { .. })
            | Self::MetadataUnavailable
            | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unauthenticated(Refusal::MissingCredential | Refusal::Invalid(_)) => StatusCode::UNAUTHORIZED,
            Self::TooManyOfCaller => StatusCode::TOO_MANY_REQUESTS,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The JSON-RPC code on the MCP path. 401 and 403 are answered without one.
    pub fn json_rpc_code(&self) -> i32 {
        match self {
            Self::Unauthenticated(_)
            | Self::MetadataUnavailable
            | Self::Overloaded
            | Self::TooManyOfCaller
            | Self::Panicked => INTERNAL_ERROR,
            Self::UriTooLong
            | Self::HeadersTooLarge
            | Self::HostMalformed
            | Self::HostUnknown
            | Self::OriginNotAllowed
            | Self::NotFound
            | Self::MethodNotAllowed { .. }
            | Self::BodyTooLarge
            | Self::BodyTooSlow
            | Self::BodyUnreadable => INVALID_REQUEST,
        }
    }

    /// The label of the counter, and of the log line: a closed set.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UriTooLong => "uri_too_long",
            Self::HeadersTooLarge => "headers_too_large",
            Self::HostMalformed => "host_malformed",
            Self::HostUnknown => "host_unknown",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::Unauthenticated(refusal) => refusal.as_str(),
            Self::MetadataUnavailable => "metadata_unavailable",
            Self::Overloaded => "overloaded",
            Self::TooManyOfCaller => "too_many_of_caller",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTooSlow => "body_too_slow",
            Self::BodyUnreadable => "body_unreadable",
            Self::Panicked => "panicked",
        }
    }

    /// The member `error` of a plain answer. Source for 401: RFC 6750, section 3.1, as far as its codes go.
    pub fn public_code(&self) -> &'static str {
        match self {
            Self::Unauthenticated(Refusal::MissingCredential | Refusal::Invalid(_)) => "invalid_token",
            _ => self.reason(),
        }
    }

    /// What the caller is told: what to do, nothing of our insides.
    pub fn public_message(&self) -> String {
        let message = match self {
            Self::UriTooLong => "the request target is longer than 8 KiB",
            Self::HeadersTooLarge => "at most 64 header fields and 32 KiB of headers are read",
            Self::HostMalformed => "exactly one well-formed Host is needed",
            Self::HostUnknown => "this host is not served here: use the endpoint's public URL",
            Self::OriginNotAllowed => "this origin is not allowed to call this endpoint",
            Self::Unauthenticated(refusal) => return refusal.to_string(),
            Self::MetadataUnavailable => "the metadata of the issuer is not there yet: try again later",
            Self::Overloaded => "too many requests are in flight: try again later",
            Self::TooManyOfCaller => "too many of your requests are in flight: wait for answers before you send more",
            Self::NotFound => "there is nothing here",
            Self::MethodNotAllowed { .. } => "this method is not served here",
            Self::BodyTooLarge => "the body is larger than 4 MiB",
            Self::BodyTooSlow => "the body came too slowly",
            Self::BodyUnreadable => "the body ended before its end",
            Self::Panicked => "internal error",
        };
        message.to_owned()
    }

    /// When trying again can help, after how long.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unauthenticated(
                Refusal::KeysUnavailable { retry_after } | Refusal::TooManyFailures { retry_after },
            ) => Some(*retry_after),
            Self::MetadataUnavailable | Self::Overloaded | Self::TooManyOfCaller => Some(RETRY_OVERLOADED),
            _ => None,
        }
    }

    /// Whether the rest of the request is unread, so that the connection cannot carry another.
    pub fn closes_connection(&self) -> bool {
        matches!(
            self,
            Self::UriTooLong | Self::HeadersTooLarge | Self::BodyTooLarge | Self::BodyTooSlow | Self::BodyUnreadable
        )
    }
}
