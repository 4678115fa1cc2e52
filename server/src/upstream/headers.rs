//! The headers that MCP defines, as a client writes them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::protocol::ProtocolVersion;

/// The revision that a request is written in.
pub(super) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// Mirrors `method`.
pub(super) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// Mirrors `params.name`.
pub(super) const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// Names a session of the older era.
pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// Where to go on in a stream.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What a client must be able to read.
pub(super) const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
/// What a stream is.
pub(super) const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// What each POST has.
pub(super) fn of_post(version: Option<ProtocolVersion>, session: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = of_session(version, session);
    headers.insert(header::ACCEPT, BOTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

/// What each request in a session has.
pub(super) fn of_session(version: Option<ProtocolVersion>, session: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(version) = version.filter(|version| version.is_sent()) {
        headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(version.as_str()));
    }
    if let Some(session) = session {
        headers.insert(SESSION_ID, session.clone());
    }
    headers
}

/// A mirrored value: as it is where a header can carry it and nobody would take it for an encoded one, else in base64.
///
/// Source: MCP 2026-07-28, Streamable HTTP, "Request Metadata".
pub(super) fn mirrored(text: &str) -> HeaderValue {
    let is_visible = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let is_trimmed = text.trim_matches(' ').len() == text.len();
    let looks_encoded = text.starts_with("=?base64?") && text.ends_with("?=");
    let plain = if is_visible && is_trimmed && !looks_encoded {
        HeaderValue::from_str(text)
    } else {
        HeaderValue::from_str(&format!("=?base64?{}?=", STANDARD.encode(text)))
    };
    plain.expect("visible ASCII makes a header value")
}

/// The media type of an answer, without parameters and in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_wrapped_exactly_where_it_must_be() {
        for (text, expected) in [
            ("read_file", "read_file"),
            ("", ""),
            ("a b", "a b"),
            ("=?BASE64?eA==?=", "=?BASE64?eA==?="),
            (" a", "=?base64?IGE=?="),
            ("a\r\nx: y", "=?base64?YQ0KeDogeQ==?="),
            ("a\tb", "=?base64?YQli?="),
            ("grün", "=?base64?Z3LDvG4=?="),
            ("=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
        ] {
            assert_eq!(mirrored(text), expected, "{text:?}");
        }
    }
}
