//! Tells a session what changes, on its standalone stream: one task for each stream that is written to here.
//!
//! A listener that falls behind, and one whose stream comes from another replica, is told that all it may know of has changed,
//! which is then the truth for all it knows.

use std::{ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::{
    listen::spread,
    notify,
    operation::Filter,
    replicas::{Recorded, Recorder},
    session::{EventId, Session},
    sse,
    stream_log::StreamLog,
    streaming::Sight,
};
use crate::features::{Change, ChangeReceiver};

/// Writes the standalone stream of a session: nobody else does.
pub(super) struct StandaloneWriter {
    session: Arc<Session>,
    log: Arc<StreamLog>,
    /// Keeps what is written for other replicas.
    recorder: Option<Recorder>,
}

/// What ends the writing of a standalone stream.
pub(super) struct Ends {
    /// The session has ended, or its stream is written to elsewhere.
    pub(super) writing: CancellationToken,
    /// The process stops.
    pub(super) stop: CancellationToken,
}

impl StandaloneWriter {
    pub(super) fn new(session: &Arc<Session>, log: &Arc<StreamLog>, recorder: Option<Recorder>) -> Self {
        Self { session: Arc::clone(session), log: Arc::clone(log), recorder }
    }

    /// Breaks when another replica writes the stream.
    async fn append(&mut self, change: &Change) -> ControlFlow<()> {
        let (number, event) = self.event(change);
        if let Some(recorder) = &mut self.recorder
            && recorder.record(number, &event).await == Recorded::WrittenElsewhere
        {
            self.session.leave_log(&self.log);
            return ControlFlow::Break(());
        }
        self.log.append(event);
        ControlFlow::Continue(())
    }

    /// Not kept for other replicas: each of them says the same when it takes the stream.
    fn append_here(&mut self, changes: &[Change]) {
        for change in changes {
            let event = self.event(change);
            self.log.append(event.1);
        }
    }

    fn event(&self, change: &Change) -> (u64, Bytes) {
        let id = EventId { stream: self.session.standalone, number: self.log.next() };
        (id.number, sse::event(Some(&id.to_text()), &notify::change(change, None)))
    }

    /// What may have changed unnoticed.
    fn all(&self, sees_others: bool) -> Vec<Change> {
        let uris = if sees_others { self.session.subscriptions() } else { Vec::new() };
        Filter { tools: true, prompts: sees_others, resources: sees_others, uris }.all()
    }

    /// What of a change the session is to hear.
    fn wanted(&self, change: Change, sight: &Sight) -> Option<Change> {
        let wanted = match &change {
            Change::Tools => true,
            Change::Prompts | Change::Resources => sight.of_others(),
            Change::Resource(uri) => sight.of_others() && self.session.is_subscribed(uri),
        };
        wanted.then_some(change)
    }
}

/// Writes what changes to the standalone stream of a session. `sight` is that of its principal; `moved` says that the stream
/// comes from another replica, so that something may have changed unnoticed.
pub(super) async fn tell_session(
    mut writer: StandaloneWriter,
    mut changes: ChangeReceiver,
    sight: Sight,
    ends: Ends,
    moved: bool,
) {
    if moved {
        writer.append_here(&writer.all(sight.of_others()));
    }
    loop {
        let change = tokio::select! {
            biased;
            () = ends.writing.cancelled() => break,
            () = ends.stop.cancelled() => {
                spread().await;
                break;
            }
            change = changes.recv() => change,
        };
        match change {
            Ok(change) => {
                if let Some(change) = writer.wanted(change, &sight)
                    && writer.append(&change).await.is_break()
                {
                    break;
                }
            }
            Err(RecvError::Lagged(_)) => writer.append_here(&writer.all(sight.of_others())),
            Err(RecvError::Closed) => break,
        }
    }
    writer.log.end();
}

#[cfg(test)]
mod tests;
