//! The standalone stream of a session moves to the replica at which the client reads it.
//!
//! There is one writer: whoever entered the greatest number. The next writer enters a number of its own, which the store gives
//! to one alone; the writer before learns at its next entry that the stream is no longer its own.
//!
//! What the next writer enters is an event: that the tools may have changed, which holds whenever a stream moves. So the numbers
//! that a client sees have no gap where it came back and nothing was lost.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Replicas,
    entry::{LogEntry, What},
    milliseconds, remaining, stream_key,
};
use crate::{
    features::Change,
    mcp::{
        session::{EventId, SHARED_STANDALONE, Session},
        tell_session::event_of,
    },
    store::StoreError,
};

/// How often a stream is tried to be taken while others write it. Chosen: the writer is told at the first try, and hears of it long
/// before the last.
const TRIES: usize = 10;

/// A standalone stream that is written to here from now on.
pub(in crate::mcp) struct Takeover {
    /// What is kept of it, with the event under which it was taken.
    pub(in crate::mcp) events: Vec<(u64, Bytes)>,
    /// The number under which it was taken; the next event has the next one.
    pub(in crate::mcp) number: u64,
    /// It was there before: what has changed in between nobody has told, but of tools.
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
        for attempt in 1..=TRIES {
            let mut page = self.read_all(&key, session, 0).await?;
            let moved = seen.is_some() || page.next.is_some();
            // A writer that has much to say, and does not hear, is always first at the next number. A gap is better than no stream.
            let may_jump = attempt == TRIES;
            let number = number(seen, page.next, now, may_jump);
            let id = EventId { stream: SHARED_STANDALONE, number };
            let what = if moved { What::Event(event_of(id, &Change::Tools)) } else { What::Taken };
            let entry = LogEntry { writer: self.me, request: Box::default(), what };
            let is_taken = self.write(&key, session, number, &entry, (keep_events + 1, ttl)).await?;
            // The writer leaves, before it is refused or so that it does not come first again.
            self.reads(session, SHARED_STANDALONE, number).await;
            if is_taken {
                page.entries.push((number, entry));
                let events = page.entries.into_iter().filter_map(|(number, entry)| match entry.what {
                    What::Event(event) => Some((number, event)),
                    What::End | What::Taken => None,
                });
                return Ok(Takeover { events: events.collect(), number, moved, ttl });
            }
        }
        Err(StoreError::Unavailable)
    }

    /// Whether another replica has written to the standalone stream last. A store that cannot be asked knows of none.
    /// `taken`: under which number it was taken here.
    pub(in crate::mcp) async fn is_standalone_elsewhere(&self, session: &Session, taken: u64) -> bool {
        let page = self.read_all(&stream_key(session, SHARED_STANDALONE), session, taken).await;
        page.is_ok_and(|page| page.is_by_another(self.me))
    }
}

/// The number under which a stream is taken. `seen` is the last event that the client has seen, `next` the number after the last
/// one that the log has.
fn number(seen: Option<u64>, next: Option<u64>, now: Timestamp, may_jump: bool) -> u64 {
    match (seen, next) {
        // The log has all that the client has seen: it goes on where it ends.
        (Some(seen), Some(next)) if seen < next && !may_jump => next,
        // A client that begins anew does not say what it has seen, and what a store has lost was perhaps seen: the time is
        // greater than the numbers that were given.
        _ => next.max(seen.map(|seen| seen.saturating_add(1))).unwrap_or(0).max(milliseconds(now)),
    }
}
