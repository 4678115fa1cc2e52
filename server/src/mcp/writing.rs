//! Writes the stream of one call: what the work says, then its answer.
//!
//! The work is never held up by who writes: between them is a bounded queue, and what is superseded anyway is dropped when it
//! is full. Where replicas share a store, each event is kept there before it is sent.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    audit::Ending,
    notify,
    record::CallOutcome,
    replicas::Recorder,
    respond::{End, Shared, StreamStyle, next_note},
    session::{EventId, Session},
    sse,
    stream_log::{Reader, Retention, StreamLog},
};
use crate::features::Note;

/// How long a client that was let go should wait before it comes back. Chosen: at once, but not in a loop.
const RETRY_MILLISECONDS: u64 = 500;

/// Messages that wait to be written. Chosen: as many as notes that wait to be read.
const PIECES: usize = 64;

/// A stream that is written to: in a session with ids, without one as it is.
pub(super) struct Out {
    log: Arc<StreamLog>,
    session: Option<(Arc<Session>, u64)>,
    /// Number of the next event.
    next: u64,
    /// Keeps what is written for other replicas.
    recorder: Option<Recorder>,
}

/// Writes a stream to its end.
pub(super) struct Writer {
    pub(super) work: BoxFuture<'static, End>,
    pub(super) notes: Option<mpsc::Receiver<Note>>,
    pub(super) progress_token: Option<Box<RawValue>>,
    pub(super) out: Out,
    pub(super) ending: Ending,
}

/// What is written.
enum Piece {
    Message(Box<[u8]>),
    Answer(Vec<u8>),
    /// The reader may go.
    Release,
}

/// The event with which streams of 2025-11-25 begin; `None` in other revisions.
pub(super) fn priming(session: &Session, id: EventId) -> Option<Bytes> {
    session.version().has_priming_events().then(|| sse::priming(&id.to_text(), RETRY_MILLISECONDS))
}

impl Writer {
    /// `first` and `end` have happened already.
    pub(super) async fn write(self, first: Option<Note>, end: Option<End>, gone: CancellationToken) {
        let Self { work, notes, progress_token, mut out, ending } = self;
        let (pieces, queue) = mpsc::channel(PIECES);
        let saying = Saying { notes, progress_token, last_progress: None, pieces };
        let (outcome, ()) = tokio::join!(saying.say(work, first, end, gone), out.write(queue));
        let (next, recorder) = out.finish();
        ending.end(outcome);
        if let Some(recorder) = recorder {
            recorder.end(next).await;
        }
    }
}

/// What the work says, on its way into the queue.
struct Saying {
    notes: Option<mpsc::Receiver<Note>>,
    progress_token: Option<Box<RawValue>>,
    last_progress: Option<f64>,
    pieces: mpsc::Sender<Piece>,
}

impl Saying {
    async fn say(
        mut self,
        mut work: BoxFuture<'static, End>,
        first: Option<Note>,
        end: Option<End>,
        gone: CancellationToken,
    ) -> CallOutcome {
        if let Some(note) = first {
            self.note(&note).await;
        }
        let end = match end {
            Some(end) => end,
            None => loop {
                tokio::select! {
                    biased;
                    Some(note) = next_note(&mut self.notes) => self.note(&note).await,
                    end = &mut work => break end,
                    () = gone.cancelled() => break End::Cancelled,
                }
            },
        };
        while let Some(note) = next_note(&mut self.notes).now_or_never().flatten() {
            self.note(&note).await;
        }
        let outcome = end.outcome();
        if let End::Done(done) = end {
            self.send(Piece::Answer(done.body)).await;
        }
        outcome
    }

    async fn note(&mut self, note: &Note) {
        if matches!(note, Note::Release) {
            return self.send(Piece::Release).await;
        }
        let Some(message) = notify::note(note, self.progress_token.as_deref(), &mut self.last_progress) else { return };
        let piece = Piece::Message(message.into());
        match note {
            // Superseded by the next, or by the answer.
            Note::Progress { .. } | Note::Log { .. } => drop(self.pieces.try_send(piece)),
            Note::Ask { .. } | Note::Release => self.send(piece).await,
        }
    }

    async fn send(&self, piece: Piece) {
        // Whoever writes is there until this is dropped.
        let _ = self.pieces.send(piece).await;
    }
}

impl Out {
    pub(super) fn open(style: StreamStyle, session: Option<Arc<Session>>, shared: Option<&Shared>) -> Self {
        let Some(session) = session else {
            let retention = Retention { read_events: 0, ..style.retention };
            return Self { log: StreamLog::new(retention), session: None, next: 0, recorder: None };
        };
        let (stream, log) = session.open_stream(style.retention);
        let recorder = shared.map(|Shared { replicas, request_id }| {
            Recorder::of_call(replicas, &session, stream, request_id.get(), style.retention.read_events)
        });
        Self { log, session: Some((session, stream)), next: 0, recorder }
    }

    /// A reader of all of it.
    pub(super) fn read(&self, keep_alive: Duration) -> Reader {
        self.log.read_from(0, keep_alive)
    }

    async fn write(&mut self, mut queue: mpsc::Receiver<Piece>) {
        if let Some((session, stream)) = &self.session
            && let Some(event) = priming(session, EventId { stream: *stream, number: self.next })
        {
            self.keep(&event, false).await;
            self.append(event);
        }
        while let Some(piece) = queue.recv().await {
            let (message, is_answer) = match &piece {
                Piece::Message(message) => (&**message, false),
                Piece::Answer(message) => (message.as_slice(), true),
                Piece::Release => {
                    self.release();
                    continue;
                }
            };
            let id = self.session.as_ref().map(|(_, stream)| EventId { stream: *stream, number: self.next }.to_text());
            let event = sse::event(id.as_deref(), message);
            self.keep(&event, is_answer).await;
            self.append(event);
        }
    }

    /// Before it is sent: whoever has seen it can go on after it anywhere.
    async fn keep(&mut self, event: &Bytes, is_answer: bool) {
        match &mut self.recorder {
            Some(recorder) if is_answer => recorder.record_answer(self.next, event).await,
            // Where this process was taken for dead, the client that reads here is answered here all the same.
            Some(recorder) => drop(recorder.record(self.next, event).await),
            None => {}
        }
    }

    fn append(&mut self, event: Bytes) {
        self.next += 1;
        self.log.append(event);
    }

    /// Only 2025-11-25 knows that a stream may end before its answer.
    fn release(&self) {
        if self.session.as_ref().is_some_and(|(session, _)| session.version().has_priming_events()) {
            self.log.release();
        }
    }

    /// Nothing more comes. What is left to be kept elsewhere, with the number after the last event.
    fn finish(mut self) -> (u64, Option<Recorder>) {
        (self.next, self.recorder.take())
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        match &self.session {
            Some((session, stream)) => session.finish_stream(*stream),
            None => self.log.end(),
        }
    }
}
