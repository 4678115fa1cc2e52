//! Writes the events of one stream into the store, each before it goes to the client.
//!
//! So whoever has seen an event can go on after it at any replica. A store that fails ends no stream: what could not be
//! written is missing elsewhere, but for the answer and the end, which are tried again once the client here has them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};

use super::{
    AFTER_END, Message, Replicas, SILENT,
    entry::{LogEntry, What, remembered},
    stream_key,
};
use crate::{
    mcp::{
        error::McpError,
        result,
        session::{EventId, SHARED_STANDALONE, Session},
        sse,
    },
    store::{Key, StoreError},
};

/// The largest event that is kept, in bytes. Chosen: what a slow reader may leave unread (`limits.streamBufferBytes`).
const MAX_EVENT_BYTES: usize = 256 * 1024;

/// For so long the answer and the end are tried again, unless the process stops before. Chosen: longer than a Redis takes to be
/// started anew.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// After a failure nothing is written for so long: a stream is not held up by each event anew.
const REST: Duration = Duration::from_secs(1);

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
    /// How long they are kept after the last one.
    ttl: Duration,
    /// Nothing more is written: nothing is kept, or another replica writes.
    stopped: bool,
    /// The number after the last event that is kept.
    kept: u64,
    /// Something after it is not: another replica may have gone on from there.
    missed: bool,
    rests_until: Option<Instant>,
    /// The answer, if it could not be written yet.
    unwritten: Option<(u64, Bytes)>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mcp) enum Recorded {
    /// It may go to the client.
    Yes,
    /// Another replica writes this stream: nothing more may go to the client from here.
    WrittenElsewhere,
}

enum Written {
    Yes,
    Elsewhere,
    Failed,
}

impl Recorder {
    /// A recorder of the stream that answers `request`. `keep_events` as for a log in this process.
    pub(in crate::mcp) fn of_call(
        replicas: &Arc<Replicas>,
        session: &Arc<Session>,
        stream: u64,
        request: &str,
        keep_events: usize,
    ) -> Self {
        Self { request: remembered(request), ..Self::new(replicas, session, stream, (keep_events, SILENT)) }
    }

    /// A recorder of the standalone stream that was taken under `number`, whose log lives as long as its session.
    pub(in crate::mcp) fn of_standalone(
        replicas: &Arc<Replicas>,
        session: &Arc<Session>,
        keep_events: usize,
        (number, ttl): (u64, Duration),
    ) -> Self {
        let kept = number.saturating_add(1);
        Self { kept, ..Self::new(replicas, session, SHARED_STANDALONE, (keep_events, ttl)) }
    }

    fn new(
        replicas: &Arc<Replicas>,
        session: &Arc<Session>,
        stream: u64,
        (keep_events, ttl): (usize, Duration),
    ) -> Self {
        Self {
            replicas: Arc::clone(replicas),
            key: stream_key(session, stream),
            session: Arc::clone(session),
            stream,
            request: Box::default(),
            // One more for the end.
            keep: keep_events + 1,
            ttl,
            stopped: keep_events == 0,
            kept: 0,
            missed: false,
            rests_until: None,
            unwritten: None,
        }
    }

    /// Writes event `number` of the stream, which is not the answer.
    pub(in crate::mcp) async fn record(&mut self, number: u64, event: &Bytes) -> Recorded {
        let rests = self.rests_until.is_some_and(|until| Instant::now() < until);
        if self.stopped || rests || !self.may_keep(event) {
            self.missed = true;
            return Recorded::Yes;
        }
        match self.write(number, What::Event(event.clone()), self.ttl).await {
            Written::Yes | Written::Failed => Recorded::Yes,
            Written::Elsewhere => Recorded::WrittenElsewhere,
        }
    }

    /// Writes the answer, or that it is too large to be kept. Where that fails, [`Self::end`] tries again.
    pub(in crate::mcp) async fn record_answer(&mut self, number: u64, event: &Bytes) {
        if self.stopped {
            return;
        }
        let event = if self.may_keep(event) {
            Some(event.clone())
        } else {
            let why = "the answer is too large to be kept for a client that comes back: call again";
            unanswered(&self.request, EventId { stream: self.stream, number }, why)
        };
        let Some(event) = event else { return };
        if matches!(self.write(number, What::Event(event.clone()), self.ttl).await, Written::Failed) {
            self.unwritten = Some((number, event));
        }
    }

    /// Nothing more will come; `number` is the one after the last event. Takes its time where the store is away: nobody
    /// here waits for it any more.
    pub(in crate::mcp) async fn end(mut self, number: u64) {
        let begun = Instant::now();
        while !self.stopped && !self.try_to_end(number).await && begun.elapsed() < PATIENCE {
            sleep(PAUSE).await;
        }
        self.replicas.waiters.ended((self.session.record.name, self.stream));
    }

    async fn try_to_end(&mut self, number: u64) -> bool {
        if let Some((number, event)) = self.unwritten.clone() {
            if matches!(self.write(number, What::Event(event), AFTER_END).await, Written::Failed) {
                return false;
            }
            self.unwritten = None;
        }
        !matches!(self.write(number, What::End, AFTER_END).await, Written::Failed)
    }

    fn may_keep(&self, event: &Bytes) -> bool {
        event.len() <= MAX_EVENT_BYTES && self.replicas.budget.spend(&self.session.owner, event.len())
    }

    async fn write(&mut self, number: u64, what: What, ttl: Duration) -> Written {
        let entry = LogEntry { writer: self.replicas.me, request: self.request.clone(), what };
        match self.try_to_write(number, &entry, ttl).await {
            Ok(true) => {
                (self.kept, self.missed) = (number.saturating_add(1), false);
                let stream = (self.session.record.name, self.stream);
                self.replicas.waiters.wrote(stream);
                if self.replicas.waiters.is_read_elsewhere(stream) {
                    self.replicas.tell(&Message::Wrote { session: stream.0, stream: stream.1 }).await;
                }
                Written::Yes
            }
            Ok(false) => {
                self.stopped = true;
                Written::Elsewhere
            }
            Err(problem) => {
                tracing::debug!("an event is not kept for other replicas: {problem}");
                self.missed = true;
                self.rests_until = Some(Instant::now() + REST);
                Written::Failed
            }
        }
    }

    /// False where another replica writes the stream.
    async fn try_to_write(&self, number: u64, entry: &LogEntry, ttl: Duration) -> Result<bool, StoreError> {
        let Self { replicas, key, session, kept, missed, keep, .. } = self;
        // Whoever has taken it meanwhile went on from what is kept, and may not have come as far as this number. Who takes it between
        // this look and the write is refused at the next event, and its client comes back once more.
        if *missed && replicas.read(key, session, *kept).await?.is_by_another(replicas.me) {
            return Ok(false);
        }
        replicas.write(key, session, number, entry, (*keep, ttl)).await
    }
}

/// An event that answers `request` with an error; `None` where nothing is to be answered.
pub(super) fn unanswered(request: &str, id: EventId, why: &'static str) -> Option<Bytes> {
    let request: Box<RawValue> = serde_json::from_str(request).ok()?;
    let body = result::error(Some(&request), &McpError::lost_answer(why));
    Some(sse::event(Some(&id.to_text()), &body))
}
