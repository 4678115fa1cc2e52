//! What browsers and caches between us and the caller are told on every answer.
//!
//! No header of ours ever carries a user, a session or a score. `Strict-Transport-Security` is the
//! business of whoever ends TLS, and that is not this process.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Writes the headers of features.md, P1-07.
pub fn write(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, nothing);
    // The metadata document is public and says itself how long it may be kept.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if is_event_stream(headers) {
        headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn written(mut headers: HeaderMap) -> String {
        write(&mut headers);
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
        lines.sort();
        lines.concat()
    }

    #[test]
    fn an_answer_is_neither_kept_nor_sniffed_nor_framed() {
        expect![[r"
            cache-control: no-store
            content-security-policy: default-src 'none'; frame-ancestors 'none'
            referrer-policy: no-referrer
            x-content-type-options: nosniff
        "]]
        .assert_eq(&written(HeaderMap::new()));
    }

    #[test]
    fn a_stream_is_not_buffered_by_proxies() {
        let stream = [(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))];
        assert!(written(stream.into_iter().collect()).contains("x-accel-buffering: no\n"));
    }

    #[test]
    fn a_document_that_says_how_long_it_may_be_kept_is_believed() {
        let public = [(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"))];
        assert!(written(public.into_iter().collect()).contains("cache-control: public, max-age=300\n"));
    }
}
