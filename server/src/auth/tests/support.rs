//! A clock that tests set, tokens of any shape, and an authenticator around them.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, header::AUTHORIZATION};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::keys::{EC, Ec, OTHER_EC, RSA, ec_jwk, rsa_jwk, sign_rs256};
use crate::{
    auth::{AuthDeps, Authenticator, InvalidToken, IssuerSettings, KeyRules, KeySet, KeySource, Principal, Refusal},
    clock::Clock,
    net::AddressPolicy,
};

pub(super) const ISSUER: &str = "https://login.example.com/realms/acme";
pub(super) const OTHER_ISSUER: &str = "https://other.example.com";
pub(super) const AUDIENCE: &str = "https://mcp.example.com/mcp";

/// Where the clock stands at the start of each test; seconds since 1970.
pub(super) const NOW: i64 = 1_800_000_000;

/// What a request with some token is answered.
pub(super) type Answer = Result<Arc<Principal>, Refusal>;

/// Both clocks, moved by hand.
pub(super) struct FakeClock(Mutex<(Timestamp, Instant)>);

impl FakeClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((Timestamp::from_second(NOW).unwrap(), Instant::now()))))
    }

    /// Time passes.
    pub(super) fn advance(&self, duration: Duration) {
        let mut clocks = self.0.lock().unwrap();
        *clocks = (clocks.0 + duration, clocks.1 + duration);
    }

    /// The time of day is set; no time passes.
    pub(super) fn set_time_of_day(&self, seconds: i64) {
        self.0.lock().unwrap().0 = Timestamp::from_second(seconds).unwrap();
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().0
    }

    fn monotonic(&self) -> Instant {
        self.0.lock().unwrap().1
    }
}

/// Who signs a token, and under which `kid`.
#[derive(Clone, Copy)]
pub(super) enum Signer {
    Rsa(&'static aws_lc_rs::signature::RsaKeyPair, &'static str),
    Ec(&'static Ec, &'static str),
}

impl Signer {
    pub(super) fn rsa() -> Self {
        Self::Rsa(&RSA, "rsa")
    }

    pub(super) fn ec() -> Self {
        Self::Ec(&EC, "ec")
    }

    pub(super) fn header(self) -> Value {
        match self {
            Self::Rsa(_, key_id) => json!({ "alg": "RS256", "typ": "at+jwt", "kid": key_id }),
            Self::Ec(_, key_id) => json!({ "alg": "ES256", "typ": "at+jwt", "kid": key_id }),
        }
    }

    pub(super) fn sign(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(key, _) => sign_rs256(key, message),
            Self::Ec(key, _) => key.sign(message),
        }
    }
}

/// The claims of a good token.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "azp": "agent", "scope": "tools:ping tools:echo",
        "iat": NOW - 60, "nbf": NOW - 60, "exp": NOW + 600,
    })
}

/// `base` with members replaced; `"-"` removes one.
pub(super) fn with(mut base: Value, change: &Value) -> Value {
    let members = base.as_object_mut().unwrap();
    for (name, value) in change.as_object().unwrap() {
        if value == "-" {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    base
}

/// A token of exactly these bytes.
pub(super) fn raw_token(header: &str, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// A token with good claims and header, changed as said.
pub(super) fn token(signer: Signer, header: &Value, change: &Value) -> String {
    let header = with(signer.header(), header).to_string();
    raw_token(&header, &with(claims(), change).to_string(), |message| signer.sign(message))
}

/// A token with good claims, changed as said.
pub(super) fn token_with(change: &Value) -> String {
    token(Signer::ec(), &json!({}), change)
}

pub(super) fn document(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

pub(super) fn key_set(keys: &[Value]) -> KeySet {
    KeySet::parse(document(keys).as_bytes(), &KeyRules::default().algorithms).unwrap()
}

/// `ISSUER` with an RSA and an EC key, and `OTHER_ISSUER` with other keys under the same ids.
pub(super) fn authenticator(clock: &Arc<FakeClock>) -> Authenticator {
    let issuer = |issuer: &str, keys: &[Value]| {
        let audiences = vec![AUDIENCE.to_owned(), "api://alias".to_owned()];
        IssuerSettings::new(issuer, audiences, KeySource::Static(key_set(keys)))
    };
    let (other_rsa, other_ec) = (&super::keys::OTHER_RSA, &super::keys::OTHER_EC);
    let issuers = vec![
        issuer(ISSUER, &[rsa_jwk(&RSA, "rsa"), ec_jwk(&EC, "ec")]),
        issuer(OTHER_ISSUER, &[rsa_jwk(other_rsa, "rsa"), ec_jwk(other_ec, "ec")]),
    ];
    build(issuers, clock, AddressPolicy::default())
}

pub(super) fn build(issuers: Vec<IssuerSettings>, clock: &Arc<FakeClock>, addresses: AddressPolicy) -> Authenticator {
    Authenticator::new(issuers, deps(clock, addresses)).unwrap()
}

/// Without a folder for keys.
pub(super) fn deps(clock: &Arc<FakeClock>, addresses: AddressPolicy) -> AuthDeps {
    let clock: Arc<dyn Clock> = Arc::<FakeClock>::clone(clock);
    AuthDeps { addresses, clock, jitter_seed: 7, key_cache: None }
}

pub(super) fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    headers
}

pub(super) async fn ask(authenticator: &Authenticator, token: &str) -> Answer {
    authenticator.authenticate(&bearer(token)).await
}

pub(super) fn invalid(reason: InvalidToken) -> Answer {
    Err(Refusal::Invalid(reason))
}

/// Who signs before a change of keys.
pub(super) fn old() -> Signer {
    Signer::Ec(&EC, "old")
}

/// Who signs after it.
pub(super) fn new() -> Signer {
    Signer::Ec(&OTHER_EC, "new")
}

/// The set before it.
pub(super) fn old_keys() -> [Value; 1] {
    [ec_jwk(&EC, "old")]
}

/// The set after it.
pub(super) fn new_keys() -> [Value; 1] {
    [ec_jwk(&OTHER_EC, "new")]
}

/// Whether there were no keys to judge with.
pub(super) fn is_unavailable(answer: &Answer) -> bool {
    matches!(answer, Err(Refusal::KeysUnavailable { .. }))
}
