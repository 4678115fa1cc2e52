//! From running work to an HTTP answer: JSON where the work is done before it says anything, else a stream of events.
//!
//! A stream is written by a task of its own, so that deadlines hold for a client that does not read. In the modern era
//! a client that goes takes its work with it. In the older era it does not: the work goes on, and whoever comes back
//! with `Last-Event-ID` reads the rest.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{
    FutureExt as _,
    future::BoxFuture,
    stream::{self, BoxStream, StreamExt as _},
};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    audit::Ending,
    notify,
    record::CallOutcome,
    replicas::{Recorder, Replicas},
    reply::McpReply,
    session::{EventId, Session},
    sse,
    stream_log::{Reader, Retention, StreamLog},
    work::Done,
};
use crate::features::Note;

/// How long a client that was let go should wait before it comes back. Chosen: at once, but not in a loop.
const RETRY_MILLISECONDS: u64 = 500;

/// The end of work.
pub(super) enum End {
    /// It has an answer.
    Done(Done),
    /// The client has cancelled it and must not be answered.
    Cancelled,
}

/// Work on its way to the client.
pub(super) struct Responding {
    pub(super) work: BoxFuture<'static, End>,
    /// What the work says before it is done; `None` where the client wants nothing said.
    pub(super) notes: Option<mpsc::Receiver<Note>>,
    pub(super) progress_token: Option<Box<RawValue>>,
    /// As the client wrote it; only where other replicas may have to know it.
    pub(super) request_id: Option<Box<RawValue>>,
    pub(super) ending: Ending,
    /// `None` where the client reads no streams.
    pub(super) style: Option<StreamStyle>,
    /// In the older era the work goes on when the client goes.
    pub(super) session: Option<Arc<Session>>,
    /// Where its stream can be gone on with at other replicas.
    pub(super) replicas: Option<Arc<Replicas>>,
    pub(super) tasks: TaskTracker,
}

impl End {
    fn outcome(&self) -> CallOutcome {
        match self {
            Self::Done(done) => done.outcome,
            Self::Cancelled => CallOutcome::Cancelled,
        }
    }
}

/// What streams are like.
#[derive(Clone, Copy)]
pub(super) struct StreamStyle {
    pub(super) retention: Retention,
    pub(super) keep_alive: Duration,
}

/// What happens first.
enum First {
    End(End),
    Note(Note),
    /// Nothing for so long that proxies would give up.
    Silence,
}

impl Responding {
    /// Waits for the first thing that happens, and answers.
    pub(super) async fn respond(self) -> McpReply {
        let (first, mut responding) = Waiting(Some(self)).first().await;
        match (first, responding.style) {
            (First::End(end), _) if responding.has_nothing_to_say() => responding.whole(end),
            (First::End(end), None) => responding.whole(end),
            (First::End(end), Some(style)) => responding.stream(style, None, Some(end)),
            (First::Note(note), Some(style)) => responding.stream(style, Some(note), None),
            (First::Silence, Some(style)) => responding.stream(style, None, None),
            // Nobody reads notes, so there are none, and nobody waits for silence.
            (First::Note(_) | First::Silence, None) => {
                let end = responding.work.as_mut().await;
                responding.whole(end)
            }
        }
    }

    fn has_nothing_to_say(&self) -> bool {
        self.notes.as_ref().is_none_or(mpsc::Receiver::is_empty)
    }

    fn whole(self, end: End) -> McpReply {
        match end {
            End::Done(Done { status, body, outcome }) => McpReply::json(status, body, self.ending.end(outcome)),
            // An empty stream says nothing.
            End::Cancelled if self.style.is_some() => {
                McpReply::stream(stream::empty().boxed(), self.ending.end(CallOutcome::Cancelled))
            }
            End::Cancelled => McpReply::empty(http::StatusCode::ACCEPTED, self.ending.end(CallOutcome::Cancelled)),
        }
    }

    /// `end` where the work has come to it already.
    fn stream(mut self, style: StreamStyle, first: Option<Note>, end: Option<End>) -> McpReply {
        self.ending.streamed = true;
        let record = self.ending.record().clone();
        let shared = self.replicas.as_ref().zip(self.request_id.as_deref());
        let out = Out::open(style, self.session.clone(), shared);
        let reader = out.log.read_from(0, style.keep_alive);
        let gone = CancellationToken::new();
        // In the older era nobody's going is a reason to stop.
        let guard = self.session.is_none().then(|| gone.clone().drop_guard());
        let Self { work, notes, progress_token, ending, tasks, .. } = self;
        let writer = Writer { work, notes, progress_token, out, ending };
        tasks.spawn(writer.write(first, end, gone));
        McpReply::stream(read(reader, guard), record)
    }
}

/// Events of a reader; the guard tells that the client is gone.
pub(super) fn read(reader: Reader, guard: Option<DropGuard>) -> BoxStream<'static, Bytes> {
    stream::unfold((reader, guard), |(mut reader, guard)| async move {
        let event = reader.next().await?;
        Some((event, (reader, guard)))
    })
    .boxed()
}

