//! A JSON Web Key Set (RFC 7517) as an issuer publishes it, reduced to the keys that may verify our tokens.
//!
//! Pure. One private key inside condemns the whole set: whoever publishes it has lost it. Keys that are merely
//! weak, foreign or broken are left out and counted, so that one exotic key does not take an issuer down. Foreign is
//! also what serves no algorithm that the issuer's entry enables: such a key can decide nothing, so it does not count.

use aws_lc_rs::{
    digest::{Context, SHA256},
    signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crds::gateway_config::SignatureAlgorithm;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::InvalidToken;
use crate::json;

/// The largest document that is read. Source: auth.md section 5, "fetch".
pub(super) const MAX_SET_BYTES: usize = 256 * 1024;

/// The most keys that a document may list. Source: auth.md section 5, "fetch".
const MAX_KEYS: usize = 64;

/// How many keys of one `kid` are tried. Source: auth.md section 4, "kid".
const MAX_CANDIDATES: usize = 4;

/// What the TLS and crypto library can verify; less than the lower bound can be factored.
const RSA_MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The largest RSA exponent that the crypto library takes: 33 bits.
const MAX_RSA_EXPONENT: u64 = (1 << 33) - 1;

/// The points of Ed25519 whose order divides the cofactor, as they are encoded, the sign of x aside: under such a key one
/// signature is good for many messages. The last two are second spellings of the first two.
/// Source: libsodium, `ge25519_has_small_order`.
const ED25519_SMALL_ORDER: [[u8; 32]; 7] = [
    ed25519_y(0, 0x00, 0x00),
    ed25519_y(1, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    ed25519_y(0xec, 0xff, 0x7f),
    ed25519_y(0xed, 0xff, 0x7f),
    ed25519_y(0xee, 0xff, 0x7f),
];

/// The signature algorithms that can be enabled at all. There is no member for `none` or a symmetric one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyAlgorithm {
    Rs256,
    Es256,
    Ps256,
    EdDsa,
}

/// The usable keys of one issuer. Equal [`KeySet::identity`] means equal answers.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// Sorted by identity, so that the order of the document decides nothing.
    keys: Vec<VerificationKey>,
    /// How many keys the document listed, usable or not.
    listed: usize,
    skipped: SkippedKeys,
    identity: [u8; 32],
}

/// One usable key.
#[derive(Clone, Debug)]
pub(super) struct VerificationKey {
    key_id: Option<String>,
    /// Sorted, never empty, of one family: an RSA key that names no `alg` may serve two.
    algorithms: Vec<KeyAlgorithm>,
    /// Handed to the JWT library, nothing else.
    pub(super) decoding_key: DecodingKey,
    /// SHA-256 over `kid`, algorithms and key material.
    identity: [u8; 32],
}

/// How many keys of a set were left out, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SkippedKeys {
    /// RSA with a modulus below 2048 bits or an exponent that is even or 1; Ed25519 of small order.
    pub weak: usize,
    /// A type, curve or algorithm that is not enabled for the issuer.
    pub unsupported: usize,
    /// Meant for something else than signatures (`use`, `key_ops`, `alg`).
    pub other_use: usize,
    /// Members are missing, of the wrong type, or no valid key.
    pub malformed: usize,
}

/// Why a whole set is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// More than 256 KiB.
    #[error("it has more than {MAX_SET_BYTES} bytes")]
    TooLarge,
    /// Not a JSON object with a list `keys` of objects.
    #[error("it is not a JSON Web Key Set")]
    Malformed,
    /// More than 64 keys.
    #[error("it has more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// A private or symmetric key is inside.
    #[error("it holds a private key; every key in it must be revoked")]
    PrivateKey,
    /// A well-formed set in which no key can be used: the issuer has withdrawn what it had.
    #[error("it has no key that fits one of the `algorithms` of this issuer")]
    NoUsableKey,
}

enum Skip {
    Weak,
    Unsupported,
    OtherUse,
    Malformed,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Map<String, Value>>,
}

impl KeyAlgorithm {
    /// The algorithm of exactly this name, if it is accepted.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "PS256" => Some(Self::Ps256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::Ps256 => "PS256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether a key that says `alg: name` is meant for it. RFC 9864 gives EdDSA with this curve a name of its own.
    fn is_of_key(self, name: &str) -> bool {
        name == self.name() || (self == Self::EdDsa && name == "Ed25519")
    }

