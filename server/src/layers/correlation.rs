//! One id for all that belongs to a request: answer, log lines, spans, tool results.
//!
//! Decided first, so that every answer of ours carries the id, refusals included. A value that a
//! caller sends is taken only if it is harmless wherever it will be written; it is never reflected
//! otherwise.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::{Builder, NoContext, Timestamp};

/// The header, in requests and in answers.
pub const HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

/// Source: features.md, P1-05.
const MAX_BYTES: usize = 128;

/// The id that ties an answer to its log lines and spans: `[A-Za-z0-9._-]{1,128}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrelationId(Arc<str>);

impl CorrelationId {
    /// The caller's id if exactly one valid one came, else a fresh UUIDv7.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut sent = headers.get_all(HEADER).iter();
        match (sent.next().and_then(valid), sent.next()) {
            (Some(id), None) => Self(id.into()),
            _ => Self::fresh(),
        }
    }

    /// A UUIDv7: sorts by time, so that log lines of one minute stand together.
    pub fn fresh() -> Self {
        let (seconds, nanoseconds) = Timestamp::now(NoContext).to_unix();
        let milliseconds = seconds * 1000 + u64::from(nanoseconds / 1_000_000);
        // `Uuid::now_v7` asks the kernel for its random bytes each time.
        let id = Builder::from_unix_timestamp_millis(milliseconds, &rand::random()).into_uuid();
        Self((&*id.hyphenated().encode_lower(&mut [0; 36])).into())
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id's text, to be kept.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// Writes the id on an answer.
    pub fn write(&self, headers: &mut HeaderMap) {
        let value = HeaderValue::from_str(&self.0).expect("every allowed character is allowed in a header");
        headers.insert(HEADER, value);
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn valid(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let fits = !text.is_empty() && text.len() <= MAX_BYTES;
    (fits && text.bytes().all(allowed)).then_some(text)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id_for(values: &[&[u8]]) -> CorrelationId {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        CorrelationId::from_headers(&headers)
    }

    fn is_fresh(id: &CorrelationId) -> bool {
        Uuid::parse_str(id.as_str()).is_ok_and(|id| id.get_version_num() == 7)
    }

    #[test]
    fn a_valid_id_is_taken_as_it_is() {
        assert_eq!(id_for(&[b"Run_7.a-Z"]).as_str(), "Run_7.a-Z");
        assert_eq!(id_for(&[&[b'x'; 128]]).as_str(), "x".repeat(128));
    }

    #[test]
    fn whatever_could_do_harm_elsewhere_is_replaced() {
        let invalid: [&[u8]; 6] = [b"", &[b'x'; 129], b"a b", b"a\tb", b"a/b", "é".as_bytes()];
        for value in invalid {
            assert!(is_fresh(&id_for(&[value])), "{value:?} was taken");
        }
    }

    #[test]
    fn without_an_id_or_with_two_a_fresh_one_is_made() {
        assert!(is_fresh(&id_for(&[])));
        assert!(is_fresh(&id_for(&[b"one", b"two"])));
    }
}
