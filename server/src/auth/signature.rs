//! The signature check itself: the JWT library with everything said explicitly.
//!
//! The library's claim checks are a second opinion only. Time is switched off in it because it reads the clock of
//! the machine; our own rules run afterwards in [`super::claims`].

use jsonwebtoken::{
    Validation, decode,
    errors::{Error, ErrorKind},
};
use serde::de::IgnoredAny;

use super::{
    InvalidToken,
    key_set::{KeyAlgorithm, VerificationKey},
};

/// How the tokens of one issuer are validated: one algorithm, so that a key can never serve another family.
///
/// `sub` is asked for, unless another claim may stand for it.
pub(super) fn validation(
    algorithm: KeyAlgorithm,
    issuer: &str,
    audiences: &[String],
    needs_subject: bool,
) -> Validation {
    let mut validation = Validation::new(algorithm.as_jwt());
    validation.set_issuer(&[issuer]);
    validation.set_audience(audiences);
    let subject = needs_subject.then_some("sub");
    let required: Vec<&str> = ["exp", "iss", "aud"].into_iter().chain(subject).collect();
    validation.set_required_spec_claims(&required);
    validation.validate_aud = true;
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.leeway = 0;
    validation
}

/// Whether one of `keys` signed `token`. `Ok` also when the library dislikes a claim: by then the signature
/// was verified, and the caller's own checks name the claim.
pub(super) fn verify(
    token: &str,
    keys: &[&VerificationKey],
    validation: &Validation,
) -> Result<SecondOpinion, InvalidToken> {
    let opinions = keys.iter().filter_map(|key| {
        match decode::<IgnoredAny>(token, &key.decoding_key, validation).map_err(Error::into_kind) {
            Ok(_) => Some(SecondOpinion::Agrees),
            Err(
                ErrorKind::MissingRequiredClaim(_)
                | ErrorKind::InvalidClaimFormat(_)
                | ErrorKind::InvalidIssuer
                | ErrorKind::InvalidAudience
                | ErrorKind::InvalidSubject,
            ) => Some(SecondOpinion::DislikesClaims),
            Err(_) => None,
        }
    });
    opinions.into_iter().next().ok_or(InvalidToken::Signature)
}

/// What the library thinks of the claims of a token whose signature is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecondOpinion {
    Agrees,
    /// The token must be refused, whatever our own checks say.
    DislikesClaims,
}
