//! Hears what other replicas tell, says that this one lives, and tells what changes here.
//!
//! Until the process has drained. Messages may be lost, and whoever may write to the store may repeat one: they make this
//! process look, end a reader, cancel a request or tell of a change, and never grant anything. Hearing never waits for the
//! store: what is to be looked at is noted, and looked at beside.

use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use serde_json::value::RawValue;
use tokio::{
    sync::{
        Notify,
        broadcast::{Receiver, error::RecvError},
    },
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{ALIVE_EVERY, CaughtUp, Message, Replicas, message::Changed};
use crate::{
    features::Change,
    mcp::{
        endpoint::{Inner, Lists},
        session::{SHARED_STANDALONE, Session},
    },
    store::Heard,
};

/// How many sessions and questions are looked at together. Chosen: one connection carries them.
const AT_ONCE: usize = 64;

/// Between two times at which everything is looked at. Chosen: what was missed is late anyway.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// Hears and tells until `stop`.
pub(in crate::mcp) async fn hear(endpoint: Arc<Inner>, replicas: Arc<Replicas>, lists: Lists, stop: CancellationToken) {
    let hearing = Hearing { endpoint, replicas, lists, noted: Mutex::default(), news: Notify::new() };
    stop.run_until_cancelled(async {
        tokio::join!(hearing.hear(), hearing.look(), hearing.tell_changes(), hearing.say_alive());
    })
    .await;
}

struct Hearing {
    endpoint: Arc<Inner>,
    replicas: Arc<Replicas>,
    lists: Lists,
    /// What is to be looked at.
    noted: Mutex<Noted>,
    news: Notify,
}

/// Bounded by the sessions that this process knows: others are not noted.
#[derive(Default)]
struct Noted {
    sessions: HashSet<[u8; 16]>,
    questions: HashSet<([u8; 16], u64)>,
    /// Messages were missed.
    everything: bool,
}

impl Hearing {
    async fn hear(&self) {
        let mut messages = self.replicas.store.hear();
        loop {
            match messages.recv().await {
                Ok(Heard::Message(sealed)) => {
                    if let Some(message) = self.replicas.opened_message(&sealed) {
                        self.act(message);
                    }
                }
                Ok(Heard::Gap) | Err(RecvError::Lagged(_)) => self.note(|noted| noted.everything = true),
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn note(&self, note: impl FnOnce(&mut Noted)) {
        note(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        self.news.notify_one();
    }

    fn act(&self, message: Message) {
        let sessions = &self.endpoint.sessions;
        match message {
            Message::State { session } => {
                if sessions.named(&session).is_some() {
                    self.note(|noted| noted.sessions.extend([session]));
                }
            }
            Message::Cancel { session, request } => {
                let request = serde_json::from_str::<&RawValue>(&request);
                if let (Some(session), Ok(request)) = (sessions.named(&session), request) {
                    session.cancel(request);
                }
            }
            Message::Answered { session: name, question } => {
                if sessions.named(&name).is_some_and(|session| session.waits_for(question)) {
                    self.note(|noted| noted.questions.extend([(name, question)]));
                }
            }
            Message::Wrote { session, stream } => self.replicas.waiters.wrote((session, stream)),
            Message::Reads { session, stream: SHARED_STANDALONE, number } => {
                if let Some(session) = sessions.named(&session) {
                    session.leave_standalone(number);
                }
            }
            Message::Reads { session: name, stream, .. } => {
                let session = sessions.named(&name);
                if session.as_ref().is_some_and(|session| session.dismiss_reader(stream)) {
                    self.replicas.waiters.read_elsewhere((name, stream));
                }
                self.replicas.waiters.displace((name, stream));
            }
            Message::Changed(changed) => self.endpoint.features.changes().tell_here(changed.into()),
            Message::Left { lists } if *lists == *(self.lists)() => {}
            Message::Left { .. } => self.tell_all_lists(),
            Message::Missed => self.note(|noted| noted.everything = true),
        }
    }

    async fn look(&self) {
        loop {
            self.news.notified().await;
            let noted = mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
            let named = noted.sessions.iter().filter_map(|name| self.endpoint.sessions.named(name));
            self.catch_up(named.collect()).await;
            stream::iter(noted.questions)
                .for_each_concurrent(AT_ONCE, async |(name, question)| {
                    if let Some(session) = self.endpoint.sessions.named(&name) {
                        self.replicas.take_answer(&session, question).await;
                    }
                })
                .await;
            if noted.everything {
                self.look_everywhere().await;
                sleep(BETWEEN_LOOKS).await;
            }
        }
    }

    async fn catch_up(&self, sessions: Vec<Arc<Session>>) {
        let catch_up = async |session: Arc<Session>| {
            if self.replicas.catch_up(&session).await == Ok(CaughtUp::Ended) {
                self.endpoint.sessions.end(&session, self.endpoint.clock.now());
            }
        };
        stream::iter(sessions).for_each_concurrent(AT_ONCE, catch_up).await;
    }

    /// Whatever a missed message may have said.
    async fn look_everywhere(&self) {
        // A store that has lost its data knows nobody.
        let _ = self.replicas.say_alive().await;
        self.replicas.waiters.all_wrote();
        self.catch_up(self.endpoint.sessions.all()).await;
        self.tell_all_lists();
    }

    fn tell_all_lists(&self) {
        for list in Change::LISTS {
            self.endpoint.features.changes().tell_here(list);
        }
    }

    async fn tell_changes(&self) {
        let mut changes: Receiver<Change> = self.endpoint.features.changes().listen_for_others();
        loop {
            let told = match changes.recv().await {
                Ok(change) => vec![change],
                Err(RecvError::Lagged(_)) => Change::LISTS.to_vec(),
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
            if self.replicas.say_alive().await.is_ok() {
                // Perhaps there is nothing more to be told for long.
                self.replicas.make_up_for_the_untold().await;
            }
        }
    }
}
