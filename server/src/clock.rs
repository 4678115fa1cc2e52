//! Time as an argument: whatever decides by time takes a [`Clock`], so that tests set it.
//!
//! Below everything else in the crate. This file is the only one that asks the system for the time
//! of day; nothing else may.

use std::time::Instant;

use jiff::Timestamp;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The time of day: for what other machines wrote down, such as the `exp` of a token.
    fn now(&self) -> Timestamp;

    /// Time that never steps: for ages and intervals measured in this process.
    fn monotonic(&self) -> Instant;
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}
