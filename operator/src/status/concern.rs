//! One judgement, before it becomes a condition.

use crds::conditions::{ConditionStatus, ConditionType, Observation, Reason};

/// What is known about one concern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Concern {
    /// Whether it holds.
    pub(super) status: ConditionStatus,
    pub(super) reason: Reason,
    /// A sentence; with the fix when something is wrong.
    pub(super) message: String,
    /// Something is wrong, not only unfinished.
    pub(super) wrong: bool,
    /// It will not change without a person.
    pub(super) stuck: bool,
}

impl Concern {
    /// It holds.
    pub(super) fn good(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::True, reason, message: message.into(), wrong: false, stuck: false }
    }

    /// Nothing is wrong; it is not seen yet.
    pub(super) fn waiting(message: impl Into<String>) -> Self {
        Self::unknown(Reason::Progressing, message)
    }

    /// Nobody can say.
    pub(super) fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::Unknown, ..Self::good(reason, message) }
    }

    /// It does not hold; it may come right by itself.
    pub(super) fn wrong(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::False, wrong: true, ..Self::good(reason, message) }
    }

    /// It does not hold, and somebody must act.
    pub(super) fn stuck(reason: Reason, message: impl Into<String>) -> Self {
        Self { stuck: true, ..Self::wrong(reason, message) }
    }

    /// Whether it holds.
    pub(super) fn holds(&self) -> bool {
        self.status == ConditionStatus::True
    }

    /// As a condition of `type_`.
    pub(super) fn observation(&self, type_: ConditionType) -> Observation {
        Observation { type_, status: self.status, reason: self.reason, message: self.message.clone() }
    }
}

/// The longest piece of somebody else's text in a message, in characters.
const MAX_FOREIGN_CHARS: usize = 200;

/// Text that a pod or the API server gave: one line, bounded.
pub(super) fn foreign(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_FOREIGN_CHARS).collect()
}
