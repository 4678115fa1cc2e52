//! The issuer of a development server: one ES256 key, made at start and never written anywhere.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::SecretString;
use serde_json::json;

use crate::auth::{IssuerSettings, KeyRules, KeySet, KeySetError, KeySource};

/// Its `iss`. Nobody can look it up: `.invalid` never resolves (RFC 6761).
pub const DEV_ISSUER: &str = "https://dev-issuer.invalid";

/// How long its tokens are good: a working day.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

const KEY_ID: &str = "dev";
const SCOPES: &str = "tools:ping tools:echo";

/// An issuer inside the process.
pub struct DevIssuer {
    signing_key: EncodingKey,
    key_set: KeySet,
}

/// Why there is no development issuer or no token.
#[derive(Debug, thiserror::Error)]
pub enum DevIssuerError {
    /// The crypto library made no key.
    #[error("no key pair could be made")]
    KeyPair(#[source] aws_lc_rs::error::Unspecified),
    /// The key that was made is refused by our own rules.
    #[error("the key pair that was made is not accepted")]
    KeySet(#[source] KeySetError),
    /// The token could not be signed.
    #[error("the token could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

impl DevIssuer {
    /// Makes a key.
    pub fn new() -> Result<Self, DevIssuerError> {
        let key_pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(DevIssuerError::KeyPair)?;
        let pkcs8 = key_pair.to_pkcs8v1().map_err(DevIssuerError::KeyPair)?;
        // An uncompressed point: one byte 4, then both coordinates.
        let (x, y) = key_pair.public_key().as_ref()[1..].split_at(32);
        let document = json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KEY_ID,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        }]});
        let algorithms = KeyRules::default().algorithms;
        let key_set = KeySet::parse(document.to_string().as_bytes(), &algorithms).map_err(DevIssuerError::KeySet)?;
        Ok(Self { signing_key: EncodingKey::from_ec_der(pkcs8.as_ref()), key_set })
    }

    /// What the authenticator needs to accept its tokens for `resource`.
    pub fn settings(&self, resource: &str) -> IssuerSettings {
        IssuerSettings::new(DEV_ISSUER, vec![resource.to_owned()], KeySource::Static(self.key_set.clone()))
    }

    /// A token for `resource` with the scopes of all built-in tools, good for [`TOKEN_LIFETIME`] from `now` on.
    pub fn token(&self, resource: &str, now: Timestamp) -> Result<SecretString, DevIssuerError> {
        let issued_at = now.as_second();
        let claims = json!({
            "iss": DEV_ISSUER, "sub": "developer", "azp": "dev-client", "aud": resource, "scope": SCOPES,
            "iat": issued_at, "exp": issued_at + TOKEN_LIFETIME.as_secs().cast_signed(),
        });
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(KEY_ID.to_owned());
        let token = encode(&header, &claims, &self.signing_key).map_err(DevIssuerError::Sign)?;
        Ok(token.into())
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use http::{HeaderMap, header::AUTHORIZATION};
    use secrecy::ExposeSecret;

    use super::*;
    use crate::{
        auth::{AuthDeps, Authenticator, InvalidToken, Refusal},
        clock::Clock,
        net::AddressPolicy,
    };

    struct At(Timestamp);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }

        fn monotonic(&self) -> Instant {
            Instant::now()
        }
    }

    const RESOURCE: &str = "http://127.0.0.1:8080/mcp";
    const START: Timestamp = Timestamp::constant(1_800_000_000, 0);

    async fn caller(issuer: &DevIssuer, token: &SecretString, now: Timestamp) -> Result<String, Refusal> {
        let deps =
            AuthDeps { addresses: AddressPolicy::default(), clock: Arc::new(At(now)), jitter_seed: 0, key_cache: None };
        let authenticator = Authenticator::new(vec![issuer.settings(RESOURCE)], deps).unwrap();
        assert!(authenticator.ready(), "nothing has to be fetched");
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {}", token.expose_secret()).parse().unwrap());
        let principal = authenticator.authenticate(&headers).await?;
        Ok(format!("{} {:?}", principal.subject(), principal.scopes().iter().collect::<Vec<_>>()))
    }

    #[tokio::test]
    async fn its_token_opens_the_built_in_tools_for_twelve_hours() {
        let issuer = DevIssuer::new().unwrap();
        let token = issuer.token(RESOURCE, START).unwrap();
        let expected = r#"developer ["tools:echo", "tools:ping"]"#;
        assert_eq!(caller(&issuer, &token, START).await.unwrap(), expected);
        let end = START + TOKEN_LIFETIME + Duration::from_secs(30);
        assert_eq!(caller(&issuer, &token, end).await, Err(InvalidToken::Expired.into()));
    }

    #[tokio::test]
    async fn a_token_of_another_start_is_worth_nothing() {
        let (first, second) = (DevIssuer::new().unwrap(), DevIssuer::new().unwrap());
        let token = first.token(RESOURCE, START).unwrap();
        assert_eq!(caller(&second, &token, START).await, Err(InvalidToken::Signature.into()));
    }
}
