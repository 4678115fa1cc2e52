//! Hears what other replicas tell, says that this one lives, and tells what changes here.
//!
//! One task, until the process has drained. Messages may be lost and come from whoever may write to the store: they make
//! this process look, and never grant anything.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{StreamExt as _, stream};
use serde_json::value::RawValue;
use tokio::{
    sync::{
        broadcast::{Receiver, error::RecvError},
        watch,
    },
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{ALIVE_EVERY, CaughtUp, Message, Replicas, message::Changed};
use crate::{
    features::Change,
    mcp::{
        endpoint::Inner,
        session::{SHARED_STANDALONE, Session},
    },
    store::Heard,
};

/// How many sessions are looked at together. Chosen: one connection carries them.
const AT_ONCE: usize = 64;

type Stream = ([u8; 16], u64);

/// Who waits for a stream that another replica writes.
#[derive(Default)]
pub(super) struct Waiters(Arc<Mutex<HashMap<Stream, watch::Sender<Called>>>>);

/// How often somebody was called, and which reader is the one.
#[derive(Clone, Copy, Default)]
struct Called {
    wrote: u64,
    reader: u64,
}

/// One who waits. Forgotten when it is dropped.
pub(super) struct Waiter {
    stream: Stream,
    number: u64,
    called: watch::Receiver<Called>,
    waiters: Arc<Mutex<HashMap<Stream, watch::Sender<Called>>>>,
}

impl Waiters {
    /// The one reader of `stream` at this replica: an earlier one ends.
    pub(super) fn wait_for(&self, session: [u8; 16], stream: u64) -> Waiter {
        let mut waiting = lock(&self.0);
        let sender = waiting.entry((session, stream)).or_default();
        sender.send_modify(|called| called.reader += 1);
        let mut receiver = sender.subscribe();
        let number = receiver.borrow_and_update().reader;
        Waiter { stream: (session, stream), number, called: receiver, waiters: Arc::clone(&self.0) }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        lock(&self.0).len()
    }

    fn wrote(&self, stream: Stream) {
        if let Some(sender) = lock(&self.0).get(&stream) {
            sender.send_modify(|called| called.wrote += 1);
        }
    }

    /// Its readers here end.
    fn read_elsewhere(&self, stream: Stream) {
        if let Some(sender) = lock(&self.0).get(&stream) {
            sender.send_modify(|called| called.reader += 1);
        }
    }

    fn all_wrote(&self) {
        for sender in lock(&self.0).values() {
            sender.send_modify(|called| called.wrote += 1);
        }
    }
}

impl Waiter {
    /// Until something was written, or, with false, until the stream is read elsewhere.
    pub(super) async fn called(&mut self) -> bool {
        self.called.changed().await.is_ok() && self.called.borrow_and_update().reader == self.number
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = lock(&self.waiters);
        // This one still counts.
        if waiting.get(&self.stream).is_some_and(|sender| sender.receiver_count() <= 1) {
            waiting.remove(&self.stream);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears and tells until `stop`.
pub(in crate::mcp) async fn hear(endpoint: Arc<Inner>, replicas: Arc<Replicas>, stop: CancellationToken) {
    let hearing = Hearing { endpoint, replicas };
    stop.run_until_cancelled(async {
        tokio::join!(hearing.hear(), hearing.tell_changes(), hearing.say_alive());
    })
    .await;
}

struct Hearing {
    endpoint: Arc<Inner>,
    replicas: Arc<Replicas>,
}

impl Hearing {
    async fn hear(&self) {
        let mut messages = self.replicas.store.hear();
        loop {
            match messages.recv().await {
                Ok(Heard::Message(sealed)) => {
                    if let Some(message) = self.replicas.opened_message(&sealed) {
                        self.act(message).await;
                    }
                }
                Ok(Heard::Gap) | Err(RecvError::Lagged(_)) => self.look_everywhere().await,
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn act(&self, message: Message) {
        match message {
            Message::State { session } => {
                if let Some(session) = self.endpoint.sessions.named(&session) {
                    self.catch_up(&session).await;
                }
            }
            Message::Cancel { session, request } => {
                let request = serde_json::from_str::<&RawValue>(&request);
                if let (Some(session), Ok(request)) = (self.endpoint.sessions.named(&session), request) {
                    session.cancel(request);
                }
            }
            Message::Answered { session, question } => {
                let session = self.endpoint.sessions.named(&session);
                if let Some(session) = session.filter(|session| session.waits_for(question)) {
                    self.replicas.take_answer(&session, question).await;
                }
            }
            Message::Wrote { session, stream } => self.replicas.waiters.wrote((session, stream)),
            Message::Reads { session, stream } => {
                self.replicas.waiters.read_elsewhere((session, stream));
                match self.endpoint.sessions.named(&session) {
                    Some(session) if stream == SHARED_STANDALONE => session.leave_standalone(None),
                    Some(session) => session.dismiss_reader(stream),
                    None => {}
                }
            }
            Message::Changed(changed) => self.endpoint.features.changes().tell_here(changed.into()),
        }
    }

    async fn catch_up(&self, session: &Session) {
        if self.replicas.catch_up(session).await == Ok(CaughtUp::Ended) {
            self.endpoint.sessions.end(session, self.endpoint.clock.now());
        }
    }

    /// Messages were missed: whatever they may have said is looked at.
    async fn look_everywhere(&self) {
        self.replicas.waiters.all_wrote();
        let read = self.endpoint.sessions.all().into_iter().filter(|session| session.standalone_here().is_some());
        stream::iter(read).for_each_concurrent(AT_ONCE, async |session| self.catch_up(&session).await).await;
        self.all_may_have_changed();
    }

    fn all_may_have_changed(&self) {
        for list in [Change::Tools, Change::Prompts, Change::Resources] {
            self.endpoint.features.changes().tell_here(list);
        }
    }

    async fn tell_changes(&self) {
        let mut changes: Receiver<Change> = self.endpoint.features.changes().listen_for_others();
        loop {
            let told = match changes.recv().await {
                Ok(change) => vec![change],
                Err(RecvError::Lagged(_)) => vec![Change::Tools, Change::Prompts, Change::Resources],
                Err(RecvError::Closed) => return,
            };
            for change in told {
                self.replicas.tell(&Message::Changed(Changed::from(change))).await;
            }
        }
    }

    async fn say_alive(&self) {
        let mut ticks = interval(ALIVE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // The next one may be heard.
            let _ = self.replicas.say_alive().await;
        }
    }
}
