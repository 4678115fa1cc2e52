//! The standalone stream of a session moves to the replica at which the client reads it.
//!
//! There is one writer: whoever wrote the last entry under the greatest number. The next writer enters a number of its own,
//! which the store gives to one alone; the writer before learns at its next entry that the stream is no longer its own.

use bytes::Bytes;

use super::{
    Replicas, SILENT,
    entry::{LogEntry, What},
    stream_key,
};
use crate::{
    mcp::session::{SHARED_STANDALONE, Session},
    store::StoreError,
};

/// How often a stream is tried to be taken while others take it. Chosen: a client opens one stream.
const TRIES: usize = 3;

/// A standalone stream that was taken.
pub(in crate::mcp) struct Taken {
    /// What is kept of it.
    pub(in crate::mcp) events: Vec<(u64, Bytes)>,
    /// The number of the next event.
    pub(in crate::mcp) next: u64,
    /// Another replica wrote it before: what has changed in between nobody has told.
    pub(in crate::mcp) moved: bool,
}

impl Replicas {
    /// From now on this replica writes the standalone stream of `session`. `seen` is the last event that the client has seen.
    pub(in crate::mcp) async fn take_standalone(
        &self,
        session: &Session,
        seen: Option<u64>,
        keep_events: usize,
    ) -> Result<Taken, StoreError> {
        let key = stream_key(session, SHARED_STANDALONE);
        for _ in 0..TRIES {
            let page = self.read_all(&key, session, 0).await?;
            let moved = seen.is_some() || page.next.is_some();
            // Events begin at 1: the number before the first one is the id of an event that primes.
            let number = page.next.unwrap_or(0).max(seen.map_or(0, |seen| seen.saturating_add(1)));
            let entry = LogEntry { writer: self.me, request: Box::default(), what: What::Taken };
            if self.write(&key, session, number, &entry, keep_events + 1, SILENT).await? {
                self.reads(session, SHARED_STANDALONE).await;
                let events = page.entries.into_iter().filter_map(|(number, entry)| match entry.what {
                    What::Event(event) => Some((number, event)),
                    What::End | What::Taken => None,
                });
                return Ok(Taken { events: events.collect(), next: number + 1, moved });
            }
        }
        Err(StoreError::Unavailable)
    }
}
