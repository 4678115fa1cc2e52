//! The state of a session in the store: one record, replaced whole by whoever read the newest.
//!
//! Its number is one more than that of the record which was read, and of two who write the same number the store takes one:
//! so nothing that somebody wrote in between is ever written over.

use bytes::Bytes;
use jiff::Timestamp;

use super::{Message, Place, Replicas, remaining};
use crate::{
    mcp::session::{Session, SessionState},
    store::{Entry, Key, KeyKind, StoreError},
};

/// How often a change is tried while other replicas change the same session. Chosen: a client changes one thing at a time.
const TRIES: usize = 5;

/// Which key sealed, and the nonce.
const STAMP_BYTES: usize = 16;

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
        self.newest(session).await?;
        Ok(if session.has_ended() { CaughtUp::Ended } else { CaughtUp::Lives })
    }

    /// Learns the newest record, and gives its number; 0 where there is none.
    async fn newest(&self, session: &Session) -> Result<u64, StoreError> {
        let key = state_key(session);
        let Some(Entry { number, value }) = self.store.read(&key, 0).await?.pop() else { return Ok(0) };
        let stamp = stamp(&value);
        if session.is_news(&stamp)
            && let Some(opened) = self.open(&Place { key: &key, owner: &session.owner, number }, &value)
            && let Ok(state) = serde_json::from_slice::<SessionState>(&opened)
        {
            session.learn(stamp, state);
        }
        Ok(number)
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
            let number = self.newest(session).await? + 1;
            let known = session.known();
            let mut state = known.clone();
            if !change(&mut state) {
                return Ok(false);
            }
            if state == known {
                return Ok(true);
            }
            let content = serde_json::to_vec(&state).expect("names and texts always serialise");
            let value = self.seal(&Place { key: &key, owner: &session.owner, number }, &content);
            let stamp = stamp(&value);
            if self.store.append(&key, Entry { number, value }, 1, remaining(session, now)).await? {
                session.learn(stamp, state);
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

/// Tells two records apart, also where a store has lost one and both have one number: the seal's first bytes, which are random.
fn stamp(value: &Bytes) -> Bytes {
    Bytes::copy_from_slice(&value[..value.len().min(STAMP_BYTES)])
}
