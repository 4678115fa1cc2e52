//! Sessions of the older era: what `initialize` opens, and what hangs on it while it lives.
//!
//! The id is a sealed record, so any replica knows revision, capabilities and expiry from it alone, and whoever else
//! presents it has an unknown one. What hangs on a session (streams, subscriptions, requests to the client) is in this
//! process: it comes and goes with the entry in [`registry::Sessions`], the session itself does not.

mod record;
mod registry;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub(super) use record::{SessionRecord, binding};
pub(super) use registry::Sessions;

use super::{
    operation::{MAX_URI_BYTES, MAX_URIS},
    stream_log::{Reader, Retention, StreamLog},
};
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
    /// Cancelled by DELETE and when the session is forgotten.
    pub(super) ended: CancellationToken,
    /// Number of the stream that a GET without `Last-Event-ID` reads; the others follow it. The upper half is random:
    /// this process may forget what hangs on a session and begin anew, and another process may, while event ids must
    /// stay unique over the session. So an id from before, or of another session, names nothing here.
    pub(super) standalone: u64,
    state: Mutex<State>,
    /// What finished streams of all sessions take.
    kept_bytes: Arc<registry::KeptBytes>,
}

#[derive(Debug, Default)]
struct State {
    log_level: Option<LogLevel>,
    subscriptions: BTreeSet<Box<str>>,
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
}

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
        Some(Self { stream: stream.parse().ok()?, number: number.parse().ok()? })
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
    pub(super) fn new(record: SessionRecord, kept_bytes: Arc<registry::KeptBytes>) -> Self {
        let standalone = u64::from(rand::random::<u32>()) << 32;
        let state = State { next_stream: standalone + 1, next_request: 1, ..State::default() };
        Self { record, ended: CancellationToken::new(), standalone, state: Mutex::new(state), kept_bytes }
    }

    pub(super) fn version(&self) -> ProtocolVersion {
        self.record.version
    }

    pub(super) fn client(&self) -> ClientCapabilities {
        self.record.client
    }

    pub(super) fn log_level(&self) -> Option<LogLevel> {
        self.lock().log_level
    }

    pub(super) fn set_log_level(&self, level: LogLevel) {
        self.lock().log_level = Some(level);
    }

    /// False when there are too many, or they take too much.
    pub(super) fn subscribe(&self, uri: &str) -> bool {
        let mut state = self.lock();
        if state.subscriptions.contains(uri) {
            return true;
        }
        let bytes: usize = state.subscriptions.iter().map(|uri| uri.len()).sum();
        let fits = state.subscriptions.len() < MAX_URIS && bytes + uri.len() <= MAX_URI_BYTES;
        if fits {
            state.subscriptions.insert(uri.into());
        }
        fits
    }

    pub(super) fn unsubscribe(&self, uri: &str) {
        self.lock().subscriptions.remove(uri);
    }

    pub(super) fn subscriptions(&self) -> Vec<String> {
        self.lock().subscriptions.iter().map(|uri| (**uri).to_owned()).collect()
    }

    pub(super) fn is_subscribed(&self, uri: &str) -> bool {
        self.lock().subscriptions.contains(uri)
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
        let Some(position) = state.streams.iter().position(|(stream, _)| *stream == number) else { return };
        let Some((_, log)) = state.streams.remove(position) else { return };
        log.end();
        if let Some(kept) = self.kept_bytes.keep(number, log) {
            state.finished.push_back(kept);
        }
        while state.finished.len() > FINISHED_STREAMS {
            state.finished.pop_front();
        }
    }

    /// The standalone stream, and whether this call made it.
    pub(super) fn standalone(&self, retention: Retention) -> (Arc<StreamLog>, bool) {
        let mut state = self.lock();
        if let Some((_, log)) = state.streams.iter().find(|(stream, _)| *stream == self.standalone) {
            return (Arc::clone(log), false);
        }
        let log = StreamLog::new(retention);
        state.streams.push_back((self.standalone, Arc::clone(&log)));
        (log, true)
    }

    /// A reader of what came after the event with this id; `None` for a stream that is not there.
    pub(super) fn resume(&self, after: EventId, keep_alive: Duration) -> Option<Reader> {
        let state = self.lock();
        let live = state.streams.iter().map(|(number, log)| (*number, log));
        let mut all = live.chain(state.finished.iter().map(registry::Kept::stream));
        let (_, log) = all.find(|(number, _)| *number == after.stream)?;
        let log = Arc::clone(log);
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
        if let Some((_, log)) = state.streams.iter().find(|(stream, _)| *stream == self.standalone) {
            log.end();
        }
        state.finished.clear();
        state.subscriptions.clear();
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
