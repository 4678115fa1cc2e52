//! The rows of the token matrix: what is sent, and the class of its refusal.

use serde_json::json;

use super::super::{
    keys::{EC, OTHER_EC, OTHER_RSA, ec_jwk, is_high_s, public_bytes, sign_hs256, with_other_s},
    support::{ISSUER, NOW, OTHER_ISSUER, Signer, claims, raw_token, token, token_with, with},
};
use crate::auth::InvalidToken;

/// A token, and what it must be answered: `None` lets it in.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) token: String,
    pub(super) expected: Option<InvalidToken>,
}

fn case(name: impl Into<String>, token: String, expected: Option<InvalidToken>) -> Case {
    Case { name: name.into(), token, expected }
}

/// Every row.
pub(super) fn cases() -> Vec<Case> {
    let groups = [good_tokens(), bad_claims(), bad_headers(), bad_signatures(), confused_algorithms(), bad_forms()];
    groups.into_iter().flatten().collect()
}

fn good_tokens() -> Vec<Case> {
    let (rsa, ec) = (Signer::rsa(), Signer::ec());
    let signed = |header, change| token(ec, &header, &change);
    vec![
        case("RS256", token(rsa, &json!({}), &json!({})), None),
        case("ES256", token(ec, &json!({}), &json!({})), None),
        case("typ JWT", signed(json!({ "typ": "JWT" }), json!({})), None),
        case("typ application/at+jwt", signed(json!({ "typ": "application/at+jwt" }), json!({})), None),
        case("no typ", signed(json!({ "typ": "-" }), json!({})), None),
        case("aud as array that contains ours", token_with(&json!({ "aud": ["other", "api://alias"] })), None),
        case("expired by 20 s", token_with(&json!({ "exp": NOW - 20 })), None),
        case("no iat and no nbf", token_with(&json!({ "iat": "-", "nbf": "-" })), None),
        case("no scope", token_with(&json!({ "scope": "-" })), None),
        case("scope as array", token_with(&json!({ "scope": ["tools:ping"] })), None),
        case("permissions is a number where nobody reads it", token_with(&json!({ "permissions": 7 })), None),
        case("high S", high_s(), None),
        case(
            "headers that carry or point to keys",
            signed(
                json!({ "jku": "https://evil.example/", "x5u": "https://evil.example/", "jwk": ec_jwk(&OTHER_EC, "ec") }),
                json!({}),
            ),
            None,
        ),
    ]
}

fn bad_claims() -> Vec<Case> {
    use InvalidToken as Is;
    let rows = [
        ("expired", json!({ "exp": NOW - 31 }), Is::Expired),
        ("expired at the end of the leeway", json!({ "exp": NOW - 30 }), Is::Expired),
        ("nbf in the future", json!({ "nbf": NOW + 31 }), Is::NotYetValid),
        ("iat in ten years", json!({ "iat": NOW + 315_360_000, "exp": NOW + 315_360_600 }), Is::NotYetValid),
        ("valid for more than a day", json!({ "exp": NOW + 86_401 }), Is::Lifetime),
        ("exp missing", json!({ "exp": "-" }), Is::Times),
        ("exp as string", json!({ "exp": (NOW + 600).to_string() }), Is::Times),
        ("exp as float", json!({ "exp": 1_800_000_600.5 }), Is::Times),
        ("exp as float without fraction", json!({ "exp": 1.8e9 }), Is::Times),
        ("exp negative", json!({ "exp": -1 }), Is::Times),
        ("exp 2^63", json!({ "exp": 1_u64 << 63 }), Is::Times),
        ("exp null", json!({ "exp": null }), Is::Times),
        ("nbf as string", json!({ "nbf": "99999999999" }), Is::Times),
        ("iat as float", json!({ "iat": 1.5 }), Is::Times),
        ("wrong iss", json!({ "iss": "https://evil.example" }), Is::Issuer),
        ("iss with a slash more", json!({ "iss": format!("{ISSUER}/") }), Is::Issuer),
        ("iss with a letter less", json!({ "iss": &ISSUER[..ISSUER.len() - 1] }), Is::Issuer),
        ("iss in another case", json!({ "iss": ISSUER.to_uppercase() }), Is::Issuer),
        ("iss with a look-alike letter", json!({ "iss": ISSUER.replace('a', "а") }), Is::Issuer),
        ("iss as array", json!({ "iss": [ISSUER] }), Is::Issuer),
        ("iss missing", json!({ "iss": "-" }), Is::Issuer),
        ("aud missing", json!({ "aud": "-" }), Is::Audience),
        ("aud of another server", json!({ "aud": "https://other.example.com/mcp" }), Is::Audience),
        ("aud with a slash more", json!({ "aud": "https://mcp.example.com/mcp/" }), Is::Audience),
        ("aud empty", json!({ "aud": [] }), Is::Audience),
        ("aud with something that is no string", json!({ "aud": ["api://alias", 1] }), Is::Audience),
        ("sub missing", json!({ "sub": "-" }), Is::Subject),
        ("sub empty", json!({ "sub": "" }), Is::Subject),
        ("sub a number", json!({ "sub": 1 }), Is::Subject),
        ("azp a number", json!({ "azp": 1 }), Is::Client),
        ("scope a number", json!({ "scope": 1 }), Is::Scope),
        ("scope null", json!({ "scope": null }), Is::Scope),
        ("scp an object, without scope", json!({ "scope": "-", "scp": {} }), Is::Scope),
        ("bound to a key", json!({ "cnf": { "jkt": "x" } }), Is::Bound),
        ("Keycloak refresh token", json!({ "typ": "Refresh" }), Is::TokenType),
        ("Keycloak ID token", json!({ "typ": "ID" }), Is::TokenType),
        ("Descope refresh token", json!({ "drn": "DSR" }), Is::TokenType),
    ];
    rows.into_iter().map(|(name, change, reason)| case(name, token_with(&change), Some(reason))).collect()
}

