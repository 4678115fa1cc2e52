//! Reads a call's stream that another replica writes, for a client that came back here.
//!
//! Told by messages, and looking by itself now and then, since messages may be lost. When the writer is gone for good, the
//! request is answered with an error, once: whichever replica writes it first.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::time::{Instant, timeout};

use super::{
    AFTER_END, Replicas,
    entry::{LogEntry, What},
    hearing::Waiter,
    recorder::unanswered,
    stream_key,
};
use crate::{
    mcp::{
        session::{EventId, Session},
        sse,
    },
    store::{Key, StoreError},
};

/// How often a reader looks by itself. Chosen: a lost message delays an event by so much at most.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How many entries the error and the end are kept with, whatever was kept before: they are the last.
const KEEP: usize = 65_536;

/// A reader of a stream that is written elsewhere.
pub(in crate::mcp) struct Tail {
    replicas: Arc<Replicas>,
    session: Arc<Session>,
    stream: u64,
    key: Key,
    /// Number of the next event.
    next: u64,
    /// Read, and not yet given.
    events: VecDeque<Bytes>,
    ended: bool,
    /// Who wrote last, and the request that is answered.
    writer: u64,
    request: Box<str>,
    keep_alive: Duration,
    waiter: Waiter,
}

impl Replicas {
    /// A reader of what came after the event `after`; `None` for a stream that the store does not know.
    pub(in crate::mcp) async fn tail(
        self: &Arc<Self>,
        session: &Arc<Session>,
        after: EventId,
        keep_alive: Duration,
    ) -> Result<Option<Tail>, StoreError> {
        let key = stream_key(session, after.stream);
        // Before the look, so that nothing is missed between look and wait.
        let waiter = self.waiters.wait_for(session.record.name, after.stream);
        // From the event itself on: whoever names the last one learns who writes.
        let page = self.read_all(&key, session, after.number).await?;
        let Some((_, LogEntry { writer, request, .. })) = page.entries.last() else { return Ok(None) };
        let mut tail = Tail {
            replicas: Arc::clone(self),
            session: Arc::clone(session),
            stream: after.stream,
            key,
            next: after.number.saturating_add(1),
            events: VecDeque::new(),
            ended: false,
            writer: *writer,
            request: request.clone(),
            keep_alive,
            waiter,
        };
        tail.take(page.entries);
        self.reads(session, after.stream).await;
        Ok(Some(tail))
    }
}

impl Tail {
    /// Its events, as a stream.
    pub(in crate::mcp) fn events(self) -> BoxStream<'static, Bytes> {
        stream::unfold(self, |mut tail| async move { Some((tail.next().await?, tail)) }).boxed()
    }

    /// The next event, or a comment when there was none for a while; `None` at the end, and when the stream is read elsewhere.
    async fn next(&mut self) -> Option<Bytes> {
        let silent_since = Instant::now();
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            let wait = LOOK_AGAIN.min(self.keep_alive.saturating_sub(silent_since.elapsed()));
            match timeout(wait, self.waiter.called()).await {
                Ok(false) => return None,
                Ok(true) => self.look().await,
                Err(_) if silent_since.elapsed() >= self.keep_alive => return Some(sse::KEEP_ALIVE),
                Err(_) => {
                    self.look().await;
                    if self.events.is_empty() && !self.ended {
                        self.end_of_the_dead().await;
                    }
                }
            }
        }
    }

    /// A store that cannot be reached says nothing: the next look may be better.
    async fn look(&mut self) {
        if let Ok(page) = self.replicas.read(&self.key, &self.session, self.next).await {
            self.take(page.entries);
        }
    }

    fn take(&mut self, entries: Vec<(u64, LogEntry)>) {
        for (number, LogEntry { writer, what, .. }) in entries {
            if number < self.next {
                continue;
            }
            (self.next, self.writer) = (number + 1, writer);
            match what {
                What::Event(event) => self.events.push_back(event),
                What::End => self.ended = true,
                What::Taken => {}
            }
        }
    }

    /// The process that worked on it is gone, and with it the answer.
    async fn end_of_the_dead(&mut self) {
        let Ok(false) = self.replicas.is_alive(self.writer).await else { return };
        let id = EventId { stream: self.stream, number: self.next };
        let why = "the process that worked on this has ended before it had an answer: call again";
        if let Some(event) = unanswered(&self.request, id, why) {
            self.write(What::Event(event)).await;
        }
        self.write(What::End).await;
        // What was written here, or by who came first.
        self.look().await;
    }

    async fn write(&self, what: What) {
        // The end takes the number after whatever is there.
        let number = self.next + u64::from(what == What::End);
        let entry = LogEntry { writer: self.replicas.me, request: self.request.clone(), what };
        // Whoever comes second finds what the first has written.
        let _ = self.replicas.write(&self.key, &self.session, number, &entry, KEEP, AFTER_END).await;
    }
}
