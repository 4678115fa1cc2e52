//! Condition types and reasons, and the one function that sets a condition.
//!
//! Both are closed sets, documented and frozen: scripts, dashboards and alerts match on them. A message
//! is a sentence that says what to do; it holds nothing volatile, so that the same world gives the same bytes.

mod reason;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

pub use reason::Reason;

use crate::text::cut;

/// The concern that a condition speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// The summary: every hop between client and tools was seen to work.
    Ready,
    /// The operator is at work and expects to get there without help (kstatus).
    Reconciling,
    /// The operator cannot get there without help (kstatus).
    Stalled,
    /// The spec says something that can be run, references included.
    SpecValid,
    /// Enough pods of this revision are available.
    WorkloadAvailable,
    /// Every issuer's keys are loaded by every pod; or authentication is off, and the reason says so.
    AuthReady,
    /// The policy of this spec is in force in every pod that serves, also in those that a rollout has not replaced yet.
    PolicyInForce,
    /// Every pod can call the tools of every upstream. Absent without upstreams.
    UpstreamsReady,
    /// Every pod has reached the Redis that they share, and it takes what is written. Absent without one. A loss is told here and
    /// by `Degraded`; it takes nothing from `Ready`.
    RedisReady,
    /// The Ingress is applied. It cannot say that it works: `Unknown` does not hold `Ready`.
    IngressReady,
    /// Clients of older protocol revisions are offered what one process must remember: GET streams, subscriptions, logging
    /// level, requests of the server. Says what is offered, not that something is wrong.
    LegacyStreams,
    /// The endpoint serves, but less than it should.
    Degraded,
}

impl ConditionType {
    /// As it stands in `status.conditions[].type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::SpecValid => "SpecValid",
            Self::WorkloadAvailable => "WorkloadAvailable",
            Self::AuthReady => "AuthReady",
            Self::PolicyInForce => "PolicyInForce",
            Self::UpstreamsReady => "UpstreamsReady",
            Self::RedisReady => "RedisReady",
            Self::IngressReady => "IngressReady",
            Self::LegacyStreams => "LegacyStreams",
            Self::Degraded => "Degraded",
        }
    }
}

/// Three-valued, as Kubernetes has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody can say.
    Unknown,
}

impl ConditionStatus {
    /// As it stands in `status.conditions[].status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// One observation, before it becomes a [`Condition`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The concern.
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why.
    pub reason: Reason,
    /// A sentence for people; with the fix when something is wrong.
    pub message: String,
}

/// The longest message that is written, in bytes: Kubernetes takes 32 KiB, people read less.
const MAX_MESSAGE_BYTES: usize = 1024;

/// Sets the condition of `observation.type_`, in place or at the end.
///
/// `lastTransitionTime` moves to `now` only when the status flips.
pub fn set_condition(conditions: &mut Vec<Condition>, observation: Observation, generation: i64, now: Timestamp) {
    let Observation { type_, status, reason, mut message } = observation;
    message.truncate(cut(&message, MAX_MESSAGE_BYTES).len());
    let previous = conditions.iter_mut().find(|condition| condition.type_ == type_.as_str());
    let last_transition_time = match &previous {
        Some(previous) if previous.status == status.as_str() => previous.last_transition_time.clone(),
        _ => Time(now),
    };
    let condition = Condition {
        type_: type_.as_str().to_owned(),
        status: status.as_str().to_owned(),
        reason: reason.as_str().to_owned(),
        message,
        observed_generation: Some(generation),
        last_transition_time,
    };
    match previous {
        Some(previous) => *previous = condition,
        None => conditions.push(condition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let mut conditions = Vec::new();
        set_condition(&mut conditions, observation(ConditionStatus::False, Reason::Progressing), 1, at(10));
        set_condition(&mut conditions, observation(ConditionStatus::False, Reason::ImagePullFailed), 2, at(20));
        assert_eq!(conditions.len(), 1);
        assert_eq!(conditions[0].last_transition_time, Time(at(10)));
        assert_eq!(conditions[0].reason, "ImagePullFailed");
        assert_eq!(conditions[0].observed_generation, Some(2));

        set_condition(&mut conditions, observation(ConditionStatus::True, Reason::Verified), 2, at(30));
        assert_eq!(conditions[0].last_transition_time, Time(at(30)));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let mut message = "é".repeat(MAX_MESSAGE_BYTES);
        message.truncate(cut(&message, MAX_MESSAGE_BYTES).len());
        assert_eq!(message.len(), MAX_MESSAGE_BYTES);
    }

    fn observation(status: ConditionStatus, reason: Reason) -> Observation {
        Observation { type_: ConditionType::Ready, status, reason, message: "because".to_owned() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }
}
