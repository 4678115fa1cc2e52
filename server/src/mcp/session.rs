//! Sessions of the older era: what `initialize` opens, and what hangs on it while it lives.
//!
//! The id is a sealed record, so any replica knows revision, capabilities and expiry from it alone, and whoever else
//! presents it has an unknown one. What hangs on a session (streams, subscriptions, requests to the client) is in this
//! process: it comes and goes with the entry in [`registry::Sessions`], the session itself does not. Where replicas share a
//! store, [`super::replicas`] brings what other replicas did to it here.

mod record;
mod registry;
mod state;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub(super) use record::{SessionRecord, binding};
pub(super) use registry::Sessions;
pub(super) use state::SessionState;

use super::stream_log::{Reader, Retention, StreamLog};
use crate::{
    features::{ClientCapabilities, LogLevel},
    protocol::ProtocolVersion,
};

/// Finished streams that are kept for a client that comes back. Chosen: those of a burst of parallel calls.
const FINISHED_STREAMS: usize = 4;

/// A session while this process knows it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) record: SessionRecord,
    /// SHA-256 of whom it belongs to: what is stored about it opens for nobody else's session.
    pub(super) owner: [u8; 32],
    /// Cancelled by DELETE and when the session is forgotten.
    pub(super) ended: CancellationToken,
    /// Number of the stream that a GET without `Last-Event-ID` reads; the others follow a random number. The upper half is
    /// random: this process may forget what hangs on a session and begin anew, and another process may, while event ids must
    /// stay unique over the session. So an id from before, or of another session, names nothing here. Where replicas share a
    /// store the standalone stream is [`SHARED_STANDALONE`] at all of them.
    pub(super) standalone: u64,
    state: Mutex<State>,
    /// What finished streams of all sessions take.
    kept_bytes: Arc<registry::KeptBytes>,
}

#[derive(Debug, Default)]
struct State {
    known: SessionState,
    /// Tells which record of the shared store `known` is; empty while nothing is known from there.
    known_stamp: Bytes,
    /// Requests of the client that are worked on, by numbers of ours: nothing keeps a client from using an id twice.
    in_flight: HashMap<u64, Begun>,
    next_begun: u64,
    /// Requests of ours that the client has not answered.
    outstanding: HashMap<u64, oneshot::Sender<Option<Box<RawValue>>>>,
    next_request: u64,
    /// Those that are written to, and the last few that are finished. By number, oldest first.
    streams: VecDeque<(u64, Arc<StreamLog>)>,
    finished: VecDeque<registry::Kept>,
    next_stream: u64,
    /// Cancelled when the standalone stream is written to elsewhere.
    writing: CancellationToken,
    /// Under which number the standalone stream was taken here last.
    taken: u64,
}

impl State {
    /// Nothing more is written to `standalone` here.
    fn leave(&mut self, standalone: u64) {
        if let Some(log) = self.take_live(standalone) {
            self.writing.cancel();
            log.dismiss();
        }
    }

    /// The stream of this number, if it is written to here.
    fn live(&self, number: u64) -> Option<&Arc<StreamLog>> {
        self.streams.iter().find(|(stream, _)| *stream == number).map(|(_, log)| log)
    }

    fn take_live(&mut self, number: u64) -> Option<Arc<StreamLog>> {
        let position = self.streams.iter().position(|(stream, _)| *stream == number)?;
        self.streams.remove(position).map(|(_, log)| log)
    }

    /// One that is finished and kept.
    fn kept(&self, number: u64) -> Option<&Arc<StreamLog>> {
        self.finished.iter().map(registry::Kept::stream).find(|(stream, _)| *stream == number).map(|(_, log)| log)
    }
}

/// The standalone stream where replicas share a store: there is one, whoever writes to it.
pub(super) const SHARED_STANDALONE: u64 = 0;

/// Number of the first event of a standalone stream. The number before it is the id of an event that primes.
const FIRST_EVENT: u64 = 1;

/// No event has this number or a greater one: numbers begin at 0, or at the milliseconds since 1970.
const MAX_EVENT_NUMBER: u64 = 1 << 53;

/// A request of the client that is worked on.
#[derive(Debug)]
struct Begun {
    /// As the client wrote it.
    id: Box<str>,
    cancelled: CancellationToken,
}

/// Names an event: which stream of the session, and which event of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventId {
    pub(super) stream: u64,
    pub(super) number: u64,
}

impl EventId {
    /// As it stands on the wire: `<stream>-<event>`.
    pub(super) fn to_text(self) -> String {
        format!("{}-{}", self.stream, self.number)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (stream, number) = text.split_once('-')?;
        let number = number.parse().ok().filter(|number| *number < MAX_EVENT_NUMBER)?;
        Some(Self { stream: stream.parse().ok()?, number })
    }
}

