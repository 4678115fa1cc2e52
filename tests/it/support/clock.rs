//! Clocks that a test sets forward.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use server::clock::{Clock, SystemClock};

/// The machine's time, and some seconds more. A cheap handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// From now on it is so much later.
    pub(crate) fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_secs(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Instant {
        SystemClock.monotonic()
    }
}

/// Both clocks stand still until a test moves them, so that what is allowed once in a while is allowed once.
#[derive(Clone, Debug)]
pub(crate) struct StillClock(Arc<Mutex<(Timestamp, Instant)>>);

impl StillClock {
    /// At the machine's time, so that tokens made by others are good.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new((SystemClock.now(), SystemClock.monotonic()))))
    }

    /// So much time passes.
    pub(crate) fn advance(&self, duration: Duration) {
        let mut clocks = self.0.lock().unwrap();
        *clocks = (clocks.0 + duration, clocks.1 + duration);
    }
}

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().0
    }

    fn monotonic(&self) -> Instant {
        self.0.lock().unwrap().1
    }
}
