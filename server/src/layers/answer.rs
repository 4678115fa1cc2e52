//! Errors as bytes: what the inner layers refuse becomes the body and the headers that callers see.
//!
//! On the MCP path a JSON-RPC error, but for 401 and 403; elsewhere and there
//! `{"error","error_description","correlation_id"}` (auth.md, `error-body`). Nothing of our insides.

use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderValue, StatusCode, Version,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};

use super::correlation::CorrelationId;
use crate::{
    app::App,
    auth::{Refusal, challenge},
    config::Route,
    error::Error,
};

/// The answer to a request for `route` that ended in `error`, which is counted.
pub fn answer(app: &App, error: &Error, route: Route, version: Version, id: &CorrelationId) -> Response {
    app.metrics().refused(error.reason());
    let document = document(error, route == Route::Endpoint, id.as_str());
    let mut response = Response::new(Body::from(document.to_string()));
    *response.status_mut() = error.status();
    headers(app, error, response.headers_mut());
    // HTTP/2 knows no such header; there the stream alone ends.
    if error.closes_connection() && version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn headers(app: &App, error: &Error, headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(challenge) = challenge(app, error) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Error::MethodNotAllowed { allow } = error {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(after) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
}

/// How to get a token, on 401 alone.
fn challenge(app: &App, error: &Error) -> Option<HeaderValue> {
    let Error::Unauthenticated(refusal) = error else { return None };
    let metadata_url = app.config().endpoint.metadata_url();
    let scopes = app.policy().scopes_supported(app.catalog().names());
    match refusal {
        Refusal::MissingCredential => Some(challenge::missing_credential(metadata_url, &scopes)),
        Refusal::Invalid(reason) => Some(challenge::invalid_token(metadata_url, &scopes, *reason)),
        Refusal::KeysUnavailable { .. } | Refusal::TooManyFailures { .. } => None,
    }
}

fn document(error: &Error, on_mcp_path: bool, correlation_id: &str) -> Value {
    let plain = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&error.status());
    if on_mcp_path && !plain {
        json!({
            "jsonrpc": "2.0",
            "error": {
                "code": error.json_rpc_code(),
                "message": error.public_message(),
                "data": { "correlation_id": correlation_id },
            },
        })
    } else {
        json!({
            "error": error.public_code(),
            "error_description": error.public_message(),
            "correlation_id": correlation_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::{
        layers::{catch_panic::catch_panic, correlation::HEADER},
        testing::TestApp,
    };

    async fn answer_to_a_panic(route: Route) -> (StatusCode, Value) {
        #[expect(clippy::panic, reason = "what is tested")]
        let error = catch_panic(async { panic!("it quotes the caller: canary") }).await.unwrap_err();
        let id = CorrelationId::from_headers(&[(HEADER, HeaderValue::from_static("mine"))].into_iter().collect());
        let answer = answer(&TestApp::new().app, &error, route, Version::HTTP_11, &id);
        let status = answer.status();
        (status, serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_with_the_correlation_id_and_nothing_else() {
        let (status, body) = answer_to_a_panic(Route::Endpoint).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        let error = json!({ "code": -32603, "message": "internal error", "data": { "correlation_id": "mine" } });
        assert_eq!(body, json!({ "jsonrpc": "2.0", "error": error }));
    }

    #[tokio::test]
    async fn off_the_mcp_path_errors_are_plain() {
        let (_, body) = answer_to_a_panic(Route::Health).await;
        let plain = json!({ "error": "panicked", "error_description": "internal error", "correlation_id": "mine" });
        assert_eq!(body, plain);
    }
}
