//! A clock that a test sets forward, time of day and age alike: for what happens after an interval or at the end of a token.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use server::clock::{Clock, SystemClock};

/// The machine's clocks, and some seconds more. A cheap handle.
#[derive(Clone, Default)]
pub(crate) struct ForwardClock(Arc<AtomicU64>);

impl ForwardClock {
    /// From now on it is so much later.
    pub(crate) fn forward(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    fn ahead(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

impl Clock for ForwardClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::try_from(self.ahead()).unwrap()
    }

    fn monotonic(&self) -> Instant {
        SystemClock.monotonic() + self.ahead()
    }
}
