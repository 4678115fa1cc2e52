//! A panic below becomes an answer instead of a broken connection.
//!
//! The caller learns the correlation id and nothing else. The panic's text may quote a caller's data,
//! so it is written nowhere; the panic hook (see [`crate::telemetry`]) logs the place in our code.

use std::panic::AssertUnwindSafe;

use axum::response::Response;
use futures::FutureExt as _;

use crate::error::Error;

/// Runs `work`; [`Error::Panicked`] when it panics.
///
/// No `async fn`: that would hold `work` twice, and it is most of what a request takes.
pub fn catch_panic<W>(work: W) -> impl Future<Output = Result<Response, Error>> + use<W>
where
    W: Future<Output = Result<Response, Error>>,
{
    // Whatever a request shares is atomic or swapped whole, so no half-made state can be seen.
    AssertUnwindSafe(work).catch_unwind().map(|ended| ended.unwrap_or(Err(Error::Panicked)))
}
