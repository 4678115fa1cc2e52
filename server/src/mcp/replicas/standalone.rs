//! The standalone stream of a session moves to the replica at which the client reads it.
//!
//! There is one writer: whoever entered the greatest number. The next writer enters a number of its own, which the store gives
//! to one alone; the writer before learns at its next entry that the stream is no longer its own.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Replicas,
    entry::{LogEntry, What},
    milliseconds, remaining, stream_key,
};
use crate::{
    mcp::session::{SHARED_STANDALONE, Session},
    store::StoreError,
};

/// How often a stream is tried to be taken while others take it. Chosen: a client opens one stream.
const TRIES: usize = 3;

/// A standalone stream that is written to here from now on.
pub(in crate::mcp) struct Takeover {
    /// What is kept of it.
    pub(in crate::mcp) events: Vec<(u64, Bytes)>,
    /// The number of the next event.
    pub(in crate::mcp) next: u64,
    /// It was there before: what has changed in between nobody has told.
    pub(in crate::mcp) moved: bool,
    /// How long its log is to be kept.
    pub(in crate::mcp) ttl: Duration,
}

impl Replicas {
    /// From now on this replica writes the standalone stream of `session`. `seen` is the last event that the client has seen.
    pub(in crate::mcp) async fn take_standalone(
        &self,
        session: &Session,
        (seen, now): (Option<u64>, Timestamp),
        keep_events: usize,
    ) -> Result<Takeover, StoreError> {
        let (key, ttl) = (stream_key(session, SHARED_STANDALONE), remaining(session, now));
        for _ in 0..TRIES {
            let page = self.read_all(&key, session).await?;
            let moved = seen.is_some() || page.next.is_some();
            // The time makes the number greater than those that a store has lost.
            let after_seen = seen.map_or(0, |seen| seen.saturating_add(1));
            let number = page.next.unwrap_or(0).max(after_seen).max(milliseconds(now));
            let entry = LogEntry { writer: self.me, request: Box::default(), what: What::Taken };
            if self.write(&key, session, number, &entry, (keep_events + 1, ttl)).await? {
                self.reads(session, SHARED_STANDALONE, number).await;
                let events = page.entries.into_iter().filter_map(|(number, entry)| match entry.what {
                    What::Event(event) => Some((number, event)),
                    What::End | What::Taken => None,
                });
                return Ok(Takeover { events: events.collect(), next: number + 1, moved, ttl });
            }
        }
        Err(StoreError::Unavailable)
    }

    /// Whether another replica has written the standalone stream after event `next`. A store that cannot be asked knows of none.
    pub(in crate::mcp) async fn is_standalone_elsewhere(&self, session: &Session, next: u64) -> bool {
        let key = stream_key(session, SHARED_STANDALONE);
        self.read(&key, session, next).await.is_ok_and(|page| page.next.is_some())
    }
}
