//! How much of its streams one caller may leave in the store: nobody fills it for all others.
//!
//! Counted in each process. Beyond it events are not kept, so that a client can go on after them at this replica alone.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// What one caller may leave in one [`PERIOD`], in bytes. Chosen: a sixteenth of a Redis of 64 MiB.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Chosen: as long as a stream is kept after its end.
const PERIOD: Duration = super::AFTER_END;

/// Callers that are counted. Beyond it those whose period is over are forgotten first, then all.
const MAX_CALLERS: usize = 16_384;

/// What callers have left. Keyed by [`crate::mcp::session::Session::owner`].
#[derive(Default)]
pub(super) struct Budget(Mutex<HashMap<[u8; 32], Spent>>);

struct Spent {
    bytes: usize,
    since: Instant,
}

impl Budget {
    /// Whether `owner` may leave so many bytes more; then they count.
    pub(super) fn spend(&self, owner: &[u8; 32], bytes: usize) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_CALLERS && !all.contains_key(owner) {
            all.retain(|_, spent| spent.since.elapsed() < PERIOD);
            if all.len() >= MAX_CALLERS {
                all.clear();
            }
        }
        let spent = all.entry(*owner).or_insert_with(|| Spent { bytes: 0, since: Instant::now() });
        if spent.since.elapsed() >= PERIOD {
            *spent = Spent { bytes: 0, since: Instant::now() };
        }
        let fits = spent.bytes + bytes <= MAX_BYTES;
        if fits {
            spent.bytes += bytes;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_caller_may_leave_so_much_in_a_period_and_others_do_not_count() {
        let budget = Budget::default();
        assert!(budget.spend(&[1; 32], MAX_BYTES));
        assert!(!budget.spend(&[1; 32], 1));
        assert!(budget.spend(&[2; 32], 1));
        tokio::time::advance(PERIOD).await;
        assert!(budget.spend(&[1; 32], 1));
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_callers_are_counted_and_no_more() {
        let budget = Budget::default();
        for number in 0..=MAX_CALLERS as u64 {
            let mut owner = [0; 32];
            owner[..8].copy_from_slice(&number.to_be_bytes());
            assert!(budget.spend(&owner, 1));
        }
        assert!(budget.0.lock().unwrap().len() <= MAX_CALLERS);
    }
}
