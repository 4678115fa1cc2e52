//! How many requests one process works on at a time; more are sent away at once, not queued.
//!
//! Stands behind authentication, so that only known callers can fill it, and before the body is read,
//! so that it bounds memory.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

use crate::{app::App, error::Error};

/// Requests that are worked on at a time. Chosen: several times what two cores can keep busy, for
/// tools that mostly wait.
const MAX_IN_FLIGHT: usize = 512;

/// The free places. One for each process.
#[derive(Clone, Debug)]
pub struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_IN_FLIGHT)))
    }
}

/// Takes a place for as long as the request is worked on.
pub async fn in_flight(State(app): State<App>, request: Request, next: Next) -> Response {
    match app.places().0.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => Error::Overloaded.into_response(),
    }
}

#[cfg(test)]
impl Places {
    /// All of them, so that the next request finds none.
    pub(crate) fn take_all(&self) -> tokio::sync::SemaphorePermit<'_> {
        self.0.try_acquire_many(u32::try_from(MAX_IN_FLIGHT).unwrap()).unwrap()
    }
}