fn bad_headers() -> Vec<Case> {
    use InvalidToken as Is;
    let long = "k".repeat(10 * 1024);
    let rows = [
        ("ID-JAG", json!({ "typ": "oauth-id-jag+jwt" }), Is::TokenType),
        ("typ a number", json!({ "typ": 1 }), Is::TokenType),
        ("crit", json!({ "crit": ["exp"] }), Is::HeaderParameter),
        ("crit empty", json!({ "crit": [] }), Is::HeaderParameter),
        ("b64 false", json!({ "b64": false, "crit": ["b64"] }), Is::HeaderParameter),
        ("nested", json!({ "cty": "JWT" }), Is::HeaderParameter),
        ("alg missing", json!({ "alg": "-" }), Is::Algorithm),
        ("alg PS256", json!({ "alg": "PS256" }), Is::Algorithm),
        ("alg es256", json!({ "alg": "es256" }), Is::Algorithm),
        ("kid missing while the set has two keys", json!({ "kid": "-" }), Is::UnknownKey),
        ("kid unknown", json!({ "kid": "unknown" }), Is::UnknownKey),
        ("kid a path", json!({ "kid": "../../../../etc/passwd" }), Is::UnknownKey),
        ("kid SQL", json!({ "kid": "ec' OR '1'='1" }), Is::UnknownKey),
        ("kid a URL", json!({ "kid": "http://169.254.169.254/latest/meta-data" }), Is::UnknownKey),
        ("kid of 10 KiB", json!({ "kid": long }), Is::UnknownKey),
        ("kid a number", json!({ "kid": 1 }), Is::Malformed),
        ("kid of a key for another algorithm", json!({ "kid": "rsa" }), Is::UnknownKey),
    ];
    rows.into_iter()
        .map(|(name, header, reason)| case(name, token(Signer::ec(), &header, &json!({})), Some(reason)))
        .collect()
}

fn bad_signatures() -> Vec<Case> {
    let (header, payload) = (Signer::ec().header().to_string(), claims().to_string());
    let signed = |sign: &dyn Fn(&[u8]) -> Vec<u8>| raw_token(&header, &payload, sign);
    let zeroed = |range: std::ops::Range<usize>| {
        signed(&move |message| {
            let mut signature = EC.sign(message);
            signature[range.clone()].fill(0);
            signature
        })
    };
    let other_issuer = json!({ "iss": OTHER_ISSUER });
    let tokens = [
        ("payload tampered with", tampered()),
        ("ECDSA in DER form", signed(&|message| EC.sign_der(message))),
        ("r = 0", zeroed(0..32)),
        ("s = 0", zeroed(32..64)),
        ("r = s = 0", zeroed(0..64)),
        ("signature empty", signed(&|_| Vec::new())),
        ("signature cut", signed(&|message| EC.sign(message)[..63].to_vec())),
        ("signature with a byte more", signed(&|message| [EC.sign(message), vec![0]].concat())),
        ("signature of another text", signed(&|_| EC.sign(b"another text"))),
        ("RS256 by a foreign key", token(Signer::Rsa(&OTHER_RSA, "rsa"), &json!({}), &json!({}))),
        ("ES256 by a foreign key", token(Signer::Ec(&OTHER_EC, "ec"), &json!({}), &json!({}))),
        ("key of one issuer for the other, RS256", token(Signer::rsa(), &json!({}), &other_issuer)),
        ("key of one issuer for the other, ES256", token_with(&other_issuer)),
    ];
    tokens.into_iter().map(|(name, token)| case(name, token, Some(InvalidToken::Signature))).collect()
}

