//! Streams that clients open by themselves: `subscriptions/listen`, and GET in a session.

use std::sync::Arc;

use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use serde_json::value::RawValue;

use super::{
    audit::Ending,
    credential::Credential,
    envelope::Refused,
    error::McpError,
    listen::{Around, honoured, listen, tell_session},
    operation::Filter,
    record::CallOutcome,
    reply::McpReply,
    respond::{prime, read},
    serve::{Serve, refuse},
    session::{EventId, Session},
    stream_log::Reader,
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

    pub(super) fn open_stream(&self, session: &Arc<Session>, after: Option<EventId>, ending: Ending) -> McpReply {
        let place = match self.stream_place() {
            Ok(place) => place,
            Err(error) => return refuse(&Refused { id: None, error }, ending),
        };
        let reader = match after {
            Some(after) => session.resume(after, self.keep_alive()),
            None => Some(self.standalone(session)),
        };
        let Some(reader) = reader else {
            return refuse(&Refused { id: None, error: McpError::unknown_event() }, ending);
        };
        let record = ending.record().clone();
        let mut ending = ending;
        ending.streamed = true;
        let held = (place, Ended(Some(ending)));
        McpReply::stream(holding(self.credential().limit(read(reader, None)), held), record)
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

    /// A reader of the session's standalone stream; the first one brings it to life.
    fn standalone(&self, session: &Arc<Session>) -> Reader {
        let (log, is_new) = session.standalone(self.retention());
        if is_new {
            let tell = tell_session(
                Arc::clone(session),
                Arc::clone(&log),
                self.endpoint.features.changes().listen(),
                self.sight(),
                self.endpoint.stop.clone(),
            );
            self.endpoint.tasks.spawn(tell);
        }
        prime(&log, session.standalone, session);
        let next = log.next_unread();
        log.read_from(next, self.keep_alive())
    }
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