/// A request of ours that waits for the client's answer; forgotten when it is dropped.
pub(super) struct Outstanding<'a> {
    session: &'a Session,
    pub(super) id: u64,
    /// The result; `None` for an error.
    pub(super) answer: oneshot::Receiver<Option<Box<RawValue>>>,
}

/// A request of the client while it is worked on; forgotten when it is dropped.
pub(super) struct InFlight {
    session: Arc<Session>,
    number: u64,
}

impl Session {
    /// `shared` says whether other replicas may know it too.
    pub(super) fn new(
        record: SessionRecord,
        owner: [u8; 32],
        kept_bytes: Arc<registry::KeptBytes>,
        shared: bool,
    ) -> Self {
        let random = u64::from(rand::random::<u32>() | 1) << 32;
        // Ids of requests are numbers in JavaScript too, so they stay below 2^53.
        let (standalone, next_request) = if shared { (SHARED_STANDALONE, (random >> 12) + 1) } else { (random, 1) };
        let state = State { next_stream: random + 1, next_request, ..State::default() };
        Self { record, owner, ended: CancellationToken::new(), standalone, state: Mutex::new(state), kept_bytes }
    }

    pub(super) fn version(&self) -> ProtocolVersion {
        self.record.version
    }

    pub(super) fn client(&self) -> ClientCapabilities {
        self.record.client
    }

    pub(super) fn log_level(&self) -> Option<LogLevel> {
        self.lock().known.log_level
    }

    /// Changes what is known, here alone. False, and nothing changes, when `change` says that it cannot be.
    pub(super) fn change(&self, change: impl Fn(&mut SessionState) -> bool) -> bool {
        let mut state = self.lock();
        let mut known = state.known.clone();
        let possible = change(&mut known);
        if possible {
            state.known = known;
        }
        possible
    }

    pub(super) fn subscriptions(&self) -> Vec<String> {
        self.lock().known.subscriptions.iter().map(|uri| (**uri).to_owned()).collect()
    }

    pub(super) fn is_subscribed(&self, uri: &str) -> bool {
        self.lock().known.subscriptions.contains(uri)
    }

    /// What is known of it.
    pub(super) fn known(&self) -> SessionState {
        self.lock().known.clone()
    }

