//! Which signature algorithms an issuer's tokens may name, and which of its keys serve them.

use crds::gateway_config::SignatureAlgorithm::{self, ES256, EdDSA, PS256, RS256};
use serde_json::{Value, json};

use super::{
    keys::{EC, ED, RSA, ec_jwk, ed_jwk, rsa_jwk, sign_ps256, sign_rs256},
    support::{AUDIENCE, FakeClock, ISSUER, ask, build, claims, document, raw_token, with},
};
use crate::{
    auth::{
        Authenticator, InvalidToken, IssuerSettings, KeyRules, KeySet, KeySetError, KeySource, key_set::KeyAlgorithm,
    },
    net::AddressPolicy,
};

const ALL: [SignatureAlgorithm; 4] = [RS256, ES256, PS256, EdDSA];

fn parse(keys: &[Value], enabled: &[SignatureAlgorithm]) -> Result<KeySet, KeySetError> {
    KeySet::parse(document(keys).as_bytes(), enabled)
}

fn authenticator(keys: &[Value], enabled: &[SignatureAlgorithm]) -> Authenticator {
    let keys = KeySource::Static(parse(keys, enabled).unwrap());
    let key_rules = KeyRules { algorithms: enabled.to_vec(), ..KeyRules::default() };
    let settings = IssuerSettings { key_rules, ..IssuerSettings::new(ISSUER, vec![AUDIENCE.to_owned()], keys) };
    build(vec![settings], &FakeClock::new(), AddressPolicy::default())
}

/// A good token under this `alg` and `kid`, signed with the key of the given kind.
fn token(algorithm: &str, key_id: &str, signer: SignatureAlgorithm) -> String {
    let header = json!({ "alg": algorithm, "kid": key_id }).to_string();
    raw_token(&header, &claims().to_string(), |message| match signer {
        RS256 => sign_rs256(&RSA, message),
        PS256 => sign_ps256(&RSA, message),
        ES256 => EC.sign(message),
        EdDSA => ED.sign(message).as_ref().to_vec(),
    })
}

async fn refusal(authenticator: &Authenticator, token: &str) -> Option<InvalidToken> {
    match ask(authenticator, token).await {
        Ok(_) => None,
        Err(crate::auth::Refusal::Invalid(reason)) => Some(reason),
        Err(other) => panic!("{other:?}"),
    }
}

/// An RSA key for both, an EC and an Ed25519 key.
fn keys() -> [Value; 3] {
    [with(rsa_jwk(&RSA, "rsa"), &json!({ "alg": "-" })), ec_jwk(&EC, "ec"), ed_jwk(&ED, "ed")]
}

#[tokio::test]
async fn each_algorithm_lets_in_what_it_signed_where_it_is_enabled_and_nowhere_else() {
    let rows = [(RS256, "RS256", "rsa"), (PS256, "PS256", "rsa"), (ES256, "ES256", "ec"), (EdDSA, "EdDSA", "ed")];
    for (algorithm, name, key_id) in rows {
        let token = token(name, key_id, algorithm);
        assert_eq!(refusal(&authenticator(&keys(), &ALL), &token).await, None, "{name}");
        let others: Vec<_> = ALL.into_iter().filter(|other| *other != algorithm).collect();
        let reason = refusal(&authenticator(&keys(), &others), &token).await;
        assert_eq!(reason, Some(InvalidToken::Algorithm), "{name} is not enabled");
    }
}

