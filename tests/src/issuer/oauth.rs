//! The authorization server's part: registration, an authorization endpoint that always says yes, and the
//! token endpoint. As much of OAuth 2.1 as MCP clients walk through; it must never be reachable outside a test.

mod authorize;
mod grants;
mod register;
mod token;

pub(crate) use authorize::authorize;
pub(crate) use grants::Grants;
pub use grants::StaticClient;
pub(crate) use register::register;
pub(crate) use token::token;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The scope of a request that names none.
const DEFAULT_SCOPE: &str = "";

/// An error of RFC 6749, section 5.2 or RFC 7591, section 3.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OAuthError {
    code: &'static str,
    description: &'static str,
}

impl OAuthError {
    const fn new(code: &'static str, description: &'static str) -> Self {
        Self { code, description }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let status = match self.code {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = json!({ "error": self.code, "error_description": self.description });
        (status, [(header::CACHE_CONTROL, "no-store")], axum::Json(body)).into_response()
    }
}
