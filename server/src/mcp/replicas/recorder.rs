//! Writes the events of one stream into the store, each before it goes to the client.
//!
//! So whoever has seen an event can go on after it at any replica. A store that fails does not hold up the stream: what could
//! not be written is missing elsewhere, and the rest is there.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    AFTER_END, Message, Place, Replicas, SILENT,
    entry::{LogEntry, What, remembered},
    stream_key,
};
use crate::{
    mcp::{
        error::McpError,
        result,
        session::{EventId, Session},
        sse,
    },
    store::{Entry, Key, MAX_VALUE_BYTES, StoreError},
};

/// The largest event that is kept, in bytes: what the seal and the entry add fits beside it.
const MAX_EVENT_BYTES: usize = MAX_VALUE_BYTES - 1024;

/// How often a store is asked for more of one log. Chosen: a log keeps a few hundred entries.
const MAX_PAGES: usize = 64;

/// Writes one stream.
pub(in crate::mcp) struct Recorder {
    replicas: Arc<Replicas>,
    key: Key,
    session: Arc<Session>,
    stream: u64,
    /// Id of the request that the stream answers; empty for the standalone stream.
    request: Box<str>,
    /// How many entries are kept.
    keep: usize,
    /// Nothing more is written: nothing is kept, or another replica writes.
    stopped: bool,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mcp) enum Recorded {
    /// It may go to the client.
    Yes,
    /// Another replica writes this stream: nothing more may go to the client from here.
    WrittenElsewhere,
}

impl Recorder {
    /// A recorder of the stream `stream` of `session`, which answers `request`. `keep_events` as for a log in this process.
    pub(in crate::mcp) fn new(
        replicas: &Arc<Replicas>,
        session: &Arc<Session>,
        stream: u64,
        request: &str,
        keep_events: usize,
    ) -> Self {
        Self {
            replicas: Arc::clone(replicas),
            key: stream_key(session, stream),
            session: Arc::clone(session),
            stream,
            request: remembered(request),
            // One more for the end.
            keep: keep_events + 1,
            stopped: keep_events == 0,
        }
    }

    /// Writes event `number` of the stream.
    pub(in crate::mcp) async fn record(&mut self, number: u64, event: &Bytes) -> Recorded {
        if event.len() <= MAX_EVENT_BYTES {
            return self.write(number, What::Event(event.clone()), SILENT).await;
        }
        // Whoever comes back for it elsewhere learns that it cannot have it.
        let id = EventId { stream: self.stream, number };
        match unanswered(
            &self.request,
            id,
            "the answer is too large to be kept for a client that comes back: call again",
        ) {
            Some(event) => self.write(number, What::Event(event), SILENT).await,
            None => Recorded::Yes,
        }
    }

    /// Nothing more will come; `number` is the one after the last event.
    pub(in crate::mcp) async fn end(&mut self, number: u64) {
        self.write(number, What::End, AFTER_END).await;
    }

    async fn write(&mut self, number: u64, what: What, ttl: Duration) -> Recorded {
        if self.stopped {
            return Recorded::Yes;
        }
        let entry = LogEntry { writer: self.replicas.me, request: self.request.clone(), what };
        match self.replicas.write(&self.key, &self.session, number, &entry, self.keep, ttl).await {
            Ok(true) => {
                let (session, stream) = (self.session.record.name, self.stream);
                self.replicas.tell(&Message::Wrote { session, stream }).await;
                Recorded::Yes
            }
            Ok(false) => {
                self.stopped = true;
                Recorded::WrittenElsewhere
            }
            Err(problem) => {
                tracing::debug!("an event is not kept for other replicas: {problem}");
                Recorded::Yes
            }
        }
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
        keep: usize,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        // Entries begin at 1, events at 0.
        let number = number + 1;
        let value = self.seal(&Place { key, owner: &session.owner, number }, &entry.to_bytes());
        self.store.append(key, Entry { number, value }, keep, ttl).await
    }

    /// Some entries of a stream's log from event `number` on: those that open, each with the number of its event.
    pub(super) async fn read(&self, key: &Key, session: &Session, number: u64) -> Result<Page, StoreError> {
        let entries = self.store.read(key, number.saturating_add(1)).await?;
        let next = entries.last().map(|entry| entry.number);
        let opened = entries.into_iter().filter_map(|Entry { number, value }| {
            let opened = self.open(&Place { key, owner: &session.owner, number }, &value)?;
            Some((number.checked_sub(1)?, LogEntry::read(&opened)?))
        });
        Ok(Page { entries: opened.collect(), next })
    }

    /// All of them. Bounded, whatever a store says.
    pub(super) async fn read_all(&self, key: &Key, session: &Session, number: u64) -> Result<Page, StoreError> {
        let mut all = Page { entries: Vec::new(), next: None };
        for _ in 0..MAX_PAGES {
            let page = self.read(key, session, all.next.unwrap_or(number)).await?;
            if page.next.is_none() {
                break;
            }
            all.entries.extend(page.entries);
            all.next = page.next;
        }
        Ok(all)
    }
}

/// Some entries of a log.
pub(super) struct Page {
    pub(super) entries: Vec<(u64, LogEntry)>,
    /// The number of the event after the last entry, whether it opened or not; `None` when there was none.
    pub(super) next: Option<u64>,
}

/// An event that answers `request` with an error; `None` where nothing is to be answered.
pub(super) fn unanswered(request: &str, id: EventId, why: &'static str) -> Option<Bytes> {
    let request: Box<RawValue> = serde_json::from_str(request).ok()?;
    let body = result::error(Some(&request), &McpError::lost_answer(why));
    Some(sse::event(Some(&id.to_text()), &body))
}
