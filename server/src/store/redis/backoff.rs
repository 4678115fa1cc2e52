//! How long to wait before the next attempt to connect. Pure: chance comes in as an argument.

use std::time::Duration;

/// Source: redis-and-degradation.md, section 5.
const FIRST: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_secs(2);

/// Waits that double, each cut by up to a half so that pods do not come back together.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// After one more failure. `chance` is anything.
    pub(super) fn wait(&mut self, chance: u8) -> Duration {
        let longest = self.next;
        self.next = (longest * 2).min(MOST);
        longest * (510 - u32::from(chance)) / 510
    }

    /// It has worked.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_two_seconds_and_start_again_after_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.wait(0).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        backoff.forget();
        assert_eq!(backoff.wait(0), FIRST);
    }

    #[test]
    fn chance_takes_up_to_a_half() {
        let wait = |chance| Backoff::default().wait(chance);
        assert_eq!(wait(255), FIRST / 2);
        assert!((FIRST / 2..FIRST).contains(&wait(100)));
    }
}
