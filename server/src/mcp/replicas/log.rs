//! The log of a stream in the store: written by one replica, read by the others.

use super::{Place, Replicas, entry::LogEntry};
use crate::{
    mcp::session::Session,
    store::{Entry, Key, MAX_ENTRIES, StoreError},
};

use std::time::Duration;

/// How often a store is asked for more of one log. Chosen: a log keeps 10,001 entries at most (`sessions.replayEvents`).
const MAX_PAGES: usize = 160;

/// Some entries of a log.
#[derive(Default)]
pub(super) struct Page {
    /// Those that open, each with the number of its event.
    pub(super) entries: Vec<(u64, LogEntry)>,
    /// The number of the event after the last entry, whether it opened or not; `None` when there was none.
    pub(super) next: Option<u64>,
    /// There may be more.
    pub(super) is_full: bool,
}

impl Page {
    /// Whether there is something that `me` has not written. What does not open is not of this process.
    pub(super) fn is_by_another(&self, me: u64) -> bool {
        let after_opened = self.entries.last().map(|(number, _)| number.saturating_add(1));
        self.next > after_opened || self.entries.iter().any(|(_, entry)| entry.writer != me)
    }
}

impl Replicas {
    /// False, and nothing is written, where the log has this number or a later one.
    pub(super) async fn write(
        &self,
        key: &Key,
        session: &Session,
        number: u64,
        entry: &LogEntry,
        (keep, ttl): (usize, Duration),
    ) -> Result<bool, StoreError> {
        // Entries begin at 1, events at 0.
        let number = number.saturating_add(1);
        let value = self.seal(&Place { key, owner: &session.owner, number }, &entry.to_bytes());
        self.store.append(key, Entry { number, value }, keep, ttl).await
    }

    /// Some entries of a log, from event `number` on.
    pub(super) async fn read(&self, key: &Key, session: &Session, number: u64) -> Result<Page, StoreError> {
        let entries = self.store.read(key, number.saturating_add(1)).await?;
        let (next, is_full) = (entries.last().map(|entry| entry.number), entries.len() >= MAX_ENTRIES);
        let opened = entries.into_iter().filter_map(|Entry { number, value }| {
            let opened = self.open(&Place { key, owner: &session.owner, number }, &value)?;
            Some((number.checked_sub(1)?, LogEntry::read(&opened)?))
        });
        Ok(Page { entries: opened.collect(), next, is_full })
    }

    /// All entries of a log, from event `number` on. Bounded, whatever a store says.
    pub(super) async fn read_all(&self, key: &Key, session: &Session, number: u64) -> Result<Page, StoreError> {
        let mut all = Page::default();
        for _ in 0..MAX_PAGES {
            let page = self.read(key, session, all.next.unwrap_or(number)).await?;
            all.entries.extend(page.entries);
            all.next = page.next.or(all.next);
            if !page.is_full {
                break;
            }
        }
        Ok(all)
    }
}
