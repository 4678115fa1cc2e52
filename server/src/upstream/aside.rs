//! What is sent to an upstream and not waited for: answers to its requests, cancellations, ends of sessions; and
//! the ends of its streams.
//!
//! Bounded in number and time. Each is a task of the upstream's own tracker, so that shutdown can wait for it.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method};
use reqwest::Response;
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};
use tokio_util::task::TaskTracker;

use super::{
    limits::{MAX_ASIDES, MAX_ENDING_BYTES, MAX_ENDINGS, Timing},
    transport::Transport,
};

/// A cheap handle.
#[derive(Clone)]
pub(super) struct Aside {
    transport: Transport,
    tasks: TaskTracker,
    slots: Arc<Semaphore>,
    /// How long each may take.
    patience: Duration,
    endings: Arc<Semaphore>,
    ending_patience: Duration,
}

impl Aside {
    pub(super) fn new(transport: Transport, timing: &Timing) -> Self {
        Self {
            transport,
            tasks: TaskTracker::new(),
            slots: Arc::new(Semaphore::new(MAX_ASIDES)),
            patience: timing.aside,
            endings: Arc::new(Semaphore::new(MAX_ENDINGS)),
            ending_patience: timing.ending,
        }
    }

    /// POSTs `body`, unless too many others are on their way: whoever floods us with requests gets no answers.
    pub(super) fn post(&self, headers: HeaderMap, body: Vec<u8>) {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            self.post_holding(headers, body, slot);
        }
    }

    /// POSTs `body`, and holds on to what bounds the number of such posts.
    pub(super) fn post_holding(&self, headers: HeaderMap, body: Vec<u8>, bound: impl Send + 'static) {
        let transport = self.transport.clone();
        self.start(self.patience, async move {
            // Nobody waits for it, and the log has it.
            let _ = transport.post(headers, body).await;
            drop(bound);
        });
    }

    /// Ends a session.
    pub(super) fn end_session(&self, headers: HeaderMap) {
        let transport = self.transport.clone();
        self.start(self.patience, async move {
            // An upstream may refuse (405), and forgets the session by itself.
            let _ = transport.send(Method::DELETE, headers).await;
        });
    }

    /// Reads a stream that has given its answer to its end, if that comes soon: then the connection is used again.
    pub(super) fn let_end(&self, mut response: Response) {
        let Ok(slot) = Arc::clone(&self.endings).try_acquire_owned() else { return };
        self.start(self.ending_patience, async move {
            let _slot = slot;
            let mut left = MAX_ENDING_BYTES;
            while let Ok(Some(chunk)) = response.chunk().await {
                let Some(less) = left.checked_sub(chunk.len()) else { return };
                left = less;
            }
        });
    }

    /// Waits for all of it; for so long as each may take.
    pub(super) async fn finished(&self) {
        self.tasks.close();
        let _ = timeout(self.patience, self.tasks.wait()).await;
    }

    fn start(&self, patience: Duration, work: impl Future<Output = ()> + Send + 'static) {
        // Also called while a future is dropped, which may be after its runtime has ended.
        if let Ok(runtime) = Handle::try_current() {
            self.tasks.spawn_on(
                async move {
                    let _ = timeout(patience, work).await;
                },
                &runtime,
            );
        }
    }
}
