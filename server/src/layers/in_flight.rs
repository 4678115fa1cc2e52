//! How many requests one process works on at a time; more are sent away at once, not queued.
//!
//! Stands behind authentication, so that only known callers can fill it, and before the body is read,
//! so that it bounds memory.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::Error;

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

impl Places {
    /// A place, to be held for as long as the request is worked on.
    pub fn take(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.0.try_acquire().map_err(|_| Error::Overloaded)
    }
}

#[cfg(test)]
impl Places {
    /// All of them, so that the next request finds none.
    pub(crate) fn take_all(&self) -> tokio::sync::SemaphorePermit<'_> {
        self.0.try_acquire_many(u32::try_from(MAX_IN_FLIGHT).unwrap()).unwrap()
    }
}