    /// The same for the JWT library.
    pub(super) fn as_jwt(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
            Self::Ps256 => Algorithm::PS256,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

impl From<SignatureAlgorithm> for KeyAlgorithm {
    fn from(algorithm: SignatureAlgorithm) -> Self {
        match algorithm {
            SignatureAlgorithm::RS256 => Self::Rs256,
            SignatureAlgorithm::ES256 => Self::Es256,
            SignatureAlgorithm::PS256 => Self::Ps256,
            SignatureAlgorithm::EdDSA => Self::EdDsa,
        }
    }
}

impl KeySet {
    /// Reads the document of an issuer for which `enabled` are accepted. The set has at least one key that fits one of them.
    pub fn parse(bytes: &[u8], enabled: &[SignatureAlgorithm]) -> Result<Self, KeySetError> {
        if bytes.len() > MAX_SET_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let document: Document = json::read_object(bytes).ok_or(KeySetError::Malformed)?;
        if document.keys.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        if document.keys.iter().any(is_private) {
            return Err(KeySetError::PrivateKey);
        }
        let mut enabled: Vec<KeyAlgorithm> = enabled.iter().copied().map(KeyAlgorithm::from).collect();
        enabled.sort();
        enabled.dedup();
        let mut skipped = SkippedKeys::default();
        let read = |jwk| verification_key(jwk, &enabled).inspect_err(|reason| skipped.count(reason)).ok();
        let mut keys: Vec<VerificationKey> = document.keys.iter().filter_map(read).collect();
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey);
        }
        keys.sort_by_key(|key| key.identity);
        let listed = document.keys.len();
        let identity = set_identity(&keys, listed);
        Ok(Self { keys, listed, skipped, identity })
    }

    /// The keys that may have signed a token with this header; at most four.
    ///
    /// Without a `kid` the set must list one key only.
    pub(super) fn candidates(
        &self,
        key_id: Option<&str>,
        algorithm: KeyAlgorithm,
    ) -> Result<Vec<&VerificationKey>, InvalidToken> {
        if key_id.is_none() && self.listed > 1 {
            return Err(InvalidToken::UnknownKey);
        }
        let fits = |key: &&VerificationKey| {
            key.algorithms.contains(&algorithm) && (key_id.is_none() || key.key_id.as_deref() == key_id)
        };
        let candidates: Vec<_> = self.keys.iter().filter(fits).take(MAX_CANDIDATES).collect();
        if candidates.is_empty() { Err(InvalidToken::UnknownKey) } else { Ok(candidates) }
    }

    /// Whether some usable key has this `kid`, for whatever algorithm.
    pub(super) fn knows(&self, key_id: &str) -> bool {
        self.keys.iter().any(|key| key.key_id.as_deref() == Some(key_id))
    }

    /// SHA-256 over everything that decides about a token. Remembered decisions carry it.
    pub(super) fn identity(&self) -> [u8; 32] {
        self.identity
    }

    /// The ids of the usable keys, sorted; keys without an id are left out.
    pub fn key_ids(&self) -> Vec<String> {
        let mut key_ids: Vec<_> = self.keys.iter().filter_map(|key| key.key_id.clone()).collect();
        key_ids.sort();
        key_ids.dedup();
        key_ids
    }

    /// How many keys can be used.
    pub fn usable(&self) -> usize {
        self.keys.len()
    }

    /// How many keys were left out.
    pub fn skipped(&self) -> SkippedKeys {
        self.skipped
    }
}

impl SkippedKeys {
    fn count(&mut self, reason: &Skip) {
        let counter = match reason {
            Skip::Weak => &mut self.weak,
            Skip::Unsupported => &mut self.unsupported,
            Skip::OtherUse => &mut self.other_use,
            Skip::Malformed => &mut self.malformed,
        };
        *counter += 1;
    }

    /// How many for each reason, under the reason's label.
    pub fn by_reason(&self) -> [(&'static str, usize); 4] {
        let Self { weak, unsupported, other_use, malformed } = *self;
        [("weak", weak), ("unsupported", unsupported), ("other_use", other_use), ("malformed", malformed)]
    }

    /// How many in all.
    pub fn total(&self) -> usize {
        self.weak + self.unsupported + self.other_use + self.malformed
    }
}

/// Members that only private and symmetric keys have (RFC 7518 sections 6.2.2, 6.3.2, 6.4).
fn is_private(jwk: &Map<String, Value>) -> bool {
    ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| jwk.contains_key(*name))
}

fn verification_key(jwk: &Map<String, Value>, enabled: &[KeyAlgorithm]) -> Result<VerificationKey, Skip> {
    let key_id = optional_text(jwk, "kid")?;
    let family = family(jwk)?;
    let algorithms = algorithms(jwk, family, enabled)?;
    let (material, decoding_key) = match family {
        [KeyAlgorithm::Es256, ..] => {
            let (x, y) = p256(jwk)?;
            let decoding_key = DecodingKey::from_ec_der(&uncompressed_point(&x, &y));
            ([x, y], decoding_key)
        }
        [KeyAlgorithm::EdDsa, ..] => {
            let point = ed25519(jwk)?;
            let decoding_key = DecodingKey::from_ed_der(&point);
            ([point, Vec::new()], decoding_key)
        }
        _ => {
            let (modulus, exponent) = rsa(jwk)?;
            let decoding_key = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
            ([modulus, exponent], decoding_key)
        }
    };
    let identity = key_identity(key_id, &algorithms, &material);
    Ok(VerificationKey { key_id: key_id.map(ToOwned::to_owned), algorithms, decoding_key, identity })
}

