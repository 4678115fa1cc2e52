//! The sessions that this process knows something about, and those that have been ended.
//!
//! Bounded in all and for each principal. A session that is forgotten here lives on: its id opens as before, and only
//! what hung on it is gone. One that was ended by DELETE stays ended until its id expires.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{Session, SessionRecord, binding};
use crate::{
    auth::Principal, features::ClientCapabilities, mcp::stream_log::StreamLog, protocol::ProtocolVersion, seal::KeyRing,
};

/// Sessions that something hangs on. Chosen: 1 KiB each when idle.
const MAX_SESSIONS: usize = 16_384;

/// Ended sessions that are remembered. Chosen: some 40 bytes each. Beyond it those that expire next may come to life
/// again, and grant nothing without a token.
const MAX_ENDED: usize = 65_536;

/// What finished streams of all sessions may take together, in bytes. Chosen: an eighth of a pod of 256 MiB.
const MAX_KEPT_BYTES: usize = 32 * 1024 * 1024;

type Name = [u8; 16];

/// All of them.
pub(in crate::mcp) struct Sessions {
    keys: Arc<KeyRing>,
    /// Whether other replicas may know the same sessions.
    shared: bool,
    state: Mutex<State>,
    kept_bytes: Arc<KeptBytes>,
}

#[derive(Default)]
struct State {
    known: HashMap<Name, Known>,
    /// Grows with each use.
    tick: u64,
    /// By when their ids expire, which the ids say themselves.
    ended: BTreeSet<(i64, Name)>,
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
    pub(in crate::mcp) fn new(keys: Arc<KeyRing>, shared: bool) -> Self {
        Self { keys, shared, state: Mutex::default(), kept_bytes: Arc::default() }
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
        let entering = self.entering(record, principal);
        (id, self.lock().enter(entering, principal, now.as_second(), of_principal))
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
        if state.ended.contains(&(record.expires, record.name)) {
            return None;
        }
        state.tick += 1;
        let tick = state.tick;
        if let Some(known) = state.known.get_mut(&record.name) {
            known.used = tick;
            return Some(Arc::clone(&known.session));
        }
        Some(state.enter(self.entering(record, principal), principal, now.as_second(), of_principal))
    }

    /// The session of this name, if this process knows it.
    pub(in crate::mcp) fn named(&self, name: &Name) -> Option<Arc<Session>> {
        self.lock().known.get(name).map(|known| Arc::clone(&known.session))
    }

    /// All that this process knows.
    pub(in crate::mcp) fn all(&self) -> Vec<Arc<Session>> {
        self.lock().known.values().map(|known| Arc::clone(&known.session)).collect()
    }

    fn entering(&self, record: SessionRecord, principal: &Principal) -> Session {
        let owner = Sha256::digest(binding(principal)).into();
        Session::new(record, owner, Arc::clone(&self.kept_bytes), self.shared)
    }

    /// DELETE: the session is over for good.
    pub(in crate::mcp) fn end(&self, session: &Session, now: Timestamp) {
        let name = session.record.name;
        let mut state = self.lock();
        state.known.remove(&name);
        state.ended.insert((session.record.expires, name));
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
    fn enter(&mut self, session: Session, principal: &Principal, now: i64, of_principal: usize) -> Arc<Session> {
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
        let session = Arc::new(session);
        let known = Known { session: Arc::clone(&session), owner: owner.into(), used: self.tick };
        self.known.insert(session.record.name, known);
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

    /// Those whose ids have expired anyway, and beyond the bound those that expire next.
    fn forget_ended(&mut self, now: i64) {
        while self.ended.first().is_some_and(|(expires, _)| *expires <= now) || self.ended.len() > MAX_ENDED {
            self.ended.pop_first();
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
