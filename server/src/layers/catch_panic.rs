//! A panic below becomes an answer instead of a broken connection.
//!
//! The caller learns the correlation id and nothing else. The panic's text may quote a caller's data,
//! so it is written nowhere; the panic hook (see [`crate::telemetry`]) logs the place in our code.

use std::panic::AssertUnwindSafe;

use axum::response::Response;
use futures::FutureExt as _;

use crate::error::Error;

/// Runs `work`; [`Error::Panicked`] when it panics.
pub async fn catch_panic(work: impl Future<Output = Result<Response, Error>>) -> Result<Response, Error> {
    // Whatever a request shares is atomic or swapped whole, so no half-made state can be seen.
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or(Err(Error::Panicked))
}
