//! Sealed handles: what a client carries for us and must neither read nor change.
//!
//! Session ids, cursors and `requestState` are AES-256-GCM under a key of their own purpose, derived from the key
//! ring; what a handle is bound to (principal, method, arguments) is authenticated with it. Whatever does not open is
//! as good as unknown. The first key of the ring seals, all of them open, so that keys can be changed.
//!
//! What replicas write into a shared store is sealed in the same way, but with AES-256-GCM-SIV: there are as many values as
//! events, and a nonce that comes twice by chance must not give anything away.

use aws_lc_rs::{
    aead::{AES_256_GCM, AES_256_GCM_SIV, Aad, Algorithm, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// Length of a key of the ring, in bytes.
pub const KEY_BYTES: usize = 32;

/// Which key of the ring sealed a handle: the first bytes of its hash.
const KEY_ID_BYTES: usize = 4;

/// The longest handle that is looked at, in bytes of text. Chosen: what tools remember for a round is small, and
/// a header line with a session id has 1 KiB.
const MAX_HANDLE_BYTES: usize = 64 * 1024;

/// What a handle is for. A handle of one purpose never opens as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `Mcp-Session-Id`.
    Session,
    /// `cursor` of a list.
    Cursor,
    /// `requestState`.
    RequestState,
    /// A value or a message in a store that replicas share.
    Store,
}

/// The keys. Secret; made once.
pub struct KeyRing {
    /// The first one seals.
    keys: Vec<Keys>,
}

struct Keys {
    id: [u8; KEY_ID_BYTES],
    session: LessSafeKey,
    cursor: LessSafeKey,
    request_state: LessSafeKey,
    store: LessSafeKey,
}

/// Why there is no key ring.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyRingError {
    /// A key file does not hold exactly [`KEY_BYTES`].
    #[error("a sealing key must have exactly {KEY_BYTES} bytes")]
    Length,
    /// Nothing can be sealed without a key.
    #[error("there is no sealing key")]
    NoKey,
}

impl KeyRing {
    /// A ring of these keys: the first one seals, all of them open.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, KeyRingError> {
        let keys = keys.into_iter().map(Keys::derive).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyRingError::NoKey) } else { Ok(Self { keys }) }
    }

    /// A ring that ends with the process: for one that runs alone.
    pub fn of_process() -> Self {
        let key: [u8; KEY_BYTES] = rand::random();
        Self { keys: vec![Keys::derive(&key).expect("the key has the right length")] }
    }

    /// `content` as text for a client, bound to `binding`.
    pub fn seal(&self, purpose: Purpose, binding: &[u8], content: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.seal_bytes(purpose, binding, content))
    }

    /// What was sealed, if `handle` is one of ours, unchanged, of this purpose and of this binding.
    pub fn open(&self, purpose: Purpose, binding: &[u8], handle: &str) -> Option<Vec<u8>> {
        if handle.len() > MAX_HANDLE_BYTES {
            return None;
        }
        self.open_bytes(purpose, binding, &URL_SAFE_NO_PAD.decode(handle).ok()?)
    }

    /// [`Self::seal`] as bytes, for what is no header or JSON.
    pub fn seal_bytes(&self, purpose: Purpose, binding: &[u8], content: &[u8]) -> Vec<u8> {
        let keys = self.keys.first().expect("a ring is never empty");
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = content.to_vec();
        keys.of(purpose)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(binding), &mut sealed)
            .expect("a handle is far shorter than what the cipher takes");
        let mut handle = Vec::with_capacity(KEY_ID_BYTES + NONCE_LEN + sealed.len());
        handle.extend_from_slice(&keys.id);
        handle.extend_from_slice(&nonce);
        handle.extend_from_slice(&sealed);
        handle
    }

    /// [`Self::open`] of what [`Self::seal_bytes`] gave; its size is bounded by who reads it.
    pub fn open_bytes(&self, purpose: Purpose, binding: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
        let (id, rest) = bytes.split_first_chunk::<KEY_ID_BYTES>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.keys.iter().find(|keys| keys.id == *id)?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = keys.of(purpose).open_in_place(nonce, Aad::from(binding), &mut sealed).ok()?.len();
        sealed.truncate(length);
        Some(sealed)
    }
}

