//! Errors as bytes: what the inner layers refuse becomes the body and the headers that callers see.
//!
//! On the MCP path a JSON-RPC error, but for 401 and 403; elsewhere and there
//! `{"error","error_description","correlation_id"}` (auth.md, `error-body`). Nothing of our insides.

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{
    HeaderMap, HeaderValue, StatusCode, Version,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};

use super::correlation::CorrelationId;
use crate::{
    app::App,
    auth::{Refusal, challenge},
    error::Error,
};

/// Gives an answer that carries an [`Error`] its body and headers, and counts it.
pub async fn answer(State(app): State<App>, request: Request, next: Next) -> Response {
    let on_mcp_path = request.uri().path() == app.config().endpoint.path();
    let correlation_id = request.extensions().get::<CorrelationId>().cloned();
    let version = request.version();
    let mut response = next.run(request).await;
    let Some(error) = response.extensions().get::<Error>().cloned() else { return response };
    app.metrics().refused(error.reason());
    let correlation_id = correlation_id.as_ref().map_or("", CorrelationId::as_str);
    let document = document(&error, on_mcp_path, correlation_id);
    *response.body_mut() = Body::from(document.to_string());
    headers(&app, &error, response.headers_mut());
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
    let scopes = app.policy().scopes_supported(app.catalog());
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
    use axum::{
        Router,
        middleware::{from_fn, from_fn_with_state},
        routing::any,
    };

    use super::*;
    use crate::{
        layers::{catch_panic::catch_panic, correlation::correlation},
        testing::{Answer, TestApp, request, send},
    };

    async fn answer_to(path: &str) -> Answer {
        #[expect(clippy::panic, reason = "what is tested")]
        async fn broken() -> Response {
            panic!("it quotes the caller: canary")
        }
        let router = Router::new()
            .route("/mcp", any(broken))
            .route("/other", any(broken))
            .layer(from_fn(catch_panic))
            .layer(from_fn_with_state(TestApp::new().app, answer))
            .layer(from_fn(correlation));
        send(router, request("POST", path)).await
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_with_the_correlation_id_and_nothing_else() {
        let answer = answer_to("/mcp").await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        let id = answer.headers["x-correlation-id"].to_str().unwrap();
        let error = json!({ "code": -32603, "message": "internal error", "data": { "correlation_id": id } });
        assert_eq!(answer.body, json!({ "jsonrpc": "2.0", "error": error }));
    }

    #[tokio::test]
    async fn off_the_mcp_path_errors_are_plain() {
        let answer = answer_to("/other").await;
        let id = answer.headers["x-correlation-id"].to_str().unwrap();
        let plain = json!({ "error": "panicked", "error_description": "internal error", "correlation_id": id });
        assert_eq!(answer.body, plain);
    }
}
