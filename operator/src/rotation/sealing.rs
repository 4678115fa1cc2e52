//! Keys that seal what clients carry: staged as open-only on all pods, then promoted, and the old one retired after the longest
//! session.
//!
//! ```text
//! noted {n}    keys n      steady
//! noted {n,m}  keys n.m    staged: every pod learns to open what m will seal
//! noted {n,m}  keys m.n    every pod has it: m seals, n opens what clients still carry
//! noted {n,m}  keys m      the longest session is over since no pod seals with n: n opens nothing any more
//! noted {m}    keys m      no pod mounts n: its Secret is deleted, then forgotten
//! ```
//!
//! The first key of a pod seals, all of them open.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;

use super::{FIRST, Record, Wish, whole_seconds};

/// The shortest time that a retired key goes on opening. Source: ARCHITECTURE.md, `requestState` is good for 30 min.
const LEAST_OPENING: Duration = Duration::from_secs(30 * 60);

/// What is observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Of the ServiceAccount.
    pub record: Record,
    /// When the former key is to be retired, once that is known.
    pub retire_at: Option<Timestamp>,
    /// Revisions in the order in which the Deployment mounts them; empty without a Deployment.
    pub keys: Vec<u32>,
    /// The same of each pod, those on their way out included.
    pub pods: Vec<Vec<u32>>,
    /// Whether the Deployment's last change has replaced every pod.
    pub rolled_out: bool,
}

/// What is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// To be noted, once `retired` are deleted.
    pub record: Record,
    /// To be noted.
    pub retire_at: Option<Timestamp>,
    /// The first seals, all of them open. Never empty.
    pub keys: Vec<u32>,
    /// Whose Secrets are deleted: no pod mounts them.
    pub retired: BTreeSet<u32>,
}

/// The next step. `longest`: how long what was sealed a moment ago may have to be opened.
pub fn plan(seen: &Seen, wish: &Wish, longest: Duration, now: Timestamp) -> Plan {
    let Seen { record, retire_at, keys, pods, rolled_out } = seen;
    let mut record = record.clone();
    record.revisions.extend(keys);
    if record.revisions.is_empty() {
        let record = Record::first(wish);
        return Plan { keys: vec![FIRST], record, retire_at: None, retired: BTreeSet::new() };
    }
    let newest = record.newest();
    let stay = |record: Record, keys: Vec<u32>, retire_at| Plan { record, retire_at, keys, retired: BTreeSet::new() };
    // Without a Deployment nobody has sealed with another key than the one before the newest at best.
    let keys = if keys.is_empty() { record.revisions.iter().copied().collect() } else { keys.clone() };
    let everywhere = *rolled_out && pods.iter().all(|pod| *pod == keys);
    if keys == [newest] {
        let former: BTreeSet<u32> = record.revisions.iter().copied().filter(|revision| *revision != newest).collect();
        if former.is_empty() && record.is_due(wish, now) {
            let record = record.with_next(wish, now);
            let keys = vec![newest, record.newest()];
            return stay(record, keys, None);
        }
        if !former.is_empty() && everywhere {
            record.revisions.retain(|revision| !former.contains(revision));
            return Plan { record, retire_at: None, keys, retired: former };
        }
        return stay(record, keys, None);
    }
    if keys.first() != Some(&newest) {
        // Staged, or not known to all yet: the order turns only when every pod can open with the newest.
        let staged: Vec<u32> = keys.iter().copied().filter(|key| *key != newest).chain([newest]).collect();
        let promoted: Vec<u32> = staged.iter().rev().copied().collect();
        let is_staged = keys == staged && everywhere;
        return stay(record, if is_staged { promoted } else { staged }, None);
    }
    if !everywhere {
        // Somebody may still seal with the former key: its time has not begun.
        return stay(record, keys, *retire_at);
    }
    let last = longest.max(LEAST_OPENING);
    let end = retire_at.or_else(|| whole_seconds(now).checked_add(last).ok());
    if end.is_some_and(|end| end <= now) {
        // The date stays noted until the Deployment has given the key up: a run that dies in between would begin its time anew.
        return stay(record, vec![newest], end);
    }
    stay(record, keys, end)
}

impl Plan {
    /// When somebody must look again although nothing happens.
    pub fn wakes_at(&self, wish: &Wish) -> Option<Timestamp> {
        // A date that has brought the newest key alone is over.
        let retire_at = self.retire_at.filter(|_| self.keys.len() > 1);
        retire_at.or_else(|| self.record.due_at(wish).filter(|_| self.record.revisions.len() == 1))
    }
}
