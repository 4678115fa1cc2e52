//! What may stand in a key set, and what comes of it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    keys::{EC, ED, OTHER_EC, RSA, ec_jwk, ed_jwk, rsa_jwk},
    support::{document, with},
};
use crate::auth::{
    InvalidToken, KeyRules, KeySet, KeySetError, SkippedKeys,
    key_set::{KeyAlgorithm, MAX_SET_BYTES},
};

fn parse(keys: &[Value]) -> Result<KeySet, KeySetError> {
    parse_bytes(document(keys).as_bytes())
}

/// For an issuer that enables what is enabled by default.
fn parse_bytes(document: &[u8]) -> Result<KeySet, KeySetError> {
    KeySet::parse(document, &KeyRules::default().algorithms)
}

/// A set of a good key and this one: whether the second is usable, else why not.
#[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
fn check(jwk: Value, expected: SkippedKeys) {
    let set = parse(&[ec_jwk(&OTHER_EC, "good"), jwk.clone()]).unwrap();
    assert_eq!(set.skipped(), expected, "{jwk}");
    assert_eq!(set.usable(), 2 - expected.total(), "{jwk}");
}

fn number(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn weak() -> SkippedKeys {
    SkippedKeys { weak: 1, ..SkippedKeys::default() }
}

fn unsupported() -> SkippedKeys {
    SkippedKeys { unsupported: 1, ..SkippedKeys::default() }
}

fn other_use() -> SkippedKeys {
    SkippedKeys { other_use: 1, ..SkippedKeys::default() }
}

fn malformed() -> SkippedKeys {
    SkippedKeys { malformed: 1, ..SkippedKeys::default() }
}

#[test]
fn weak_rsa_keys_are_left_out() {
    let rsa = |change: Value| with(rsa_jwk(&RSA, "x"), &change);
    check(rsa(json!({})), SkippedKeys::default());
    for bytes in [64, 128, 255] {
        check(rsa(json!({ "n": number(&vec![0xff; bytes]) })), weak());
    }
    let mut padded = vec![0; 256];
    padded[128..].fill(0xff);
    check(rsa(json!({ "n": number(&padded) })), weak());
    check(rsa(json!({ "n": "" })), weak());
    for exponent in [&[1][..], &[0, 0, 1], &[0], &[], &[2], &[1, 0, 0]] {
        check(rsa(json!({ "e": number(exponent) })), weak());
    }
    check(rsa(json!({ "e": number(&[3]) })), SkippedKeys::default());
    check(rsa(json!({ "n": number(&vec![0xff; 1025]) })), unsupported());
    check(rsa(json!({ "e": number(&[0xff; 8]) })), unsupported());
    check(rsa(json!({ "e": number(&[0xff; 9]) })), unsupported());
}

#[test]
fn keys_of_unknown_kinds_are_left_out() {
    let ec = |change: Value| with(ec_jwk(&EC, "x"), &change);
    check(json!({ "kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA" }), unsupported());
    check(json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }), unsupported());
    check(ec(json!({ "crv": "P-384" })), unsupported());
    check(ec(json!({ "crv": "secp256k1" })), unsupported());
    check(ec(json!({ "alg": "ES384" })), unsupported());
    check(with(rsa_jwk(&RSA, "x"), &json!({ "alg": "RS512" })), unsupported());
    check(with(rsa_jwk(&RSA, "x"), &json!({ "alg": "HS256" })), unsupported());
}

#[test]
fn keys_for_another_use_are_left_out() {
    let rsa = |change: Value| with(rsa_jwk(&RSA, "x"), &change);
    check(rsa(json!({ "use": "enc" })), other_use());
    check(rsa(json!({ "use": "-", "alg": "RSA-OAEP-256" })), other_use());
    check(rsa(json!({ "key_ops": ["sign"] })), other_use());
    check(rsa(json!({ "key_ops": "verify" })), other_use());
    check(rsa(json!({ "use": "-", "alg": "-", "key_ops": ["verify"] })), SkippedKeys::default());
    check(rsa(json!({ "use": "-", "alg": "-" })), SkippedKeys::default());
}

#[test]
fn broken_keys_are_left_out() {
    let ec = |change: Value| with(ec_jwk(&EC, "x"), &change);
    check(json!({}), malformed());
    check(json!({ "kty": "EC" }), malformed());
    check(ec(json!({ "kid": 1 })), malformed());
    check(ec(json!({ "use": 1 })), malformed());
    check(ec(json!({ "x": "-" })), malformed());
    check(ec(json!({ "x": "AAAA" })), malformed());
    check(ec(json!({ "x": "not base64!" })), malformed());
    // Not on the curve.
    check(ec(json!({ "x": number(&[1; 32]), "y": number(&[1; 32]) })), malformed());
    check(with(rsa_jwk(&RSA, "x"), &json!({ "n": "-" })), malformed());
}

