//! A panic below becomes an answer instead of a broken connection.
//!
//! The caller learns the correlation id and nothing else. The panic's text may quote a caller's data,
//! so it is written nowhere; the panic hook (see [`crate::telemetry`]) logs the place in our code.

use std::panic::AssertUnwindSafe;

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt as _;

use crate::error::Error;

/// Answers with [`Error::Panicked`] when the inner layers or the handler panic.
pub async fn catch_panic(request: Request, next: Next) -> Response {
    // Whatever a request shares is atomic or swapped whole, so no half-made state can be seen.
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => Error::Panicked.into_response(),
    }
}
