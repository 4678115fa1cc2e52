//! Which revisions of generated Secrets are in use, and what the next step of a rotation is. Pure.
//!
//! A rotation is a chain of states, each told by what is observed: the record of Secrets that may exist, what the workloads
//! mount, and what their pods carry. No step depends on who took the one before, so a run that dies anywhere is taken up by the
//! next. A Secret is noted before it is made, and forgotten after it was deleted. Nothing here reads one.

pub mod redis;
pub mod sealing;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use crds::{McpServer, revision::revision};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;

use crate::desired::annotation;

/// The first revision of everything.
pub const FIRST: u32 = 1;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What asks for a rotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Hash of the annotation by which a person asks: any new value is a new wish.
    pub asked: Option<String>,
    /// How long a revision may be in use.
    pub interval: Option<Duration>,
}

impl Wish {
    /// What `mcp_server` asks for.
    pub fn of(mcp_server: &McpServer) -> Self {
        let asked = mcp_server.annotations().get(annotation::ROTATE_AT);
        let days = mcp_server.spec.redis.rotation_interval_days.and_then(|days| u32::try_from(days).ok());
        Self {
            asked: asked.map(|value| revision(value.as_bytes())),
            interval: days.filter(|days| *days > 0).map(|days| DAY * days),
        }
    }
}

/// What is noted about the Secrets of one purpose. Kept as annotations of an object that is written before them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Revisions whose Secrets may exist. Empty: nothing was made yet.
    pub revisions: BTreeSet<u32>,
    /// The wish that the last rotation answered.
    pub handled: Option<String>,
    /// When the newest revision was begun.
    pub begun: Option<Timestamp>,
}

impl Record {
    /// From the object that carries it, whose creation counts where no rotation was noted yet.
    pub fn read(metadata: &ObjectMeta, revisions_key: &str) -> Self {
        let noted = |key: &str| metadata.annotations.as_ref().and_then(|all| all.get(key));
        let begun = noted(annotation::ROTATED).and_then(|time| time.parse().ok());
        Self {
            revisions: noted(revisions_key).map(|text| numbers(text)).unwrap_or_default().into_iter().collect(),
            handled: noted(annotation::ROTATED_FOR).cloned(),
            begun: begun.or_else(|| metadata.creation_timestamp.as_ref().map(|time| time.0)),
        }
    }

    /// As annotations. What was never rotated says only which Secrets there are.
    pub fn notes(&self, revisions_key: &str) -> Vec<(String, String)> {
        let Self { revisions, handled, begun } = self;
        let mut notes = vec![(revisions_key.to_owned(), text(revisions))];
        notes.extend(handled.clone().map(|handled| (annotation::ROTATED_FOR.to_owned(), handled)));
        // Of the first revision the object's own creation tells it.
        let begun = begun.filter(|_| self.was_rotated()).map(whole_seconds);
        notes.extend(begun.map(|begun| (annotation::ROTATED.to_owned(), begun.to_string())));
        notes
    }

    /// Whether there is nothing that the lack of notes would not say.
    pub fn is_of_the_beginning(&self) -> bool {
        !self.was_rotated() && self.handled.is_none()
    }

    fn was_rotated(&self) -> bool {
        self.revisions.iter().any(|revision| *revision != FIRST)
    }

    fn newest(&self) -> u32 {
        self.revisions.last().copied().unwrap_or(FIRST)
    }

    /// Whether a rotation is to begin.
    fn is_due(&self, wish: &Wish, now: Timestamp) -> bool {
        let asked = wish.asked.is_some() && wish.asked != self.handled;
        asked || self.due_at(wish).is_some_and(|due| due <= now)
    }

    /// When the interval asks for one.
    fn due_at(&self, wish: &Wish) -> Option<Timestamp> {
        self.begun?.checked_add(wish.interval?).ok()
    }

    /// With one more revision.
    fn with_next(&self, wish: &Wish, now: Timestamp) -> Self {
        let next = self.newest().saturating_add(1);
        Self {
            revisions: self.revisions.iter().copied().chain([next]).collect(),
            handled: wish.asked.clone().or_else(|| self.handled.clone()),
            begun: Some(whole_seconds(now)),
        }
    }

    /// Of something that is made for the first time: a wish from before it is no wish to make it twice.
    fn first(wish: &Wish) -> Self {
        Self { revisions: [FIRST].into(), handled: wish.asked.clone(), begun: None }
    }
}

/// Numbers with anything between, in their order; what is no number counts for nothing.
pub fn numbers(text: &str) -> Vec<u32> {
    text.split(|letter: char| !letter.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// The reverse of [`numbers`], as an annotation and a label hold it.
pub fn text<'a>(numbers: impl IntoIterator<Item = &'a u32>) -> String {
    numbers.into_iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

/// Kubernetes people write no fractions.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
