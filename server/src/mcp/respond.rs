//! From running work to an HTTP answer: JSON where the work is done before it says anything, else a stream of events.
//!
//! A stream is written by a task of its own, so that deadlines hold for a client that does not read. In the modern era
//! a client that goes takes its work with it. In the older era it does not: the work goes on, and whoever comes back
//! with `Last-Event-ID` reads the rest.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{
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
    record::CallOutcome,
    replicas::Replicas,
    reply::McpReply,
    session::Session,
    stream_log::{Reader, Retention},
    work::Done,
    writing::{Out, Writer},
};
use crate::features::Note;

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
    pub(super) ending: Ending,
    /// `None` where the client reads no streams.
    pub(super) style: Option<StreamStyle>,
    /// In the older era the work goes on when the client goes.
    pub(super) session: Option<Arc<Session>>,
    /// Where its stream can be gone on with at other replicas.
    pub(super) shared: Option<Shared>,
    pub(super) tasks: TaskTracker,
}

/// What other replicas are to know of a stream.
pub(super) struct Shared {
    pub(super) replicas: Arc<Replicas>,
    /// Of the request that it answers, as the client wrote it.
    pub(super) request_id: Box<RawValue>,
}

impl End {
    pub(super) fn outcome(&self) -> CallOutcome {
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
        let out = Out::open(style, self.session.clone(), self.shared.as_ref());
        let reader = out.read(style.keep_alive);
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

/// The next note; never where there is no more.
pub(super) async fn next_note(notes: &mut Option<mpsc::Receiver<Note>>) -> Option<Note> {
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
            Some(note) = next_note(notes), if style.is_some() => First::Note(note),
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
