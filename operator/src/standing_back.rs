//! Objects whose namespace is going: nothing is written for them any more.
//!
//! The operator may not look at namespaces. It learns from the first create that the API server refuses with the cause
//! `NamespaceTerminating`, and a namespace that is going never comes back, so that one answer is enough for an object.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// Objects that are remembered at once; beyond it each costs one refused create more.
const MAX_OBJECTS: usize = 50_000;

/// uids of the `McpServer`s that are left alone.
#[derive(Default)]
pub struct StandingBack(Mutex<HashSet<String>>);

impl StandingBack {
    /// Leaves `uid` alone from now on.
    pub fn from(&self, uid: &str) {
        let mut uids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uids.len() >= MAX_OBJECTS {
            uids.clear();
        }
        uids.insert(uid.to_owned());
    }

    /// Whether `uid` is left alone.
    pub fn is_from(&self, uid: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(uid)
    }
}