    /// Whether a client has ended it, as far as is known.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().known.ended
    }

    /// Whether this record of the shared store is another one than what is known.
    pub(super) fn is_news(&self, stamp: &Bytes) -> bool {
        self.lock().known_stamp != *stamp
    }

    /// The newest record of the shared store says this.
    pub(super) fn learn(&self, stamp: Bytes, known: SessionState) {
        let mut state = self.lock();
        state.known = known;
        state.known_stamp = stamp;
    }

    /// A request with this id begins; the token is cancelled when the client asks for it.
    pub(super) fn begin(self: &Arc<Self>, id: &RawValue) -> (InFlight, CancellationToken) {
        let token = CancellationToken::new();
        let mut state = self.lock();
        let number = state.next_begun;
        state.next_begun += 1;
        state.in_flight.insert(number, Begun { id: id.get().into(), cancelled: token.clone() });
        drop(state);
        (InFlight { session: Arc::clone(self), number }, token)
    }

    /// `notifications/cancelled`: whatever has this id; nothing happens for a request that is not there.
    pub(super) fn cancel(&self, id: &RawValue) {
        let state = self.lock();
        let meant = state.in_flight.values().filter(|begun| *begun.id == *id.get());
        let tokens: Vec<_> = meant.map(|begun| begun.cancelled.clone()).collect();
        drop(state);
        tokens.iter().for_each(CancellationToken::cancel);
    }

    /// A request of ours to the client: to be sent under the id that it has here.
    pub(super) fn ask(&self) -> Outstanding<'_> {
        let (sender, answer) = oneshot::channel();
        let mut state = self.lock();
        let id = state.next_request;
        state.next_request += 1;
        state.outstanding.insert(id, sender);
        Outstanding { session: self, id, answer }
    }

    /// The client answered; false if nothing was asked under this id.
    pub(super) fn answered(&self, id: u64, result: Option<&RawValue>) -> bool {
        let sender = self.lock().outstanding.remove(&id);
        sender.is_some_and(|sender| sender.send(result.map(ToOwned::to_owned)).is_ok())
    }

    /// Whether a request of ours with this id waits here for its answer.
    pub(super) fn waits_for(&self, id: u64) -> bool {
        self.lock().outstanding.contains_key(&id)
    }

    /// A new stream, for the answer to one request.
    pub(super) fn open_stream(&self, retention: Retention) -> (u64, Arc<StreamLog>) {
        let log = StreamLog::new(retention);
        let mut state = self.lock();
        let number = state.next_stream;
        state.next_stream += 1;
        state.streams.push_back((number, Arc::clone(&log)));
        (number, log)
    }

    /// Nothing more will come on this stream; it is kept for a while, as far as there is room.
    pub(super) fn finish_stream(&self, number: u64) {
        let mut state = self.lock();
        let Some(log) = state.take_live(number) else { return };
        log.end();
        if let Some(kept) = self.kept_bytes.keep(number, log) {
            state.finished.push_back(kept);
        }
        while state.finished.len() > FINISHED_STREAMS {
            state.finished.pop_front();
        }
    }

    /// The standalone stream; and, if this call made it, how long it is to be written to.
    pub(super) fn standalone(&self, retention: Retention) -> (Arc<StreamLog>, Option<CancellationToken>) {
        let mut state = self.lock();
        if let Some(log) = state.live(self.standalone) {
            return (Arc::clone(log), None);
        }
        let log = StreamLog::restored([], (FIRST_EVENT, FIRST_EVENT), retention);
        state.streams.push_back((self.standalone, Arc::clone(&log)));
        let writing = self.ended.child_token();
        state.writing = writing.clone();
        (log, Some(writing))
    }

    /// The standalone stream, if it is written to here, and under which number it was taken.
    pub(super) fn standalone_here(&self) -> Option<(Arc<StreamLog>, u64)> {
        let state = self.lock();
        Some((Arc::clone(state.live(self.standalone)?), state.taken))
    }

    /// From now on the standalone stream is written to here: as `log`, until the token is cancelled. `None` where it has been
    /// taken under a greater number meanwhile.
    pub(super) fn take_standalone(&self, log: &Arc<StreamLog>, number: u64) -> Option<CancellationToken> {
        let mut state = self.lock();
        if number <= state.taken {
            return None;
        }
        state.leave(self.standalone);
        let writing = self.ended.child_token();
        state.streams.push_back((self.standalone, Arc::clone(log)));
        (state.writing, state.taken) = (writing.clone(), number);
        Some(writing)
    }

    /// The standalone stream is written to elsewhere, which took it under `number`: unless it was taken here later.
    pub(super) fn leave_standalone(&self, number: u64) {
        let mut state = self.lock();
        if number > state.taken {
            state.leave(self.standalone);
        }
    }

    /// The same where `log` was refused by the store.
    pub(super) fn leave_log(&self, log: &Arc<StreamLog>) {
        let mut state = self.lock();
        if state.live(self.standalone).is_some_and(|here| Arc::ptr_eq(here, log)) {
            state.leave(self.standalone);
        }
    }

    /// Whoever reads this stream here reads it elsewhere from now on. Whether it is still written to here.
    pub(super) fn dismiss_reader(&self, stream: u64) -> bool {
        let state = self.lock();
        let live = state.live(stream);
        if let Some(log) = live.or_else(|| state.kept(stream)) {
            log.dismiss();
        }
        live.is_some()
    }

    /// A reader of what came after the event with this id; `None` for a stream that is not there.
    pub(super) fn resume(&self, after: EventId, keep_alive: Duration) -> Option<Reader> {
        let state = self.lock();
        let log = state.live(after.stream).or_else(|| state.kept(after.stream)).cloned()?;
        drop(state);
        Some(log.read_from(after.number.saturating_add(1), keep_alive))
    }

    /// The client wants no more of it: everything ends, calls included.
    pub(super) fn end(&self) {
        self.forget();
        let mut state = self.lock();
        for begun in state.in_flight.values() {
            begun.cancelled.cancel();
        }
        for (_, log) in state.streams.drain(..) {
            log.end();
        }
        state.outstanding.clear();
    }

    /// Its room is needed: what tells of changes and what could be replayed ends. Calls go on, and their answers reach
    /// whoever waits for them.
    pub(super) fn forget(&self) {
        self.ended.cancel();
        let mut state = self.lock();
        if let Some(log) = state.live(self.standalone) {
            log.end();
        }
        state.finished.clear();
        state.known = SessionState::default();
        state.known_stamp = Bytes::new();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Outstanding<'_> {
    fn drop(&mut self) {
        self.session.lock().outstanding.remove(&self.id);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.session.lock().in_flight.remove(&self.number);
    }
}

#[cfg(test)]
pub(super) mod tests;