/// Tokens whose header talks about an algorithm that the signature does not have.
fn confused_algorithms() -> Vec<Case> {
    let payload = claims().to_string();
    let symmetric = public_bytes().into_iter().flat_map(|(name, secret)| {
        ["rsa", "ec"].map(|key_id| {
            let header = json!({ "alg": "HS256", "kid": key_id }).to_string();
            let token = raw_token(&header, &payload, |message| sign_hs256(&secret, message));
            case(format!("HS256 with {name} as secret, kid {key_id}"), token, Some(InvalidToken::Algorithm))
        })
    });
    let unsigned = ["none", "None", "nOnE", "NONE"].into_iter().flat_map(|name| {
        let header = json!({ "alg": name, "kid": "ec" }).to_string();
        let empty = raw_token(&header, &payload, |_| Vec::new());
        let signed = raw_token(&header, &payload, |message| EC.sign(message));
        let is = Some(InvalidToken::Algorithm);
        [case(format!("alg {name}, no signature"), empty, is), case(format!("alg {name}, signed"), signed, is)]
    });
    // The header of one family over the signature of the other: the key does not fit the header.
    let swapped = [
        ("RS256 said, ES256 signed", json!({ "alg": "RS256", "kid": "ec" }), InvalidToken::UnknownKey),
        ("RS256 said with an RSA key, ES256 signed", json!({ "alg": "RS256", "kid": "rsa" }), InvalidToken::Signature),
    ];
    let swapped = swapped.into_iter().map(|(name, header, reason)| {
        case(name, raw_token(&header.to_string(), &payload, |message| EC.sign(message)), Some(reason))
    });
    symmetric.chain(unsigned).chain(swapped).collect()
}

fn bad_forms() -> Vec<Case> {
    use InvalidToken as Is;
    let good = token_with(&json!({}));
    let (header, payload) = (Signer::ec().header().to_string(), claims().to_string());
    let signed = |header: &str, payload: &str| raw_token(header, payload, |message| EC.sign(message));
    let twice = |document: &str, member: &str| document.replacen('{', &format!("{{{member},"), 1);
    let parts: Vec<&str> = good.split('.').collect();
    let json_form = json!({ "protected": parts[0], "payload": parts[1], "signature": parts[2] }).to_string();
    vec![
        case("sub twice", signed(&header, &twice(&payload, r#""sub":"root""#)), Some(Is::DuplicateMember)),
        case(
            "aud twice, spelled apart",
            signed(&header, &twice(&payload, r#""\u0061ud":"x""#)),
            Some(Is::DuplicateMember),
        ),
        case("alg twice", signed(&twice(&header, r#""alg":"none""#), &payload), Some(Is::DuplicateMember)),
        case("payload is an array", signed(&header, "[]"), Some(Is::Malformed)),
        case("payload is not JSON", signed(&header, "sub=alice"), Some(Is::Malformed)),
        case("opaque", "2YotnFZFEjr1zCsicMWpAA".to_owned(), Some(Is::Malformed)),
        case("empty", String::new(), Some(Is::Malformed)),
        case("two parts", format!("{}.{}", parts[0], parts[1]), Some(Is::Malformed)),
        case("five parts", format!("{good}.{}.{}", parts[1], parts[2]), Some(Is::Malformed)),
        case("JSON serialization", json_form, Some(Is::Malformed)),
        case("two tokens in one header", format!("{good}, Bearer {good}"), Some(Is::Malformed)),
        case("20 KiB", token_with(&json!({ "x": "y".repeat(15 * 1024) })), Some(Is::TooLarge)),
        case("20 KiB of nothing", "a".repeat(20 * 1024), Some(Is::TooLarge)),
    ]
}

/// A token whose payload was changed after it was signed.
fn tampered() -> String {
    let good = token_with(&json!({}));
    let (_, signature) = good.rsplit_once('.').unwrap();
    let forged =
        raw_token(&Signer::ec().header().to_string(), &with(claims(), &json!({ "sub": "root" })).to_string(), |_| {
            Vec::new()
        });
    format!("{forged}{signature}")
}

/// A token whose signature has the larger of the two values of `s`.
fn high_s() -> String {
    raw_token(&Signer::ec().header().to_string(), &claims().to_string(), |message| {
        let signature = EC.sign(message);
        let high = if is_high_s(&signature) { signature } else { with_other_s(&signature) };
        assert!(is_high_s(&high));
        high
    })
}
