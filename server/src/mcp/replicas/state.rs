//! The state of a session in the store: one record, replaced whole by whoever read the newest.

use std::time::Duration;

use jiff::Timestamp;

use super::{Message, Place, Replicas, remaining};
use crate::{
    mcp::session::{Session, SessionState},
    store::{Entry, Key, KeyKind, StoreError},
};

/// How often a change is tried while other replicas change the same session. Chosen: a client changes one thing at a time.
const TRIES: usize = 5;

/// What was learned about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mcp) enum CaughtUp {
    /// It goes on.
    Lives,
    /// A client has ended it, at whichever replica.
    Ended,
}

impl Replicas {
    /// Learns what other replicas have stored about `session`.
    pub(in crate::mcp) async fn catch_up(&self, session: &Session) -> Result<CaughtUp, StoreError> {
        let key = state_key(session);
        let newest = self.store.read(&key, session.known_number() + 1).await?.pop();
        if let Some(Entry { number, value }) = newest
            && let Some(opened) = self.open(&Place { key: &key, owner: &session.owner, number }, &value)
            && let Ok(state) = serde_json::from_slice::<SessionState>(&opened)
        {
            session.learn(number, state);
        }
        let (_, known) = session.known();
        Ok(if known.ended { CaughtUp::Ended } else { CaughtUp::Lives })
    }

    /// Changes the state of `session` everywhere. False, and nothing is stored, when `change` says that it cannot be.
    pub(in crate::mcp) async fn change(
        &self,
        session: &Session,
        now: Timestamp,
        change: impl Fn(&mut SessionState) -> bool + Send,
    ) -> Result<bool, StoreError> {
        let key = state_key(session);
        for _ in 0..TRIES {
            self.catch_up(session).await?;
            let (known_number, known) = session.known();
            let mut state = known.clone();
            if !change(&mut state) {
                return Ok(false);
            }
            if state == known {
                return Ok(true);
            }
            // The time makes the number greater than those that a store has lost.
            let number = known_number.max(milliseconds(now)) + 1;
            let content = serde_json::to_vec(&state).expect("names and texts always serialise");
            let value = self.seal(&Place { key: &key, owner: &session.owner, number }, &content);
            if self.store.append(&key, Entry { number, value }, 1, remaining(session, now)).await? {
                session.learn(number, state);
                self.tell(&Message::State { session: session.record.name }).await;
                return Ok(true);
            }
        }
        Err(StoreError::Unavailable)
    }
}

fn state_key(session: &Session) -> Key {
    Key::new(KeyKind::Session, &[&session.record.name])
}

fn milliseconds(now: Timestamp) -> u64 {
    let since_1970 = Duration::try_from(now.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX / 2)
}