/// A stream that is written to: in a session with ids, without one as it is.
struct Out {
    log: Arc<StreamLog>,
    session: Option<(Arc<Session>, u64)>,
    /// Keeps what is written for other replicas.
    recorder: Option<Recorder>,
}

impl Out {
    fn open(style: StreamStyle, session: Option<Arc<Session>>, shared: Option<(&Arc<Replicas>, &RawValue)>) -> Self {
        let Some(session) = session else {
            let retention = Retention { read_events: 0, ..style.retention };
            return Self { log: StreamLog::new(retention), session: None, recorder: None };
        };
        let (stream, log) = session.open_stream(style.retention);
        let recorder = shared.map(|(replicas, request)| {
            Recorder::new(replicas, &session, stream, request.get(), style.retention.read_events)
        });
        Self { log, session: Some((session, stream)), recorder }
    }

    /// The first event, where the revision has one.
    async fn prime(&mut self) {
        let Some((session, stream)) = &self.session else { return };
        let id = EventId { stream: *stream, number: self.log.next() };
        if let Some(event) = priming(session, id) {
            self.write(id.number, event).await;
        }
    }

    async fn append(&mut self, message: &[u8]) {
        let number = self.log.next();
        let event = match &self.session {
            Some((_, stream)) => sse::event(Some(&EventId { stream: *stream, number }.to_text()), message),
            None => sse::event(None, message),
        };
        self.write(number, event).await;
    }

    /// Kept before it is sent: whoever has seen it can go on after it anywhere.
    async fn write(&mut self, number: u64, event: Bytes) {
        if let Some(recorder) = &mut self.recorder {
            // Where this process was taken for dead, the client that reads here is answered here all the same.
            recorder.record(number, &event).await;
        }
        self.log.append(event);
    }

    /// Nothing more comes.
    async fn end(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.end(self.log.next()).await;
        }
    }

    /// Only 2025-11-25 knows that a stream may end before its answer.
    fn release(&self) {
        if self.session.as_ref().is_some_and(|(session, _)| session.version().has_priming_events()) {
            self.log.release();
        }
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

/// The event with which streams of 2025-11-25 begin; `None` in other revisions.
pub(super) fn priming(session: &Session, id: EventId) -> Option<Bytes> {
    session.version().has_priming_events().then(|| sse::priming(&id.to_text(), RETRY_MILLISECONDS))
}

struct Writer {
    work: BoxFuture<'static, End>,
    notes: Option<mpsc::Receiver<Note>>,
    progress_token: Option<Box<RawValue>>,
    out: Out,
    ending: Ending,
}

impl Writer {
    async fn write(mut self, first: Option<Note>, end: Option<End>, gone: CancellationToken) {
        let mut last_progress = None;
        self.out.prime().await;
        if let Some(note) = first {
            self.say(&note, &mut last_progress).await;
        }
        let end = match end {
            Some(end) => end,
            None => loop {
                tokio::select! {
                    biased;
                    Some(note) = next(&mut self.notes) => self.say(&note, &mut last_progress).await,
                    end = &mut self.work => break end,
                    () = gone.cancelled() => break End::Cancelled,
                }
            },
        };
        while let Some(note) = next(&mut self.notes).now_or_never().flatten() {
            self.say(&note, &mut last_progress).await;
        }
        let Self { mut out, ending, .. } = self;
        if let End::Done(done) = &end {
            out.append(&done.body).await;
        }
        out.end().await;
        // The end of the stream follows, when `out` is dropped.
        ending.end(end.outcome());
    }

    async fn say(&mut self, note: &Note, last_progress: &mut Option<f64>) {
        if matches!(note, Note::Release) {
            self.out.release();
        } else if let Some(message) = notify::note(note, self.progress_token.as_deref(), last_progress) {
            self.out.append(&message).await;
        }
    }
}

/// The next note; never where there is no more.
async fn next(notes: &mut Option<mpsc::Receiver<Note>>) -> Option<Note> {
    match notes {
        Some(receiver) => receiver.recv().await,
        None => None,
    }
}

/// An answer that is waited for. When the waiting is dropped, the client is gone: work of the older era goes on by itself.
struct Waiting(Option<Responding>);

impl Waiting {
    async fn first(mut self) -> (First, Responding) {
        const HERE: &str = "nothing but the end of the waiting takes it";
        let Responding { work, notes, style, .. } = self.0.as_mut().expect(HERE);
        let first = tokio::select! {
            biased;
            end = work => First::End(end),
            Some(note) = next(notes), if style.is_some() => First::Note(note),
            () = silence(*style), if style.is_some() => First::Silence,
        };
        (first, self.0.take().expect(HERE))
    }
}

async fn silence(style: Option<StreamStyle>) {
    if let Some(style) = style {
        tokio::time::sleep(style.keep_alive).await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(Responding { work, ending, tasks, session: Some(_), .. }) = self.0.take() {
            tasks.spawn(async move {
                ending.end(work.await.outcome());
            });
        }
    }
}

#[cfg(test)]
mod tests;
