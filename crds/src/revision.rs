//! The short name of a file's content: how operator and server know that they speak of the same bytes.
//!
//! The operator names the configuration by it; the server computes it again from the bytes it has
//! read. A report that repeats it is therefore evidence, not an echo.

use sha2::{Digest, Sha256};

/// How many hexadecimal digits a revision has: 40 bits, enough to tell the few revisions of one object
/// apart, short enough for a name of at most 63 characters.
pub const REVISION_LENGTH: usize = 10;

/// The first [`REVISION_LENGTH`] lower-case hexadecimal digits of the SHA-256 of `content`.
pub fn revision(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    let mut text = String::with_capacity(REVISION_LENGTH);
    for byte in digest.iter().take(REVISION_LENGTH / 2) {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 0x0f)]));
    }
    text
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_the_start_of_the_sha256() {
        // echo -n abc | sha256sum
        assert_eq!(revision(b"abc"), "ba7816bf8f");
    }
}
