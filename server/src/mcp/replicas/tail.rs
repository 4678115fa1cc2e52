//! Reads a call's stream that another replica writes, for a client that came back here.
//!
//! Told by messages, and looking by itself now and then, since messages may be lost. When the writer is gone for good, the
//! request is answered with an error, once: whichever replica writes it first.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::time::{Instant, sleep_until};

use super::{
    AFTER_END, ALIVE, LOOK_AGAIN, Replicas,
    entry::{LogEntry, What},
    log::Page,
    recorder::unanswered,
    stream_key,
    waiters::Waiter,
};
use crate::{
    mcp::{
        session::{EventId, Session},
        sse,
    },
    store::{Key, StoreError},
};

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
    /// Since when every look found that the writer does not say that it lives.
    silent_writer: Option<Instant>,
    /// The end is written from here, for a writer that is gone.
    ends: bool,
    last_look: Instant,
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
        let mut waiter = self.waiters.wait_for((session.record.name, after.stream));
        // From the event itself on: whoever names the last one learns who writes.
        let mut page = self.read(&key, session, after.number).await?;
        if page.entries.is_empty() {
            // The event that the client has seen may be the one that could not be kept.
            page = self.read_all(&key, session, 0).await?;
        }
        let Some((_, LogEntry { writer, request, .. })) = page.entries.last() else { return Ok(None) };
        waiter.take_over();
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
            silent_writer: None,
            ends: false,
            last_look: Instant::now(),
            keep_alive,
            waiter,
        };
        tail.take(page);
        self.reads(session, after.stream, 0).await;
        Ok(Some(tail))
    }
}

impl Tail {
    /// Its events, as a stream.
    pub(in crate::mcp) fn events(self) -> BoxStream<'static, Bytes> {
        stream::unfold(self, |mut tail| async move { Some((tail.next().await?, tail)) }).boxed()
    }

    /// The next event, or a comment when there was none for a while; `None` at the end, and when another reads the stream.
    async fn next(&mut self) -> Option<Bytes> {
        let keep_alive = Instant::now() + self.keep_alive;
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            let look_again = self.last_look + LOOK_AGAIN;
            tokio::select! {
                biased;
                is_reader = self.waiter.called() => {
                    if !is_reader {
                        return None;
                    }
                    self.look().await;
                }
                () = sleep_until(look_again) => self.look().await,
                () = sleep_until(keep_alive) => return Some(sse::KEEP_ALIVE),
            }
        }
    }

    async fn look(&mut self) {
        self.last_look = Instant::now();
        // A store that cannot be reached says nothing, of the writer neither: the next look may be better.
        let Ok(page) = self.replicas.read(&self.key, &self.session, self.next).await else {
            self.silent_writer = None;
            return;
        };
        if page.is_full {
            // One page at a time is held; the rest is looked for once the client has taken it.
            self.last_look = Instant::now().checked_sub(LOOK_AGAIN).unwrap_or_else(Instant::now);
        }
        self.take(page);
        if self.events.is_empty() && !self.ended {
            self.look_for_the_writer().await;
        }
    }

    fn take(&mut self, page: Page) {
        for (number, LogEntry { writer, what, .. }) in page.entries {
            if number < self.next {
                continue;
            }
            self.writer = writer;
            match what {
                What::Event(event) => self.events.push_back(event),
                What::End => self.ended = true,
                What::Taken => {}
            }
        }
        self.next = page.next.map_or(self.next, |next| next.max(self.next));
    }

    /// A process that has said nothing for long is gone, and with it the answer.
    async fn look_for_the_writer(&mut self) {
        if self.ends {
            return self.write(self.next, What::End).await;
        }
        if self.replicas.is_alive(self.writer).await != Ok(false) {
            self.silent_writer = None;
            return;
        }
        let since = *self.silent_writer.get_or_insert_with(Instant::now);
        if since.elapsed() < ALIVE {
            return;
        }
        self.ends = true;
        let id = EventId { stream: self.stream, number: self.next };
        let why = "the process that worked on this has ended before it had an answer: call again";
        if let Some(event) = unanswered(&self.request, id, why) {
            self.write(id.number, What::Event(event)).await;
        }
    }

    async fn write(&self, number: u64, what: What) {
        let entry = LogEntry { writer: self.replicas.me, request: self.request.clone(), what };
        // Whoever comes second finds what the first has written: at once, since this calls the readers here.
        let _ = self.replicas.write(&self.key, &self.session, number, &entry, (KEEP, AFTER_END)).await;
        self.replicas.waiters.wrote((self.session.record.name, self.stream));
    }
}
