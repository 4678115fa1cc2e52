//! Which web pages may call, and what their browsers are told: an exact list, nothing by default.
//!
//! A request without `Origin` comes from no page and passes. `*` is never answered here, credentials
//! are never allowed: a caller shows a token in a header that the page itself must hold.

use axum::response::{IntoResponse, Response};
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

use crate::{config::Config, error::Error};

/// Source: features.md, P1-06.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, \
     Last-Event-ID, traceparent, X-Correlation-ID",
);

/// Source: features.md, P1-06.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("WWW-Authenticate, X-Correlation-ID, Mcp-Session-Id");

const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");

/// How long a browser may remember a preflight, in seconds. Chosen: what the strictest browser keeps
/// at most, so that a removed origin is out within two hours everywhere.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("7200");

/// Names the page on its answer, so that its browser lets it read that.
pub fn name_page(page: Option<HeaderValue>, headers: &mut HeaderMap) {
    let Some(page) = page else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, page);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

/// Refuses pages that are not listed; the origin to echo, if one came. Both sides are serialised origins, so equal bytes mean equal
/// origins: a browser sends nothing else, and every trick with case, port or spelling differs.
pub fn check(config: &Config, headers: &HeaderMap) -> Result<Option<HeaderValue>, Error> {
    let mut values = headers.get_all(ORIGIN).iter();
    let Some(origin) = values.next() else { return Ok(None) };
    let allowed = values.next().is_none()
        && (config.gateway.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
            || config.endpoint.origin().as_bytes() == origin.as_bytes());
    if allowed { Ok(Some(origin.clone())) } else { Err(Error::OriginNotAllowed) }
}

/// Whether a browser asks for a page whether it may ask.
pub fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// What the page may send.
pub fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
        (ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::config;

    fn answer(origins: &[&str]) -> Result<Option<HeaderValue>, &'static str> {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(ORIGIN, origin.parse().unwrap());
        }
        check(&config(), &headers).map_err(|error| error.reason())
    }

    #[test]
    fn a_request_from_no_page_is_served() {
        assert_eq!(answer(&[]), Ok(None));
    }

    #[test]
    fn a_listed_origin_and_the_endpoints_own_are_echoed_exactly() {
        for origin in ["https://app.example.com", "https://mcp.example.com"] {
            assert_eq!(answer(&[origin]), Ok(Some(origin.parse().unwrap())));
        }
    }

    #[test]
    fn whatever_is_not_listed_is_refused() {
        for origin in [
            "https://evil.example",
            "null",
            "",
            "http://app.example.com",
            "https://APP.example.com",
            "https://app.example.com:443",
            "https://app.example.com/",
            "https://app.example.com.evil.example",
            "https://xn--pp-xka.example.com",
        ] {
            assert_eq!(answer(&[origin]), Err("origin_not_allowed"), "{origin}");
        }
        let twice = ["https://app.example.com", "https://app.example.com"];
        assert_eq!(answer(&twice), Err("origin_not_allowed"));
    }
}
