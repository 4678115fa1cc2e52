//! Tokens made to order: honest claims to start from, any header and any claim to lie with.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};

use super::keys::KeyRef;

/// How long a token lives unless its claims say otherwise, in seconds.
pub(crate) const TOKEN_LIFETIME_SECONDS: u64 = 3600;

/// The subject of tokens that ask for none.
pub const DEFAULT_SUBJECT: &str = "user-1";

/// The claims of an honest access token: all that the rules of validation ask for, nothing else.
pub(crate) fn claims(issuer: &str, subject: &str, scopes: &[&str], audience: &str) -> Value {
    let now = unix_seconds();
    json!({
        "iss": issuer,
        "sub": subject,
        "aud": audience,
        "iat": now,
        "exp": now + TOKEN_LIFETIME_SECONDS,
        "jti": uuid::Uuid::new_v4().to_string(),
        "client_id": "test-client",
        "scope": scopes.join(" "),
    })
}

/// `claims` signed by `key`, with the header that honest issuers write.
pub(crate) fn sign(key: &KeyRef, algorithm: Algorithm, claims: &Value) -> String {
    let header = Header { kid: Some(key.key().kid.clone()), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, claims, &key.key().private)
        .expect("JSON claims and a key of the right family always sign")
}

/// `claims` under a header of one's own, signed by `key` whatever the header says.
pub(crate) fn sign_under(key: &KeyRef, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key.key().private, algorithm)
        .expect("a key of the right family always signs");
    format!("{message}.{signature}")
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Now, in seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock of a machine that runs tests stands after 1970")
        .as_secs()
}
