//! Credentials of a managed Redis: both lines, then the gateway rolls, then one line, then the old Secret goes.
//!
//! ```text
//! noted {n}    lines {n}    gateway n     steady
//! noted {n,m}  lines {n,m}  gateway n     begun: the Redis restarts with both lines
//! noted {n,m}  lines {n,m}  gateway m     it runs with both: the gateway rolls
//! noted {n,m}  lines {m}    gateway m     no pod uses n: the Redis restarts with one line
//! noted {m}    lines {m}    gateway m     it runs with one: Secret n is deleted, then forgotten
//! ```

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Record, Wish};

/// What is observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Of the ConfigMap.
    pub record: Record,
    /// Lines in the StatefulSet's template; `None` without one.
    pub lines: Option<BTreeSet<u32>>,
    /// Whether the one pod of the Redis is of this template, and ready.
    pub runs: bool,
    /// The revision that the Deployment mounts; `None` without one, or while it mounts none.
    pub gateway: Option<u32>,
    /// What the gateway's pods mount, those on their way out included; pods without a managed Redis count as `None`.
    pub pods: Vec<Option<u32>>,
    /// Whether the Deployment's last change has replaced every pod.
    pub rolled_out: bool,
}

/// What is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// To be noted, once `retired` are deleted.
    pub record: Record,
    /// Lines of the Redis.
    pub accepted: BTreeSet<u32>,
    /// What new gateway pods mount. Among `accepted`.
    pub gateway: u32,
    /// Whose Secrets are deleted: nothing mounts them.
    pub retired: BTreeSet<u32>,
}

/// The next step. Without a change of the world the same again.
pub fn plan(seen: &Seen, wish: &Wish, now: Timestamp) -> Plan {
    let Seen { record, lines, runs, gateway, pods, rolled_out } = seen;
    // The record may have been deleted by hand: what is mounted is there.
    let mut record = record.clone();
    record.revisions.extend(lines.iter().flatten());
    record.revisions.extend(gateway);
    if record.revisions.is_empty() {
        let record = Record::first(wish);
        return Plan { accepted: record.revisions.clone(), gateway: record.newest(), record, retired: BTreeSet::new() };
    }
    let newest = record.newest();
    let template = lines.clone().unwrap_or_else(|| record.revisions.clone());
    // Without a Deployment no pod uses any: the oldest that the Redis knows is as good as the others.
    let gateway = gateway.or_else(|| template.first().copied()).unwrap_or(newest);
    let is_steady = record.revisions.len() == 1 && gateway == newest;
    if is_steady && record.is_due(wish, now) {
        let record = record.with_next(wish, now);
        return Plan { accepted: record.revisions.clone(), gateway, record, retired: BTreeSet::new() };
    }
    if gateway != newest {
        let accepted = BTreeSet::from([gateway, newest]);
        let gateway = if *runs && template == accepted { newest } else { gateway };
        return Plan { record, accepted, gateway, retired: BTreeSet::new() };
    }
    let former_is_unused = *rolled_out && pods.iter().flatten().all(|used| *used == newest);
    let one_line = BTreeSet::from([newest]);
    if template != one_line && !former_is_unused {
        return Plan {
            record,
            accepted: template.into_iter().chain([newest]).collect(),
            gateway,
            retired: BTreeSet::new(),
        };
    }
    let retired: BTreeSet<u32> = if *runs && template == one_line && former_is_unused {
        record.revisions.iter().copied().filter(|revision| *revision != newest).collect()
    } else {
        BTreeSet::new()
    };
    record.revisions.retain(|revision| !retired.contains(revision));
    Plan { record, accepted: one_line, gateway, retired }
}

impl Plan {
    /// When somebody must look again although nothing happens.
    pub fn wakes_at(&self, wish: &Wish) -> Option<Timestamp> {
        self.record.due_at(wish).filter(|_| self.record.revisions.len() == 1)
    }
}
