//! Keys: a kind, and the hash of what it is about. No name of a caller, tool or session is in one, and nothing that a
//! caller writes can shape one. Source: redis-and-degradation.md, `hashed-keys`, `key-injection`.

use sha2::{Digest as _, Sha256};

/// What is stored under a key. Keys of two kinds never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A session of the older era: whether it has ended, its logging level, its subscriptions.
    Session,
    /// The events of a stream.
    Stream,
    /// A request to a client that waits for its answer.
    Question,
    /// The answer to it, on its way to the replica that asked.
    Answer,
    /// Something that may be used once.
    Mark,
    /// A replica, for as long as it lives.
    Replica,
}

/// A key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of this kind and these parts, in this order.
    pub fn new(kind: KeyKind, parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new().chain_update(b"mcp-foundry key 1").chain_update([kind.byte()]);
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        use std::fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl KeyKind {
    /// Never changes: keys outlive processes.
    fn byte(self) -> u8 {
        match self {
            Self::Session => 1,
            Self::Stream => 2,
            Self::Question => 3,
            Self::Answer => 4,
            Self::Mark => 5,
            Self::Replica => 6,
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", &self.to_hex()[..16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_order_and_borders_of_parts_count() {
        let keys = [
            Key::new(KeyKind::Session, &[b"ab", b"c"]),
            Key::new(KeyKind::Session, &[b"a", b"bc"]),
            Key::new(KeyKind::Session, &[b"c", b"ab"]),
            Key::new(KeyKind::Session, &[b"abc"]),
            Key::new(KeyKind::Stream, &[b"ab", b"c"]),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(keys.iter().position(|other| other == key), Some(index));
        }
        assert_eq!(keys[0], Key::new(KeyKind::Session, &[b"ab", b"c"]));
    }

    #[test]
    fn whatever_a_caller_writes_a_key_is_hexadecimal() {
        let key = Key::new(KeyKind::Mark, &[b"\r\nFLUSHALL\r\n*{}", &vec![b'x'; 1 << 20]]);
        assert!(key.to_hex().len() == 64 && key.to_hex().bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