#[test]
fn a_private_or_symmetric_key_condemns_the_set() {
    let good = ec_jwk(&EC, "good");
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let leaked = with(rsa_jwk(&RSA, "x"), &json!({ member: "AAAA" }));
        assert_eq!(parse(&[good.clone(), leaked]).unwrap_err(), KeySetError::PrivateKey, "{member}");
    }
    // Also in a key that would be left out anyway.
    let symmetric = json!({ "kty": "oct", "k": "AAAA" });
    assert_eq!(parse(&[good, symmetric]).unwrap_err(), KeySetError::PrivateKey);
}

#[test]
fn a_set_is_bounded() {
    let keys = |count: usize| (0..count).map(|number| ec_jwk(&EC, &number.to_string())).collect::<Vec<_>>();
    assert_eq!(parse(&keys(64)).unwrap().usable(), 64);
    assert_eq!(parse(&keys(65)).unwrap_err(), KeySetError::TooManyKeys);
    let mut document = document(&keys(1)).into_bytes();
    document.resize(MAX_SET_BYTES, b' ');
    assert!(parse_bytes(&document).is_ok());
    document.push(b' ');
    assert_eq!(parse_bytes(&document).unwrap_err(), KeySetError::TooLarge);
}

#[test]
fn what_is_no_set_is_malformed_and_a_set_without_a_usable_key_is_not() {
    for document in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":null}"#, "<html>"] {
        assert_eq!(parse_bytes(document.as_bytes()).unwrap_err(), KeySetError::Malformed, "{document}");
    }
    let nameless = format!("[[{}]]", ec_jwk(&EC, "one"));
    assert_eq!(parse_bytes(nameless.as_bytes()).unwrap_err(), KeySetError::Malformed);
    assert_eq!(parse(&[]).unwrap_err(), KeySetError::NoUsableKey);
    assert_eq!(parse(&[json!({ "kty": "AKP" })]).unwrap_err(), KeySetError::NoUsableKey);
    // A good key for an algorithm that is not enabled can decide nothing.
    assert_eq!(parse(&[ed_jwk(&ED, "ed")]).unwrap_err(), KeySetError::NoUsableKey);
    assert_eq!(parse(&[with(rsa_jwk(&RSA, "x"), &json!({ "alg": "PS256" }))]).unwrap_err(), KeySetError::NoUsableKey);
}

#[test]
fn a_kid_is_required_as_soon_as_the_set_lists_a_second_key_of_any_kind() {
    let es256 = KeyAlgorithm::Es256;
    let one = parse(&[ec_jwk(&EC, "ec")]).unwrap();
    assert_eq!(one.candidates(None, es256).map(|keys| keys.len()), Ok(1));
    let two = parse(&[ec_jwk(&EC, "ec"), json!({ "kty": "AKP" })]).unwrap();
    assert_eq!(two.candidates(None, es256).map(|keys| keys.len()), Err(InvalidToken::UnknownKey));
    assert_ne!(one.identity(), two.identity(), "remembered decisions know the difference");
}

#[test]
fn of_keys_with_one_id_those_that_fit_are_tried_and_at_most_four() {
    let mut keys = vec![rsa_jwk(&RSA, "same"), ec_jwk(&EC, "same"), ec_jwk(&OTHER_EC, "same")];
    let fitting = |keys: &[Value], algorithm| {
        parse(keys).unwrap().candidates(Some("same"), algorithm).map(|candidates| candidates.len())
    };
    assert_eq!(fitting(&keys, KeyAlgorithm::Rs256), Ok(1));
    assert_eq!(fitting(&keys, KeyAlgorithm::Es256), Ok(2));
    keys.extend(std::iter::repeat_n(ec_jwk(&EC, "same"), 10));
    assert_eq!(fitting(&keys, KeyAlgorithm::Es256), Ok(4));
    assert_eq!(
        fitting(&[ec_jwk(&EC, "Same"), ec_jwk(&EC, "same ")], KeyAlgorithm::Es256),
        Err(InvalidToken::UnknownKey)
    );
}

#[test]
fn the_order_of_a_document_decides_nothing() {
    let (first, second) = (ec_jwk(&EC, "a"), rsa_jwk(&RSA, "b"));
    let forwards = parse(&[first.clone(), second.clone()]).unwrap();
    let backwards = parse(&[second, first.clone()]).unwrap();
    assert_eq!(forwards.identity(), backwards.identity());
    assert_eq!(forwards.key_ids(), ["a", "b"]);
    let renamed = parse(&[ec_jwk(&EC, "c"), first]).unwrap();
    assert_ne!(forwards.identity(), renamed.identity());
}

proptest! {
    #[test]
    fn documents_of_any_kind_are_answered_not_panicked_on(
        kty in "(RSA|EC|oct|x)", n in "[A-Za-z0-9_=-]{0,400}", e in "[A-Za-z0-9_=-]{0,20}", kid in any::<Option<String>>(),
    ) {
        let key = json!({ "kty": kty, "crv": "P-256", "n": n, "e": e, "x": n, "y": e, "kid": kid });
        let _ = parse(&[key]);
    }
}