#[tokio::test]
async fn only_what_is_enabled_by_default_is_enabled_by_default() {
    let authenticator = authenticator(&keys(), &KeyRules::default().algorithms);
    for (algorithm, name, key_id, expected) in [
        (RS256, "RS256", "rsa", None),
        (ES256, "ES256", "ec", None),
        (PS256, "PS256", "rsa", Some(InvalidToken::Algorithm)),
        (EdDSA, "EdDSA", "ed", Some(InvalidToken::Algorithm)),
    ] {
        assert_eq!(refusal(&authenticator, &token(name, key_id, algorithm)).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_key_serves_no_other_family_and_a_signature_no_other_algorithm() {
    let authenticator = authenticator(&keys(), &ALL);
    for (name, key_id, signer, expected) in [
        ("ES256", "rsa", RS256, InvalidToken::UnknownKey),
        ("EdDSA", "rsa", RS256, InvalidToken::UnknownKey),
        ("RS256", "ec", ES256, InvalidToken::UnknownKey),
        ("PS256", "ed", EdDSA, InvalidToken::UnknownKey),
        ("ES256", "ed", EdDSA, InvalidToken::UnknownKey),
        ("EdDSA", "ec", ES256, InvalidToken::UnknownKey),
        ("PS256", "rsa", RS256, InvalidToken::Signature),
        ("RS256", "rsa", PS256, InvalidToken::Signature),
        ("EdDSA", "ed", ES256, InvalidToken::Signature),
    ] {
        assert_eq!(refusal(&authenticator, &token(name, key_id, signer)).await, Some(expected), "{name} {key_id}");
    }
}

#[test]
fn a_key_that_names_its_algorithm_serves_that_one_alone() {
    let candidates = |alg: &str, algorithm: KeyAlgorithm| {
        let set = parse(&[with(rsa_jwk(&RSA, "rsa"), &json!({ "alg": alg }))], &ALL).unwrap();
        assert_eq!((set.usable(), set.skipped().total()), (1, 0));
        set.candidates(Some("rsa"), algorithm).is_ok()
    };
    for (alg, rs256, ps256) in [("RS256", true, false), ("PS256", false, true), ("-", true, true)] {
        assert_eq!(candidates(alg, KeyAlgorithm::Rs256), rs256, "{alg}");
        assert_eq!(candidates(alg, KeyAlgorithm::Ps256), ps256, "{alg}");
        assert!(!candidates(alg, KeyAlgorithm::EdDsa), "{alg}");
    }
}

#[test]
fn keys_for_algorithms_that_are_not_enabled_do_not_count() {
    assert_eq!(parse(&[ed_jwk(&ED, "ed")], &[RS256]).unwrap_err(), KeySetError::NoUsableKey);
    let set = parse(&keys(), &[PS256]).unwrap();
    assert_eq!((set.usable(), set.skipped().unsupported, set.key_ids()), (1, 2, vec!["rsa".to_owned()]));
    assert!(!set.knows("ed") && !set.knows("ec"));
    // What an entry enables decides about tokens, so remembered decisions know the difference.
    assert_ne!(set.identity(), parse(&keys(), &[RS256]).unwrap().identity());
    assert_ne!(set.identity(), parse(&keys(), &[RS256, PS256]).unwrap().identity());
}

#[test]
fn an_ed25519_key_goes_by_either_name_and_is_no_other_curve() {
    let ed = |change: Value| parse(&[with(ed_jwk(&ED, "ed"), &change)], &ALL).map(|set| set.usable());
    for alg in ["EdDSA", "Ed25519", "-"] {
        assert_eq!(ed(json!({ "alg": alg })), Ok(1), "{alg}");
    }
    for change in [
        json!({ "alg": "Ed448" }),
        json!({ "alg": "ES256" }),
        json!({ "crv": "Ed448" }),
        json!({ "crv": "X25519" }),
        json!({ "kty": "EC" }),
        json!({ "x": "AAAA" }),
        json!({ "x": "-" }),
    ] {
        assert_eq!(ed(change.clone()), Err(KeySetError::NoUsableKey), "{change}");
    }
}

#[test]
fn ed25519_keys_under_which_one_signature_fits_many_messages_are_weak() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let prime_and = |lowest: u8| [&[lowest][..], &[0xff; 30], &[0x7f]].concat();
    let order_eight: Vec<u8> = (0..64)
        .step_by(2)
        .map(|at| {
            let hex = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
            u8::from_str_radix(&hex[at..at + 2], 16).unwrap()
        })
        .collect();
    // -y: the prime less each byte, which borrows nothing.
    let opposite = prime_and(0xed).iter().zip(&order_eight).map(|(prime, byte)| prime - byte).collect();
    let one = [&[1][..], &[0; 31]].concat();
    for point in [vec![0; 32], one, order_eight, opposite, prime_and(0xec), prime_and(0xed), prime_and(0xee)] {
        for sign in [0, 0x80] {
            let mut point = point.clone();
            point[31] |= sign;
            let weak = with(ed_jwk(&ED, "weak"), &json!({ "x": URL_SAFE_NO_PAD.encode(&point) }));
            let set = parse(&[weak, ec_jwk(&EC, "ec")], &ALL).unwrap();
            assert_eq!((set.usable(), set.skipped().weak), (1, 1), "{point:x?}");
        }
    }
}
