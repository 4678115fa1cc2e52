//! Keys that the operator has fetched for us, in a mounted file that is looked at again and again. No network.
//!
//! What the file says is as little believed as what an issuer sends: the same bounds, the same rules about keys.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
    time::Duration,
};

use crds::gateway_config::KeyFile;
use jiff::Timestamp;

use super::{FetchCause, key_set::MAX_SET_BYTES};
use crate::{
    files::{self, Reader},
    json,
};

/// How often the file is looked at. Chosen: the kubelet itself takes up to a minute to bring a change.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// What stands around the key set in the file, at most. Chosen: several times what is written.
const FRAME_BYTES: usize = 1024;

/// How far the clock of the operator's node may be ahead of ours. Chosen: as far as that of an issuer.
const MAX_AHEAD: Duration = Duration::from_secs(60);

/// The mounted file of one issuer.
pub(super) struct MountedKeys {
    path: PathBuf,
    reader: Reader<io::Result<Vec<u8>>>,
}

/// What a key file holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KeyDocument {
    /// The key set, as an issuer would have sent it.
    pub(super) jwks: Vec<u8>,
    /// How long ago the operator asked for it.
    pub(super) age: Duration,
}

impl MountedKeys {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, reader: Reader::new() }
    }

    /// The bytes as they are now. No error names the path: it is of our insides.
    pub(super) async fn read(&self) -> Result<Vec<u8>, FetchCause> {
        let path = self.path.clone();
        let content = self.reader.read(move || files::read(&path, MAX_SET_BYTES + FRAME_BYTES)).await;
        content.unwrap_or(Err(ErrorKind::TimedOut.into())).map_err(|problem| FetchCause::Unreadable(problem.kind()))
    }
}

impl KeyDocument {
    /// Reads the content of a file at `now`; too old is what was fetched more than `max_age` ago.
    pub(super) fn open(bytes: &[u8], now: Timestamp, max_age: Duration) -> Result<Self, FetchCause> {
        let KeyFile { fetched_at, jwks } = json::read_object(bytes).ok_or(FetchCause::KeyFile)?;
        let ahead = i64::try_from(MAX_AHEAD.as_secs()).unwrap_or(i64::MAX);
        let seconds = now.as_second().saturating_sub(fetched_at);
        if seconds < -ahead {
            return Err(FetchCause::FromTheFuture);
        }
        let age = Duration::from_secs(seconds.max(0).cast_unsigned());
        if age > max_age {
            return Err(FetchCause::TooOld);
        }
        Ok(Self { jwks: jwks.to_string().into_bytes(), age })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const DAY: Duration = Duration::from_secs(86_400);

    fn open(text: &str) -> Result<KeyDocument, FetchCause> {
        KeyDocument::open(text.as_bytes(), Timestamp::from_second(NOW).unwrap(), DAY)
    }

    fn age(fetched_at: i64) -> Result<u64, FetchCause> {
        let text = format!(r#"{{"fetchedAt":{fetched_at},"jwks":{{"keys":[]}}}}"#);
        open(&text).map(|document| document.age.as_secs())
    }

    #[test]
    fn the_age_counts_from_when_the_operator_asked() {
        assert_eq!(age(NOW), Ok(0));
        assert_eq!(age(NOW - 1), Ok(1));
        assert_eq!(age(NOW - 86_400), Ok(86_400));
        assert_eq!(age(NOW - 86_401), Err(FetchCause::TooOld));
        assert_eq!(age(i64::MIN), Err(FetchCause::TooOld));
    }

    #[test]
    fn a_clock_that_is_a_little_ahead_is_forgiven() {
        assert_eq!(age(NOW + 60), Ok(0));
        assert_eq!(age(NOW + 61), Err(FetchCause::FromTheFuture));
        assert_eq!(age(i64::MAX), Err(FetchCause::FromTheFuture));
    }

    #[test]
    fn another_document_is_no_key_file() {
        for text in [
            "",
            "{}",
            r#"[1800000000,{"keys":[]}]"#,
            r#"{"keys":[]}"#,
            r#"{"fetchedAt":"1","jwks":{}}"#,
            r#"{"fetchedAt":1,"jwks":{},"x":1}"#,
        ] {
            assert_eq!(open(text), Err(FetchCause::KeyFile), "{text}");
        }
        let key_set = open(&format!(r#"{{"fetchedAt":{NOW},"jwks":{{"keys": [ 1 ]}}}}"#)).unwrap().jwks;
        assert_eq!(key_set, br#"{"keys":[1]}"#);
    }
}
