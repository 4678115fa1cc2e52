//! Why a request has no [`super::Principal`]: closed sets, one fixed phrase for each class.
//!
//! What is written here goes to clients and into metric labels, so nothing in it can come from a token.

use std::time::Duration;

/// Why a request was not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No bearer token at all: 401 without an error code, so that the client starts an authorization.
    #[error("no access token was sent")]
    MissingCredential,
    /// A bearer token that is not accepted: 401 with `invalid_token`.
    #[error(transparent)]
    Invalid(#[from] InvalidToken),
    /// The token was not judged because the keys of its issuer are not there: 503 with `Retry-After`.
    #[error("the keys to check access tokens are not available; try again later")]
    KeysUnavailable {
        /// When another attempt makes sense; 1 s to 60 s, whole seconds.
        retry_after: Duration,
    },
    /// The token was not judged because of a flood of bad signatures: 503 with `Retry-After`.
    #[error("too many access tokens of this issuer fail; try again later")]
    TooManyFailures {
        /// When another attempt makes sense; whole seconds.
        retry_after: Duration,
    },
}

/// The class of a bad token. The text is the `error_description` of the challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum InvalidToken {
    /// More than one `Authorization` header.
    #[error("more than one Authorization header was sent")]
    SeveralCredentials,
    /// More than 16 KiB.
    #[error("the access token is too large")]
    TooLarge,
    /// Not three parts of base64url, or not JSON objects inside; also opaque and encrypted tokens.
    #[error("the access token is not a signed JWT in compact form")]
    Malformed,
    /// A member name occurs twice in one JSON object.
    #[error("the access token names a member twice")]
    DuplicateMember,
    /// `alg` is missing, `none`, symmetric, or not one that is enabled for the issuer.
    #[error("the access token is signed with an algorithm that is not accepted")]
    Algorithm,
    /// `crit`, `b64` or `cty`.
    #[error("the access token has a header parameter that is not accepted")]
    HeaderParameter,
    /// Not an access token: a refresh token, an ID token, or another `typ`.
    #[error("the token is not an access token")]
    TokenType,
    /// No key of the issuer fits, or a `kid` is needed and missing.
    #[error("the access token is signed with an unknown key")]
    UnknownKey,
    /// The signature does not verify.
    #[error("the signature of the access token does not verify")]
    Signature,
    /// `iss` is missing or not configured.
    #[error("the access token comes from an issuer that is not trusted")]
    Issuer,
    /// `aud` is missing or names others only.
    #[error("the access token was not issued for this server")]
    Audience,
    /// `exp`, `nbf` or `iat` is missing or is not an integer in range.
    #[error("the times of the access token are missing or malformed")]
    Times,
    /// Past `exp`.
    #[error("the access token has expired")]
    Expired,
    /// Before `nbf` or `iat`.
    #[error("the access token is not valid yet")]
    NotYetValid,
    /// Valid for longer than is accepted.
    #[error("the access token is valid for too long")]
    Lifetime,
    /// `sub` is missing, empty or not a string.
    #[error("the access token has no subject")]
    Subject,
    /// The claim that names the client is not a string.
    #[error("the client of the access token is malformed")]
    Client,
    /// The client is not one of those that may call.
    #[error("the access token was issued to a client that may not call this server")]
    ClientNotAllowed,
    /// The claim that names the tenant is not a string.
    #[error("the tenant of the access token is malformed")]
    Tenant,
    /// The claim that holds the groups is neither a string nor an array of strings.
    #[error("the groups of the access token are malformed")]
    Groups,
    /// A claim that the issuer's entry demands is missing or has another value.
    #[error("the access token lacks a claim that this server requires")]
    RequiredClaim,
    /// The claim that holds the scopes is neither a string nor an array of strings.
    #[error("the scope of the access token is malformed")]
    Scope,
    /// `cnf`: the token is bound to a key that a plain bearer token does not prove.
    #[error("the access token is bound to a key and cannot be used as a bearer token")]
    Bound,
}

impl Refusal {
    /// A label for metrics and audit events.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::MissingCredential => "missing_credential",
            Self::Invalid(reason) => reason.as_str(),
            Self::KeysUnavailable { .. } => "keys_unavailable",
            Self::TooManyFailures { .. } => "too_many_failures",
        }
    }
}

impl InvalidToken {
    /// Every class, for metrics that are to start at zero.
    pub const ALL: [Self; 23] = [
        Self::SeveralCredentials,
        Self::TooLarge,
        Self::Malformed,
        Self::DuplicateMember,
        Self::Algorithm,
        Self::HeaderParameter,
        Self::TokenType,
        Self::UnknownKey,
        Self::Signature,
        Self::Issuer,
        Self::Audience,
        Self::Times,
        Self::Expired,
        Self::NotYetValid,
        Self::Lifetime,
        Self::Subject,
        Self::Client,
        Self::ClientNotAllowed,
        Self::Tenant,
        Self::Groups,
        Self::RequiredClaim,
        Self::Scope,
        Self::Bound,
    ];

    /// A label for metrics and audit events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SeveralCredentials => "several_credentials",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::DuplicateMember => "duplicate_member",
            Self::Algorithm => "algorithm",
            Self::HeaderParameter => "header_parameter",
            Self::TokenType => "token_type",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Times => "times",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Lifetime => "lifetime",
            Self::Subject => "subject",
            Self::Client => "client",
            Self::ClientNotAllowed => "client_not_allowed",
            Self::Tenant => "tenant",
            Self::Groups => "groups",
            Self::RequiredClaim => "required_claim",
            Self::Scope => "scope",
            Self::Bound => "bound",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_label_and_a_phrase_of_its_own_that_fits_a_header() {
        let labels: std::collections::BTreeSet<_> = InvalidToken::ALL.map(InvalidToken::as_str).into();
        let phrases: std::collections::BTreeSet<_> = InvalidToken::ALL.map(|reason| reason.to_string()).into();
        assert_eq!((labels.len(), phrases.len()), (InvalidToken::ALL.len(), InvalidToken::ALL.len()));
        let plain = |phrase: &str| phrase.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b' ');
        assert!(phrases.iter().all(|phrase| plain(phrase)), "{phrases:?}");
    }
}
