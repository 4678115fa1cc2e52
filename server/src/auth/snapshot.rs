//! The last good key set of an issuer as it lies on disk: one line of JSON that says what it is, then the set as it was
//! fetched. Pure.
//!
//! It is believed only for the issuer and the place of keys that it was fetched for, and never longer than keys may serve.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{KeySetError, key_set::MAX_SET_BYTES};
use crate::json;

/// The largest snapshot. The line has room for an issuer and a URL of 512 characters each, all of them escaped.
pub(super) const MAX_SNAPSHOT_BYTES: usize = MAX_SET_BYTES + 8 * 1024;

/// Of the format. Another one is ignored: a snapshot is worth one fetch.
const VERSION: u32 = 1;

/// Whose keys a snapshot holds, and where they came from.
#[derive(Debug)]
pub(super) struct Origin {
    issuer: Arc<str>,
    /// `None`: found by discovery.
    jwks_uri: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Head {
    version: u32,
    issuer: String,
    jwks_uri: Option<String>,
    /// When the set was asked for, by the time of day: seconds since 1970, rounded down.
    fetched_at: i64,
}

/// Why a snapshot is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Ignored {
    #[error("it cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
    #[error("it is not of the form that this version writes")]
    Malformed,
    #[error("it was fetched for another issuer or from elsewhere")]
    Foreign,
    #[error("it is older than keys may be")]
    TooOld,
    #[error("it is dated in the future")]
    FromTheFuture,
    #[error("{0}")]
    KeySet(KeySetError),
}

impl Origin {
    pub(super) fn new(issuer: Arc<str>, jwks_uri: Option<String>) -> Self {
        Self { issuer, jwks_uri }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// SHA-256 of the issuer: an issuer is any string, a file name is not.
    pub(super) fn file_name(&self) -> String {
        Sha256::digest(self.issuer.as_bytes()).iter().fold(String::new(), |mut name, byte| {
            write!(name, "{byte:02x}").expect("writing to a string cannot fail");
            name
        })
    }

    /// The snapshot of a set that was asked for at `fetched_at`.
    pub(super) fn snapshot(&self, jwks: &[u8], fetched_at: Timestamp) -> Vec<u8> {
        let head = Head {
            version: VERSION,
            issuer: self.issuer.to_string(),
            jwks_uri: self.jwks_uri.clone(),
            fetched_at: fetched_at.as_second(),
        };
        let mut bytes = serde_json::to_vec(&head).expect("strings and numbers always serialise");
        bytes.push(b'\n');
        bytes.extend_from_slice(jwks);
        bytes
    }

    /// The set inside a snapshot, and how old it is at `now`.
    pub(super) fn open<'a>(
        &self,
        snapshot: &'a [u8],
        now: Timestamp,
        max_age: Duration,
    ) -> Result<(&'a [u8], Duration), Ignored> {
        let end = snapshot.iter().position(|byte| *byte == b'\n').ok_or(Ignored::Malformed)?;
        let (head, jwks) = (&snapshot[..end], &snapshot[end + 1..]);
        let head: Head = json::read_object(head).ok_or(Ignored::Malformed)?;
        if head.version != VERSION {
            return Err(Ignored::Malformed);
        }
        if *head.issuer != *self.issuer || head.jwks_uri != self.jwks_uri {
            return Err(Ignored::Foreign);
        }
        let fetched_at = Timestamp::from_second(head.fetched_at).map_err(|_| Ignored::Malformed)?;
        let age = Duration::try_from(now.duration_since(fetched_at)).map_err(|_| Ignored::FromTheFuture)?;
        if age > max_age { Err(Ignored::TooOld) } else { Ok((jwks, age)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn origin(issuer: &str, jwks_uri: Option<&str>) -> Origin {
        Origin::new(issuer.into(), jwks_uri.map(ToOwned::to_owned))
    }

    #[test]
    fn a_file_is_named_by_the_hash_of_the_issuer_alone() {
        let name = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(origin("abc", None).file_name(), name);
        assert_eq!(origin("abc", Some("https://keys")).file_name(), name);
        assert_eq!(origin("../../etc/passwd", None).file_name().len(), 64);
    }

    #[test]
    fn it_opens_for_its_issuer_and_place_of_keys_alone() {
        let snapshot = origin("a", Some("https://keys")).snapshot(b"{}", at(0));
        let open = |issuer, jwks_uri| origin(issuer, jwks_uri).open(&snapshot, at(1), DAY).map(|(jwks, _)| jwks);
        assert_eq!(open("a", Some("https://keys")), Ok(&b"{}"[..]));
        assert_eq!(open("b", Some("https://keys")), Err(Ignored::Foreign));
        assert_eq!(open("a", Some("https://other")), Err(Ignored::Foreign));
        assert_eq!(open("a", None), Err(Ignored::Foreign));
    }

    #[test]
    fn its_age_is_never_taken_for_less_than_it_is() {
        let origin = origin("a", None);
        let snapshot = origin.snapshot(b"{}", at(0) + Duration::from_millis(900));
        let age = |now: Timestamp| origin.open(&snapshot, now, DAY).map(|(_, age)| age);
        assert_eq!(age(at(1)), Ok(Duration::from_secs(1)), "fetched 0.1 s ago, written down in whole seconds");
        assert_eq!(age(at(0) + DAY), Ok(DAY));
        assert_eq!(age(at(0) + DAY + Duration::from_millis(1)), Err(Ignored::TooOld));
        assert_eq!(age(at(-1)), Err(Ignored::FromTheFuture));
    }

    #[test]
    fn what_is_cut_off_or_of_another_version_is_ignored() {
        let origin = origin("a", None);
        let snapshot = origin.snapshot(b"{}", at(0));
        let line = snapshot.len() - b"\n{}".len();
        for end in 0..=line {
            assert_eq!(origin.open(&snapshot[..end], at(1), DAY), Err(Ignored::Malformed), "{end}");
        }
        let nameless = b"[1,\"a\",null,1800000000]\n{}";
        assert_eq!(origin.open(nameless, at(1), DAY), Err(Ignored::Malformed));
        let text = String::from_utf8(snapshot).unwrap();
        for (from, to) in [
            (r#""version":1"#, r#""version":2"#),
            (r#""version":1"#, r#""version":1,"more":1"#),
            (r#""fetchedAt":1800000000"#, r#""fetchedAt":9223372036854775807"#),
        ] {
            let other = text.replace(from, to);
            assert_ne!(other, text);
            assert_eq!(origin.open(other.as_bytes(), at(1), DAY), Err(Ignored::Malformed), "{to}");
        }
    }

    proptest! {
        #[test]
        fn whatever_was_written_is_read(issuer in ".{0,40}", jwks_uri in any::<Option<String>>(), jwks in any::<Vec<u8>>()) {
            let origin = Origin::new(issuer.as_str().into(), jwks_uri);
            let snapshot = origin.snapshot(&jwks, at(0));
            prop_assert_eq!(origin.open(&snapshot, at(5), DAY), Ok((&jwks[..], Duration::from_secs(5))));
        }
    }
}
