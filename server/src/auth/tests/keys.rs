//! Real key pairs, their public forms, and signatures over any bytes at all: also those that no JWT library
//! would write.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
        RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

/// Making an RSA key takes a while: tests share two of each kind.
pub(super) static RSA: LazyLock<RsaKeyPair> = LazyLock::new(rsa);
pub(super) static OTHER_RSA: LazyLock<RsaKeyPair> = LazyLock::new(rsa);
pub(super) static EC: LazyLock<Ec> = LazyLock::new(Ec::generate);
pub(super) static OTHER_EC: LazyLock<Ec> = LazyLock::new(Ec::generate);
pub(super) static ED: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::generate().unwrap());

/// The order of P-256.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// A P-256 key that can sign in both forms.
pub(super) struct Ec {
    pkcs8: Vec<u8>,
    fixed: EcdsaKeyPair,
}

fn rsa() -> RsaKeyPair {
    RsaKeyPair::generate(KeySize::Rsa2048).unwrap()
}

impl Ec {
    fn generate() -> Self {
        let fixed = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { pkcs8: fixed.to_pkcs8v1().unwrap().as_ref().to_vec(), fixed }
    }

    pub(super) fn point(&self) -> &[u8] {
        self.fixed.public_key().as_ref()
    }

    /// The JOSE form: r and s, 32 bytes each.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.fixed.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    /// The form that other protocols use, and JOSE does not.
    pub(super) fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let key_pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.pkcs8).unwrap();
        key_pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

/// The same signature with `s` replaced by `n - s`: equally valid, and high where the other is low.
pub(super) fn with_other_s(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(32);
    let mut borrow = 0;
    let mut other = vec![0; 32];
    for index in (0..32).rev() {
        let difference = i16::from(P256_ORDER[index]) - i16::from(s[index]) - borrow;
        borrow = i16::from(difference < 0);
        other[index] = u8::try_from(difference + 256 * borrow).unwrap();
    }
    [r, &other].concat()
}

/// Whether `s` is in the upper half.
pub(super) fn is_high_s(signature: &[u8]) -> bool {
    signature[32..] > with_other_s(signature)[32..]
}

pub(super) fn sign_rs256(key: &RsaKeyPair, message: &[u8]) -> Vec<u8> {
    sign_rsa(key, &RSA_PKCS1_SHA256, message)
}

pub(super) fn sign_ps256(key: &RsaKeyPair, message: &[u8]) -> Vec<u8> {
    sign_rsa(key, &RSA_PSS_SHA256, message)
}

fn sign_rsa(key: &RsaKeyPair, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}

pub(super) fn sign_hs256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

pub(super) fn rsa_jwk(key: &RsaKeyPair, key_id: &str) -> Value {
    let (n, e) = rsa_numbers(key);
    json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key_id, "n": n, "e": e })
}

pub(super) fn ec_jwk(key: &Ec, key_id: &str) -> Value {
    let (x, y) = key.point()[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": key_id, "x": x, "y": y })
}

pub(super) fn ed_jwk(key: &Ed25519KeyPair, key_id: &str) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
    json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key_id, "x": x })
}

/// Every way in which a public key could be mistaken for the secret of a symmetric signature.
pub(super) fn public_bytes() -> Vec<(&'static str, Vec<u8>)> {
    let rsa_spki = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(RSA.public_key()).unwrap();
    let ec_spki = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(EC.fixed.public_key()).unwrap();
    let jwk = |jwk: Value| jwk.to_string().into_bytes();
    vec![
        ("RSA PEM", pem(rsa_spki.as_ref())),
        ("RSA PEM without its last line break", pem(rsa_spki.as_ref()).trim_ascii_end().to_vec()),
        ("RSA DER", rsa_spki.as_ref().to_vec()),
        ("RSA PKCS#1 DER", RSA.public_key().as_ref().to_vec()),
        ("RSA JWK", jwk(rsa_jwk(&RSA, "rsa"))),
        ("EC PEM", pem(ec_spki.as_ref())),
        ("EC DER", ec_spki.as_ref().to_vec()),
        ("EC point", EC.point().to_vec()),
        ("EC JWK", jwk(ec_jwk(&EC, "ec"))),
        ("nothing", Vec::new()),
    ]
}

fn pem(der: &[u8]) -> Vec<u8> {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n")).into_bytes()
}

/// Modulus and exponent in base64url, out of the PKCS#1 form: a sequence of two integers.
fn rsa_numbers(key: &RsaKeyPair) -> (String, String) {
    let (sequence, _) = der_value(key.public_key().as_ref());
    let (modulus, rest) = der_value(sequence);
    let (exponent, _) = der_value(rest);
    let unsigned =
        |integer: &[u8]| URL_SAFE_NO_PAD.encode(&integer[integer.iter().take_while(|byte| **byte == 0).count()..]);
    (unsigned(modulus), unsigned(exponent))
}

/// The content of the first DER value, and what follows it.
fn der_value(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, start) = match usize::from(der[1]) {
        short @ 0..0x80 => (short, 2),
        long => {
            let size = long - 0x80;
            let length = der[2..2 + size].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            (length, 2 + size)
        }
    };
    der[start..].split_at(length)
}
