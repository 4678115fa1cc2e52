//! Signing keys: one RS256 and one ES256 key for each generation, and the public set of those in force.
//!
//! RSA keys are costly, so each generation is made once for the whole process and shared by every
//! issuer in it; generations beyond the newest of an issuer serve as keys that it never published.

use std::sync::{Arc, OnceLock};

use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

/// How many generations exist in one process. Chosen: two rotations and a key that nobody published.
const GENERATIONS: usize = 4;

static POOL: [OnceLock<Arc<Generation>>; GENERATIONS] = [const { OnceLock::new() }; GENERATIONS];

/// One RS256 and one ES256 key that come and go together.
pub(crate) struct Generation {
    rs256: SigningKey,
    es256: SigningKey,
}

/// A private key with its public half as a JWK.
pub(crate) struct SigningKey {
    /// The id in the set and in the header of tokens: `rs256-0`.
    pub(crate) kid: String,
    /// Signs tokens.
    pub(crate) private: EncodingKey,
    /// What the key set shows.
    public: Value,
}

/// Which generations an issuer publishes, and which one signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyRing {
    oldest: usize,
    newest: usize,
}

impl KeyRing {
    pub(crate) const fn new() -> Self {
        Self { oldest: 0, newest: 0 }
    }

    /// A new generation appears and signs from now on; the older ones stay published.
    pub(crate) fn rotate(&mut self) {
        assert!(self.newest + 1 < GENERATIONS, "only {GENERATIONS} generations of keys exist");
        self.newest += 1;
    }

    /// Only the generation that signs stays published.
    pub(crate) fn retire_old(&mut self) {
        self.oldest = self.newest;
    }

    /// The key that signs for `algorithm`.
    pub(crate) fn signing(self, algorithm: Algorithm) -> KeyRef {
        KeyRef { generation: generation(self.newest), algorithm }
    }

    /// A key of the right kind that is not in the set, also after every possible rotation but the last.
    pub(crate) fn unpublished(algorithm: Algorithm) -> KeyRef {
        KeyRef { generation: generation(GENERATIONS - 1), algorithm }
    }

    /// The published set (RFC 7517).
    pub(crate) fn key_set(self) -> Value {
        let keys: Vec<Value> = (self.oldest..=self.newest)
            .map(generation)
            .flat_map(|keys| [keys.rs256.public.clone(), keys.es256.public.clone()])
            .collect();
        json!({ "keys": keys })
    }
}

/// One key of one generation.
pub(crate) struct KeyRef {
    generation: Arc<Generation>,
    algorithm: Algorithm,
}

impl KeyRef {
    pub(crate) fn key(&self) -> &SigningKey {
        match self.algorithm {
            Algorithm::RS256 => &self.generation.rs256,
            Algorithm::ES256 => &self.generation.es256,
            other => panic!("the test issuer signs RS256 and ES256, not {other:?}"),
        }
    }
}

fn generation(index: usize) -> Arc<Generation> {
    Arc::clone(POOL[index].get_or_init(|| Arc::new(generate(index))))
}

fn generate(index: usize) -> Generation {
    let rsa =
        KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("aws-lc generates 2048-bit RSA keys");
    let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("aws-lc generates P-256 keys");
    let rsa = EncodingKey::from_rsa_pem(rsa.serialize_pem().as_bytes());
    let ec = EncodingKey::from_ec_pem(ec.serialize_pem().as_bytes());
    Generation {
        rs256: signing_key(index, Algorithm::RS256, rsa.expect("rcgen writes PKCS #8")),
        es256: signing_key(index, Algorithm::ES256, ec.expect("rcgen writes PKCS #8")),
    }
}

fn signing_key(index: usize, algorithm: Algorithm, private: EncodingKey) -> SigningKey {
    let kid = format!("{algorithm:?}-{index}").to_lowercase();
    let mut jwk = Jwk::from_encoding_key(&private, algorithm).expect("the key fits its algorithm");
    jwk.common.key_id = Some(kid.clone());
    jwk.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
    let public = serde_json::to_value(&jwk).expect("a key is plain JSON");
    SigningKey { kid, private, public }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_adds_a_generation_and_retiring_removes_the_old_ones() {
        let mut ring = KeyRing::new();
        assert_eq!(kids(ring), ["rs256-0", "es256-0"]);
        ring.rotate();
        assert_eq!(kids(ring), ["rs256-0", "es256-0", "rs256-1", "es256-1"]);
        assert_eq!(ring.signing(Algorithm::ES256).key().kid, "es256-1");
        ring.retire_old();
        assert_eq!(kids(ring), ["rs256-1", "es256-1"]);
    }

    #[test]
    fn the_set_shows_public_members_only() {
        let set = KeyRing::new().key_set();
        for key in set["keys"].as_array().unwrap() {
            let private = ["d", "p", "q", "dp", "dq", "qi", "k"];
            assert!(private.iter().all(|member| key.get(member).is_none()), "{key}");
        }
    }

    fn kids(ring: KeyRing) -> Vec<String> {
        let set = ring.key_set();
        let keys = set["keys"].as_array().unwrap();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}
