//! Tells a session what changes, on its standalone stream: one task for each stream that is written to here.
//!
//! A listener that falls behind, and one whose stream comes from another replica, is told that all it may know of has changed,
//! which is then the truth for all it knows. Like any other event that is kept for other replicas, so that no number is missing.

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

impl Ends {
    fn have_come(&self) -> bool {
        self.writing.is_cancelled() || self.stop.is_cancelled()
    }
}

impl StandaloneWriter {
    pub(super) fn new(session: &Arc<Session>, log: &Arc<StreamLog>, recorder: Option<Recorder>) -> Self {
        Self { session: Arc::clone(session), log: Arc::clone(log), recorder }
    }

    /// As [`Self::append`]. What is left when the writing ends is left: whoever comes back is told of all.
    async fn append_each(&mut self, changes: Vec<Change>, ends: &Ends) -> ControlFlow<()> {
        for change in changes {
            if ends.have_come() {
                break;
            }
            self.append(&change).await?;
        }
        ControlFlow::Continue(())
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

    fn event(&self, change: &Change) -> (u64, Bytes) {
        let id = EventId { stream: self.session.standalone, number: self.log.next() };
        (id.number, event_of(id, change))
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

/// What a client reads of a change on the standalone stream, as the event `id`.
pub(super) fn event_of(id: EventId, change: &Change) -> Bytes {
    sse::event(Some(&id.to_text()), &notify::change(change, None))
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
    let mut told = if moved { writer.all(sight.of_others()) } else { Vec::new() };
    // Said when the stream was taken.
    told.retain(|change| *change != Change::Tools);
    while writer.append_each(told, &ends).await.is_continue() {
        let change = tokio::select! {
            biased;
            () = ends.writing.cancelled() => break,
            () = ends.stop.cancelled() => {
                spread().await;
                break;
            }
            change = changes.recv() => change,
        };
        told = match change {
            Ok(change) => writer.wanted(change, &sight).into_iter().collect(),
            Err(RecvError::Lagged(_)) => {
                // What waits is among all that is told now.
                changes = changes.resubscribe();
                writer.all(sight.of_others())
            }
            Err(RecvError::Closed) => break,
        };
    }
    writer.log.end();
}

#[cfg(test)]
mod tests;
