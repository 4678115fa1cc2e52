//! The raw token of a request: from the `Authorization` header and from nowhere else.
//!
//! Never looks at the URL, a cookie or the body.

use http::{HeaderMap, header::AUTHORIZATION};

use super::{InvalidToken, Refusal};

/// The text after `Bearer`. Another scheme counts as no credential (RFC 6750 section 3.1).
pub(super) fn token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::MissingCredential)?;
    if values.next().is_some() {
        return Err(InvalidToken::SeveralCredentials.into());
    }
    let (scheme, rest) = split_scheme(value.as_bytes());
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(Refusal::MissingCredential);
    }
    let token = std::str::from_utf8(rest).map_err(|_| InvalidToken::Malformed)?;
    Ok(token.trim_matches(' '))
}

fn split_scheme(value: &[u8]) -> (&[u8], &[u8]) {
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    value.split_at(end)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(values: &[&[u8]], expected: Result<&str, Refusal>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        assert_eq!(token(&headers), expected, "{values:?}");
    }

    #[test]
    fn the_scheme_compares_without_case() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "bEaReR   a.b.c"] {
            check(&[value.as_bytes()], Ok("a.b.c"));
        }
    }

    #[test]
    fn another_scheme_is_no_credential() {
        for value in ["Basic YTpi", "Bearera.b.c", "", "DPoP a.b.c", "a.b.c"] {
            check(&[value.as_bytes()], Err(Refusal::MissingCredential));
        }
        check(&[], Err(Refusal::MissingCredential));
    }

    #[test]
    fn two_headers_are_one_too_many_whatever_they_hold() {
        let expected = Err(Refusal::Invalid(InvalidToken::SeveralCredentials));
        check(&[b"Bearer a.b.c", b"Bearer a.b.c"], expected);
        check(&[b"Basic YTpi", b"Bearer a.b.c"], expected);
    }

    #[test]
    fn bytes_that_are_not_text_are_no_token() {
        check(&[b"Bearer \xff\xfe"], Err(Refusal::Invalid(InvalidToken::Malformed)));
    }

    #[test]
    fn cookies_and_other_headers_are_not_looked_at() {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", HeaderValue::from_static("access_token=a.b.c"));
        headers.insert("x-authorization", HeaderValue::from_static("Bearer a.b.c"));
        headers.insert("proxy-authorization", HeaderValue::from_static("Bearer a.b.c"));
        assert_eq!(token(&headers), Err(Refusal::MissingCredential));
    }
}
