//! Streams that clients open by themselves: `subscriptions/listen`, and GET in a session.

use std::sync::Arc;

use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::{
    audit::Ending,
    credential::Credential,
    envelope::Refused,
    error::McpError,
    listen::{Around, honoured, listen, spread},
    operation::Filter,
    record::CallOutcome,
    replicas::{Recorder, Replicas, Takeover},
    reply::McpReply,
    respond::read,
    serve::{Serve, refuse},
    session::{EventId, Session},
    stream_log::{Reader, StreamLog},
    tell_session::{Ends, StandaloneWriter, tell_session},
    writing::priming,
};
use crate::gateway;

impl Serve<'_> {
    pub(super) fn listen(&self, id: &RawValue, filter: Filter, ending: Ending) -> McpReply {
        let place = match self.stream_place() {
            Ok(place) => place,
            Err(error) => return refuse(&Refused { id: Some(id), error }, ending),
        };
        let sight = self.sight();
        let filter = honoured(filter, self.catalog, sight.of_others());
        let mut ending = ending;
        ending.streamed = true;
        let record = ending.record().clone();
        let around = Around {
            changes: self.endpoint.features.changes().listen(),
            sight,
            credential: self.credential(),
            keep_alive: self.keep_alive(),
            stop: self.endpoint.stop.clone(),
            modern_meta: Arc::clone(&self.endpoint.modern_meta),
            ending,
            place,
        };
        McpReply::stream(listen(id, filter, around), record)
    }

    pub(super) async fn open_stream(&self, session: &Arc<Session>, after: Option<EventId>, ending: Ending) -> McpReply {
        let opened = match self.stream_place() {
            Ok(place) => self.events(session, after).await.map(|events| (place, events)),
            Err(error) => Err(error),
        };
        let (place, events) = match opened {
            Ok(opened) => opened,
            Err(error) => return refuse(&Refused { id: None, error }, ending),
        };
        let record = ending.record().clone();
        let mut ending = ending;
        ending.streamed = true;
        let held = (place, Ended(Some(ending)));
        McpReply::stream(holding(self.credential().limit(events), held), record)
    }

    /// What a GET reads: the standalone stream, or what came after an event of whichever stream.
    async fn events(
        &self,
        session: &Arc<Session>,
        after: Option<EventId>,
    ) -> Result<BoxStream<'static, Bytes>, McpError> {
        let Some(replicas) = &self.endpoint.replicas else {
            let Some(after) = after else { return Ok(self.standalone(session)) };
            let reader = session.resume(after, self.keep_alive()).ok_or_else(McpError::unknown_event)?;
            return Ok(read(reader, None));
        };
        if self.endpoint.stop.is_cancelled() {
            // Else a stream would move to a process that goes.
            return Err(McpError::store_unavailable());
        }
        match after {
            None => self.shared_standalone(replicas, session).await,
            Some(after) if after.stream == session.standalone => {
                self.resumed_standalone(replicas, session, after).await.map(|reader| read(reader, None))
            }
            Some(after) => self.resumed_call(replicas, session, after).await,
        }
    }

    /// What came after an event of a call, at whichever replica it is worked on.
    async fn resumed_call(
        &self,
        replicas: &Arc<Replicas>,
        session: &Arc<Session>,
        after: EventId,
    ) -> Result<BoxStream<'static, Bytes>, McpError> {
        if let Some(reader) = session.resume(after, self.keep_alive()) {
            replicas.reads(session, after.stream, 0).await;
            return Ok(read(reader, None));
        }
        match replicas.tail(session, after, self.keep_alive()).await {
            Ok(Some(tail)) => {
                let (ended, stop) = (session.ended.clone(), self.endpoint.stop.clone());
                // The client comes back for the rest, at a replica that stays.
                let end = async move {
                    tokio::select! {
                        () = ended.cancelled() => {}
                        () = stop.cancelled() => spread().await,
                    }
                };
                Ok(tail.events().take_until(Box::pin(end)).boxed())
            }
            Ok(None) => Err(McpError::unknown_event()),
            Err(_) => Err(McpError::store_unavailable()),
        }
    }

    fn credential(&self) -> Credential {
        Credential::of(self.caller.principal, self.endpoint.clock.now())
    }

    fn sight(&self) -> Sight {
        let (endpoint, principal) = (Arc::clone(self.endpoint), Arc::clone(self.caller.principal));
        let at_open = self.may_see(gateway::Target::Other);
        Sight::new(move || {
            endpoint.newer_policy.load().as_ref().map_or(at_open, |policy| {
                gateway::decide(policy, &principal, gateway::Target::Other) != gateway::Decision::Hidden
            })
        })
    }

    /// The session's standalone stream in this process; the first reader brings it to life.
    fn standalone(&self, session: &Arc<Session>) -> BoxStream<'static, Bytes> {
        let (log, writing) = session.standalone(self.retention());
        if let Some(writing) = writing {
            self.tell(StandaloneWriter::new(session, &log, None), writing, false);
        }
        primed(session, self.unread(&log))
    }

    /// The one standalone stream that the session has at all replicas.
    async fn shared_standalone(
        &self,
        replicas: &Arc<Replicas>,
        session: &Arc<Session>,
    ) -> Result<BoxStream<'static, Bytes>, McpError> {
        let reader = match self.still_written_here(replicas, session).await {
            Some(log) => self.unread(&log),
            None => self.taken_over(replicas, session, None).await?,
        };
        Ok(primed(session, reader))
    }

    async fn resumed_standalone(
        &self,
        replicas: &Arc<Replicas>,
        session: &Arc<Session>,
        after: EventId,
    ) -> Result<Reader, McpError> {
        match self.still_written_here(replicas, session).await {
            Some(log) if after.number < log.next() => Ok(log.read_from(after.number + 1, self.keep_alive())),
            // Of a log that knows less than the client.
            _ => self.taken_over(replicas, session, Some(after.number)).await,
        }
    }

    async fn still_written_here(&self, replicas: &Arc<Replicas>, session: &Arc<Session>) -> Option<Arc<StreamLog>> {
        let (log, taken) = session.standalone_here()?;
        let is_elsewhere = replicas.is_standalone_elsewhere(session, taken).await;
        (!is_elsewhere).then_some(log)
    }

    fn unread(&self, log: &Arc<StreamLog>) -> Reader {
        log.read_from(log.next_unread(), self.keep_alive())
    }

    /// The standalone stream, written to here from now on; `seen` is the last event that the client has seen.
    async fn taken_over(
        &self,
        replicas: &Arc<Replicas>,
        session: &Arc<Session>,
        seen: Option<u64>,
    ) -> Result<Reader, McpError> {
        let (retention, now) = (self.retention(), self.endpoint.clock.now());
        let taken = replicas.take_standalone(session, (seen, now), retention.read_events).await;
        let Takeover { events, number, moved, ttl } = taken.map_err(|_| McpError::store_unavailable())?;
        // What it was taken with is an event where it was there before.
        let first = if moved { number } else { number + 1 };
        let read = seen.map_or(first, |seen| seen.saturating_add(1));
        let log = StreamLog::restored(events, (read, number + 1), retention);
        // Another GET at this replica was quicker: this one may come again.
        let writing = session.take_standalone(&log, number).ok_or_else(McpError::store_unavailable)?;
        let recorder = Recorder::of_standalone(replicas, session, retention.read_events, (number, ttl));
        self.tell(StandaloneWriter::new(session, &log, Some(recorder)), writing, moved);
        Ok(log.read_from(read, self.keep_alive()))
    }

    fn tell(&self, writer: StandaloneWriter, writing: CancellationToken, moved: bool) {
        let changes = self.endpoint.features.changes().listen();
        let ends = Ends { writing, stop: self.endpoint.stop.clone() };
        self.endpoint.tasks.spawn(tell_session(writer, changes, self.sight(), ends, moved));
    }
}

/// A standalone stream, with the event before it where the revision has one: under the id of whatever came before.
fn primed(session: &Session, reader: Reader) -> BoxStream<'static, Bytes> {
    let before = EventId { stream: session.standalone, number: reader.next_number().saturating_sub(1) };
    stream::iter(priming(session, before)).chain(read(reader, None)).boxed()
}

/// What the caller of an open stream may know of, asked anew for each change: the policy may change meanwhile.
pub(super) struct Sight(Box<dyn Fn() -> bool + Send + Sync>);

impl Sight {
    pub(super) fn new(of_others: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Box::new(of_others))
    }

    /// Of what is no tool.
    pub(super) fn of_others(&self) -> bool {
        (self.0)()
    }
}

/// A stream's end, told when the stream is dropped.
struct Ended(Option<Ending>);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(ending) = self.0.take() {
            ending.end(CallOutcome::StreamEnded);
        }
    }
}

/// The same stream, holding something until it is dropped.
fn holding(events: BoxStream<'static, Bytes>, held: impl Send + 'static) -> BoxStream<'static, Bytes> {
    stream::unfold((events, held), |(mut events, held)| async move {
        let event = events.next().await?;
        Some((event, (events, held)))
    })
    .boxed()
}
