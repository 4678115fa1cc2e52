//! Tokens that no honest issuer makes: signed with what everybody can read, or by hand.

use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::Value;

/// A token of exactly these parts.
pub(crate) fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", part(header.to_string()), part(claims.to_string()));
    let signature = part(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// HMAC-SHA256 with these bytes.
pub(crate) fn hs256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let signature = crypto::sign(message, &EncodingKey::from_secret(secret), Algorithm::HS256).unwrap();
    URL_SAFE_NO_PAD.decode(signature).unwrap()
}

/// A token's parts, decoded: header, claims, signature.
pub(crate) fn parts(token: &str) -> [Vec<u8>; 3] {
    let parts: Vec<Vec<u8>> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    parts.try_into().unwrap()
}

/// The same token with another signature.
pub(crate) fn with_signature(token: &str, signature: &[u8]) -> String {
    let (message, _) = token.rsplit_once('.').unwrap();
    format!("{message}.{}", part(signature))
}

/// base64url of a part.
pub(crate) fn part(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A public RSA or P-256 key (JWK) as SubjectPublicKeyInfo (RFC 5280): what tools export as the public key.
pub(crate) fn der(jwk: &Value) -> Vec<u8> {
    let member = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let (algorithm, key): (&[u8], Vec<u8>) = if jwk["kty"] == "RSA" {
        // rsaEncryption, NULL.
        let key = wrap(0x30, &[integer(&member("n")), integer(&member("e"))].concat());
        (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0], key)
    } else {
        // id-ecPublicKey, prime256v1.
        let point = [vec![4], member("x"), member("y")].concat();
        (&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], point)
    };
    let key = wrap(3, &[vec![0], key].concat());
    wrap(0x30, &[wrap(0x30, algorithm), key].concat())
}

/// The same in PEM.
pub(crate) fn pem(jwk: &Value) -> String {
    let text = STANDARD.encode(der(jwk));
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

/// An ECDSA signature of two numbers of 32 bytes as DER: what most libraries but JOSE's write.
pub(crate) fn der_signature(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(32);
    wrap(0x30, &[integer(r), integer(s)].concat())
}

/// The other of the two signatures of the same message by the same P-256 key: `s` against the group's order.
pub(crate) fn with_other_s(signature: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut other = signature.to_vec();
    let mut borrow = 0;
    for index in (0..32).rev() {
        let difference = i16::from(ORDER[index]) - i16::from(signature[32 + index]) - borrow;
        borrow = i16::from(difference < 0);
        other[32 + index] = difference.rem_euclid(256).try_into().unwrap();
    }
    other
}

/// Whether `s` is in the upper half.
pub(crate) fn is_high_s(signature: &[u8]) -> bool {
    signature[32..] > with_other_s(signature)[32..]
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[zeros..];
    let sign = if bytes.first().is_none_or(|first| *first >= 0x80) { vec![0] } else { Vec::new() };
    wrap(2, &[sign, bytes.to_vec()].concat())
}

fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let length = match length {
        0..0x80 => vec![length.try_into().unwrap()],
        0x80..0x100 => vec![0x81, length.try_into().unwrap()],
        _ => vec![0x82, (length >> 8).try_into().unwrap(), (length & 0xff).try_into().unwrap()],
    };
    [vec![tag], length, content.to_vec()].concat()
}