/// What a key of this type and curve could serve at all.
fn family(jwk: &Map<String, Value>) -> Result<&'static [KeyAlgorithm], Skip> {
    match text(jwk, "kty")? {
        "RSA" => Ok(&[KeyAlgorithm::Rs256, KeyAlgorithm::Ps256]),
        "EC" if text(jwk, "crv")? == "P-256" => Ok(&[KeyAlgorithm::Es256]),
        "OKP" if text(jwk, "crv")? == "Ed25519" => Ok(&[KeyAlgorithm::EdDsa]),
        _ => Err(Skip::Unsupported),
    }
}

/// Which of `enabled` the key serves. `use`, `key_ops` and `alg`, where they are present, must all say "verifies signatures
/// of this algorithm".
fn algorithms(
    jwk: &Map<String, Value>,
    family: &[KeyAlgorithm],
    enabled: &[KeyAlgorithm],
) -> Result<Vec<KeyAlgorithm>, Skip> {
    if optional_text(jwk, "use")?.is_some_and(|intended| intended != "sig") {
        return Err(Skip::OtherUse);
    }
    match jwk.get("key_ops") {
        None => {}
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => {}
        Some(_) => return Err(Skip::OtherUse),
    }
    let named = optional_text(jwk, "alg")?;
    if named.is_some_and(|name| name.starts_with("RSA-OAEP") || name.starts_with("ECDH") || name == "RSA1_5") {
        return Err(Skip::OtherUse);
    }
    let serves =
        |algorithm: &&KeyAlgorithm| family.contains(*algorithm) && named.is_none_or(|name| algorithm.is_of_key(name));
    let algorithms: Vec<KeyAlgorithm> = enabled.iter().filter(serves).copied().collect();
    if algorithms.is_empty() { Err(Skip::Unsupported) } else { Ok(algorithms) }
}

/// Modulus and exponent, without leading zeros.
fn rsa(jwk: &Map<String, Value>) -> Result<(Vec<u8>, Vec<u8>), Skip> {
    let modulus = without_leading_zeros(bytes(jwk, "n")?);
    let exponent = without_leading_zeros(bytes(jwk, "e")?);
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    if bits > *RSA_MODULUS_BITS.end() || exponent.len() > size_of::<u64>() {
        return Err(Skip::Unsupported);
    }
    let value = exponent.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    if !RSA_MODULUS_BITS.contains(&bits) || value < 3 || value % 2 == 0 {
        return Err(Skip::Weak);
    }
    if value > MAX_RSA_EXPONENT {
        return Err(Skip::Unsupported);
    }
    Ok((modulus, exponent))
}

/// Coordinates of a point that is on the curve.
fn p256(jwk: &Map<String, Value>) -> Result<(Vec<u8>, Vec<u8>), Skip> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != 32 || y.len() != 32 {
        return Err(Skip::Malformed);
    }
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, uncompressed_point(&x, &y)).map_err(|_| Skip::Malformed)?;
    Ok((x, y))
}

/// An encoded point: y, little-endian, and the sign of x in the highest bit.
fn ed25519(jwk: &Map<String, Value>) -> Result<Vec<u8>, Skip> {
    let point = bytes(jwk, "x")?;
    let mut y: [u8; 32] = point.as_slice().try_into().map_err(|_| Skip::Malformed)?;
    y[31] &= 0x7f;
    if ED25519_SMALL_ORDER.contains(&y) { Err(Skip::Weak) } else { Ok(point) }
}

/// The little-endian number with these lowest, middle and highest bytes.
const fn ed25519_y(lowest: u8, middle: u8, highest: u8) -> [u8; 32] {
    let mut y = [middle; 32];
    y[0] = lowest;
    y[31] = highest;
    y
}

fn uncompressed_point(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[0x04], x, y].concat()
}

fn without_leading_zeros(mut bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    bytes
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<&'a str, Skip> {
    jwk.get(name).and_then(Value::as_str).ok_or(Skip::Malformed)
}

fn optional_text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Skip> {
    jwk.get(name).map(|value| value.as_str().ok_or(Skip::Malformed)).transpose()
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Skip> {
    URL_SAFE_NO_PAD.decode(text(jwk, name)?).map_err(|_| Skip::Malformed)
}

fn key_identity(key_id: Option<&str>, algorithms: &[KeyAlgorithm], material: &[Vec<u8>; 2]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let presence: &[u8] = if key_id.is_some() { b"1" } else { b"0" };
    let names = algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(" ");
    // Each part is preceded by its length, so that no two keys give the same text.
    for part in [presence, key_id.unwrap_or_default().as_bytes(), names.as_bytes(), &material[0], &material[1]] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    finish(context)
}

fn set_identity(keys: &[VerificationKey], listed: usize) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    // Whether a token may come without `kid` depends on this alone.
    context.update(if listed > 1 { b"many" } else { b"one" });
    for key in keys {
        context.update(&key.identity);
    }
    finish(context)
}

fn finish(context: Context) -> [u8; 32] {
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}
