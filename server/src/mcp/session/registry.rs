//! The sessions that this process knows something about, and those that have been ended.
//!
//! Bounded in all and for each principal. A session that is forgotten here lives on: its id opens as before, and only
//! what hung on it is gone. One that was ended by DELETE stays ended until its id expires.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use jiff::Timestamp;

use super::{Session, SessionRecord};
use crate::{
    auth::Principal, features::ClientCapabilities, mcp::stream_log::StreamLog, protocol::ProtocolVersion, seal::KeyRing,
};

/// Sessions that something hangs on. Chosen: 1 KiB each when idle.
const MAX_SESSIONS: usize = 16_384;

/// Ended sessions that are remembered. Chosen: 48 bytes each. Beyond it the oldest may come to life again, and grants
/// nothing without a token.
const MAX_ENDED: usize = 65_536;

/// What finished streams of all sessions may take together, in bytes. Chosen: an eighth of a pod of 256 MiB.
const MAX_KEPT_BYTES: usize = 32 * 1024 * 1024;

type Name = [u8; 16];

/// All of them.
pub(in crate::mcp) struct Sessions {
    keys: Arc<KeyRing>,
    state: Mutex<State>,
    kept_bytes: Arc<KeptBytes>,
}

#[derive(Default)]
struct State {
    known: HashMap<Name, Known>,
    /// Grows with each use.
    tick: u64,
    ended: HashMap<Name, i64>,
    /// In the order in which they were ended.
    ended_order: VecDeque<Name>,
}

struct Known {
    session: Arc<Session>,
    /// Whose it is.
    owner: Box<str>,
    /// When it was used last.
    used: u64,
}

/// Counts what finished streams take.
#[derive(Debug, Default)]
pub(in crate::mcp) struct KeptBytes(AtomicUsize);

/// A finished stream, counted until it is dropped.
#[derive(Debug)]
pub(super) struct Kept {
    number: u64,
    log: Arc<StreamLog>,
    bytes: usize,
    counter: Arc<KeptBytes>,
}

impl Sessions {
    pub(in crate::mcp) fn new(keys: Arc<KeyRing>) -> Self {
        Self { keys, state: Mutex::default(), kept_bytes: Arc::default() }
    }

    /// Opens a session and gives its id. Of a principal that has `of_principal` already, the one that was used least
    /// recently is forgotten.
    pub(in crate::mcp) fn create(
        &self,
        principal: &Principal,
        version: ProtocolVersion,
        client: ClientCapabilities,
        (now, expires): (Timestamp, Timestamp),
        of_principal: usize,
    ) -> (String, Arc<Session>) {
        let record = SessionRecord { version, client, expires: expires.as_second(), name: rand::random() };
        let id = record.seal(&self.keys, principal);
        (id, self.lock().enter(record, principal, now.as_second(), of_principal, &self.kept_bytes))
    }

    /// The session of this id. `None` for one that is unknown, over, ended, or somebody else's.
    pub(in crate::mcp) fn open(
        &self,
        principal: &Principal,
        id: &str,
        now: Timestamp,
        of_principal: usize,
    ) -> Option<Arc<Session>> {
        let record = SessionRecord::open(&self.keys, principal, id, now)?;
        let mut state = self.lock();
        if state.ended.contains_key(&record.name) {
            return None;
        }
        state.tick += 1;
        let tick = state.tick;
        if let Some(known) = state.known.get_mut(&record.name) {
            known.used = tick;
            return Some(Arc::clone(&known.session));
        }
        Some(state.enter(record, principal, now.as_second(), of_principal, &self.kept_bytes))
    }

    /// DELETE: the session is over for good.
    pub(in crate::mcp) fn end(&self, session: &Session, now: Timestamp) {
        let name = session.record.name;
        let mut state = self.lock();
        state.known.remove(&name);
        if state.ended.insert(name, session.record.expires).is_none() {
            state.ended_order.push_back(name);
        }
        state.forget_ended(now.as_second());
        drop(state);
        session.end();
    }

    /// How many sessions something hangs on.
    pub(in crate::mcp) fn count(&self) -> usize {
        self.lock().known.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(
        &mut self,
        record: SessionRecord,
        principal: &Principal,
        now: i64,
        of_principal: usize,
        kept_bytes: &Arc<KeptBytes>,
    ) -> Arc<Session> {
        self.forget_expired(now);
        let owner = principal.pseudonym();
        // Without authentication all callers are one, and only the bound of all holds.
        let of_owner = self.known.values().filter(|known| !principal.is_anonymous() && *known.owner == *owner).count();
        if of_owner >= of_principal.max(1) {
            self.forget_oldest(|known| *known.owner == *owner);
        } else if self.known.len() >= MAX_SESSIONS {
            self.forget_oldest(|_| true);
        }
        self.tick += 1;
        let session = Arc::new(Session::new(record, Arc::clone(kept_bytes)));
        let known = Known { session: Arc::clone(&session), owner: owner.into(), used: self.tick };
        self.known.insert(record.name, known);
        session
    }

    /// Those whose ids open nothing any more; their streams end.
    fn forget_expired(&mut self, now: i64) {
        self.known.retain(|_, known| {
            let lives = now < known.session.record.expires;
            if !lives {
                known.session.forget();
            }
            lives
        });
    }

    fn forget_oldest(&mut self, among: impl Fn(&Known) -> bool) {
        let candidates = self.known.iter().filter(|(_, known)| among(known));
        let Some(name) = candidates.min_by_key(|(_, known)| known.used).map(|(name, _)| *name) else { return };
        if let Some(known) = self.known.remove(&name) {
            known.session.forget();
        }
    }

    /// Those whose ids have expired anyway, and the oldest beyond the bound.
    fn forget_ended(&mut self, now: i64) {
        while let Some(oldest) = self.ended_order.front() {
            let expired = self.ended.get(oldest).is_none_or(|expires| *expires <= now);
            if !expired && self.ended_order.len() <= MAX_ENDED {
                return;
            }
            self.ended.remove(oldest);
            self.ended_order.pop_front();
        }
    }
}

impl KeptBytes {
    /// `None` where there is no room: then nobody can come back to this stream.
    pub(super) fn keep(self: &Arc<Self>, number: u64, log: Arc<StreamLog>) -> Option<Kept> {
        let bytes = log.bytes();
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        // Counted until it is dropped, which is at once if it does not fit.
        let kept = Kept { number, log, bytes, counter: Arc::clone(self) };
        (before + bytes <= MAX_KEPT_BYTES).then_some(kept)
    }
}

impl Kept {
    pub(super) fn stream(&self) -> (u64, &Arc<StreamLog>) {
        (self.number, &self.log)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.counter.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