impl Keys {
    fn derive(key: &[u8]) -> Result<Self, KeyRingError> {
        if key.len() != KEY_BYTES {
            return Err(KeyRingError::Length);
        }
        let digest = Sha256::new().chain_update(b"mcp-foundry key id").chain_update(key).finalize();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        Ok(Self {
            id,
            session: derived(key, b"session", &AES_256_GCM),
            cursor: derived(key, b"cursor", &AES_256_GCM),
            request_state: derived(key, b"request-state", &AES_256_GCM),
            store: derived(key, b"store", &AES_256_GCM_SIV),
        })
    }

    fn of(&self, purpose: Purpose) -> &LessSafeKey {
        match purpose {
            Purpose::Session => &self.session,
            Purpose::Cursor => &self.cursor,
            Purpose::RequestState => &self.request_state,
            Purpose::Store => &self.store,
        }
    }
}

struct Aes256;

impl KeyType for Aes256 {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

fn derived(key: &[u8], purpose: &[u8], algorithm: &'static Algorithm) -> LessSafeKey {
    let mut derived = [0; KEY_BYTES];
    Salt::new(HKDF_SHA256, b"mcp-foundry")
        .extract(key)
        .expand(&[purpose], Aes256)
        .and_then(|okm| okm.fill(&mut derived))
        .expect("the length is one that the key derivation gives");
    LessSafeKey::new(UnboundKey::new(algorithm, &derived).expect("the key has the cipher's length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [u8; KEY_BYTES] = [1; KEY_BYTES];
    const B: [u8; KEY_BYTES] = [2; KEY_BYTES];

    fn ring(keys: &[&[u8]]) -> KeyRing {
        KeyRing::new(keys.iter().copied()).unwrap()
    }

    #[test]
    fn a_handle_opens_with_its_purpose_and_binding_alone() {
        let ring = ring(&[&A]);
        let handle = ring.seal(Purpose::Session, b"me", b"content");
        assert_eq!(ring.open(Purpose::Session, b"me", &handle).unwrap(), b"content");
        assert_eq!(ring.open(Purpose::Session, b"you", &handle), None);
        assert_eq!(ring.open(Purpose::Cursor, b"me", &handle), None);
        assert_eq!(ring.open(Purpose::RequestState, b"me", &handle), None);
    }

    #[test]
    fn whatever_is_changed_in_a_handle_it_does_not_open() {
        let ring = ring(&[&A]);
        let handle = ring.seal(Purpose::Cursor, b"", b"content");
        for position in 0..handle.len() {
            let mut bytes = handle.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last character of base64 has bits that mean nothing; the decoder refuses them.
            assert_eq!(ring.open(Purpose::Cursor, b"", &changed), None, "{position}");
        }
        for wrong in ["", "A", "????", &handle[..handle.len() - 1], &format!("{handle}A"), &"A".repeat(1 << 20)] {
            assert_eq!(ring.open(Purpose::Cursor, b"", wrong), None);
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let old = ring(&[&A]).seal(Purpose::Session, b"", b"x");
        let both = ring(&[&B, &A]);
        assert!(both.open(Purpose::Session, b"", &old).is_some());
        let new = both.seal(Purpose::Session, b"", b"x");
        assert!(ring(&[&A]).open(Purpose::Session, b"", &new).is_none());
        assert!(ring(&[&B]).open(Purpose::Session, b"", &new).is_some());
    }

    #[test]
    fn equal_content_gives_other_handles_each_time() {
        let ring = KeyRing::of_process();
        assert_ne!(ring.seal(Purpose::Session, b"", b"x"), ring.seal(Purpose::Session, b"", b"x"));
    }

    #[test]
    fn a_key_has_32_bytes_and_a_ring_has_a_key() {
        assert_eq!(KeyRing::new([&[1_u8; 31][..]]).err(), Some(KeyRingError::Length));
        assert_eq!(KeyRing::new(std::iter::empty::<&[u8]>()).err(), Some(KeyRingError::NoKey));
    }
}
