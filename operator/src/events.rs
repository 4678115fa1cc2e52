//! Kubernetes events: one for each real transition, at most ten an hour for an object.
//!
//! Published after the status that they speak of is written, with its reason and message. An event
//! that cannot be published is logged and never fails a run.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crds::{
    McpServer,
    conditions::{ConditionType, Reason},
    mcp_server::McpServerStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Resource, ResourceExt,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use tokio::time::Instant;
use tracing::debug;

use crate::requests::{Access, Requests};

/// Events of one object within [`WINDOW`].
const MAX_EVENTS: usize = 10;

/// The time over which events are counted.
const WINDOW: Duration = Duration::from_secs(3600);

/// Objects whose events are counted at once.
const MAX_OBJECTS: usize = 50_000;

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Announcement {
    warning: bool,
    reason: String,
    message: String,
}

/// Publishes events.
pub struct Events {
    requests: Requests,
    recorder: Recorder,
    published: Mutex<HashMap<String, VecDeque<Instant>>>,
}

impl Events {
    /// Events from `identity`, the name of this process.
    pub fn new(requests: Requests, identity: String) -> Self {
        let reporter = Reporter { controller: "mcp-operator".to_owned(), instance: Some(identity) };
        let recorder = Recorder::new(requests.client.clone(), reporter);
        Self { requests, recorder, published: Mutex::default() }
    }

    /// Says what `next` changed in `mcp_server`, if anybody should hear of it.
    pub async fn publish(&self, mcp_server: &McpServer, next: &McpServerStatus) {
        for announcement in announcements(mcp_server.status.as_ref(), next) {
            if self.may_publish(&mcp_server.uid().unwrap_or_default(), Instant::now()) {
                self.send(mcp_server, announcement).await;
            }
        }
    }

    async fn send(&self, mcp_server: &McpServer, announcement: Announcement) {
        let Announcement { warning, reason, message } = announcement;
        let type_ = if warning { EventType::Warning } else { EventType::Normal };
        let event = Event { type_, reason, note: Some(message), action: "Reconcile".to_owned(), secondary: None };
        let reference = mcp_server.object_ref(&());
        let published = self.requests.call(Access::WriteOnce, || self.recorder.publish(&event, &reference)).await;
        if let Err(error) = published {
            debug!(error = &error as &dyn std::error::Error, "an event could not be published");
        }
    }

    fn may_publish(&self, uid: &str, now: Instant) -> bool {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        if published.len() >= MAX_OBJECTS {
            published.clear();
        }
        let times = published.entry(uid.to_owned()).or_default();
        times.retain(|time| now.duration_since(*time) < WINDOW);
        if times.len() >= MAX_EVENTS {
            return false;
        }
        times.push_back(now);
        true
    }
}

/// What people should hear of: what becomes of `Ready`, and a Redis that is full, which leaves `Ready` alone.
fn announcements(standing: Option<&McpServerStatus>, next: &McpServerStatus) -> Vec<Announcement> {
    ready(standing, next).into_iter().chain(full(standing, next)).collect()
}

/// The Redis takes nothing new any more; said once until it does again.
fn full(standing: Option<&McpServerStatus>, next: &McpServerStatus) -> Option<Announcement> {
    let is_full = |condition: &&Condition| condition.reason == Reason::RedisFull.as_str();
    let now = condition(next, ConditionType::RedisReady).filter(is_full)?;
    let before = standing.and_then(|status| condition(status, ConditionType::RedisReady)).filter(is_full);
    let Condition { reason, message, .. } = now.clone();
    before.is_none().then_some(Announcement { warning: true, reason, message })
}

/// `Ready` became true; it fell; or it is held up by something new that is wrong.
fn ready(standing: Option<&McpServerStatus>, next: &McpServerStatus) -> Option<Announcement> {
    let now = condition(next, ConditionType::Ready)?;
    let before = standing.and_then(|status| condition(status, ConditionType::Ready));
    let ready_before = before.is_some_and(|before| before.status == "True");
    let fine = now.status == "True" || now.reason == Reason::Progressing.as_str();
    let said = match (ready_before, now.status == "True") {
        (false, true) | (true, false) => true,
        (true, true) => false,
        (false, false) => !fine && before.is_none_or(|before| before.reason != now.reason),
    };
    said.then(|| Announcement { warning: !fine, reason: now.reason.clone(), message: now.message.clone() })
}

fn condition(status: &McpServerStatus, type_: ConditionType) -> Option<&Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_create_that_goes_well_is_one_normal_event() {
        let progressing = ready("False", "Progressing");
        assert_eq!(said(None, &progressing), None);
        assert_eq!(said(Some(&progressing), &ready("True", "Verified")), Some((false, "Verified".to_owned())));
        assert_eq!(said(Some(&ready("True", "Verified")), &ready("True", "Verified")), None);
    }

    #[test]
    fn what_is_wrong_is_said_once_for_each_reason() {
        let failing = ready("False", "ImagePullFailed");
        assert_eq!(said(None, &failing), Some((true, "ImagePullFailed".to_owned())));
        assert_eq!(said(Some(&failing), &failing), None);
        assert_eq!(said(Some(&failing), &ready("False", "PodsCrashing")), Some((true, "PodsCrashing".to_owned())));
        assert_eq!(said(Some(&failing), &ready("False", "Progressing")), None);
    }

    #[test]
    fn a_fall_is_said_and_a_rollout_is_no_warning() {
        let up = ready("True", "Verified");
        assert_eq!(said(Some(&up), &ready("False", "Progressing")), Some((false, "Progressing".to_owned())));
        assert_eq!(said(Some(&up), &ready("False", "NothingServes")), Some((true, "NothingServes".to_owned())));
    }

    fn said(standing: Option<&McpServerStatus>, next: &McpServerStatus) -> Option<(bool, String)> {
        let mut said = announcements(standing, next).into_iter();
        let first = said.next().map(|announcement| (announcement.warning, announcement.reason));
        assert_eq!(said.next(), None);
        first
    }

    /// Source: redis-and-degradation.md, section 7.
    #[test]
    fn a_full_redis_is_one_warning_until_it_takes_something_again() {
        let with_redis = |reason: &str| -> McpServerStatus {
            let mut status = ready("True", "Verified");
            let mut redis = status.conditions[0].clone();
            (redis.type_, redis.reason) = ("RedisReady".to_owned(), reason.to_owned());
            status.conditions.push(redis);
            status
        };
        let (reached, full) = (with_redis("RedisReached"), with_redis("RedisFull"));
        assert_eq!(said(Some(&reached), &full), Some((true, "RedisFull".to_owned())));
        assert_eq!(said(Some(&full), &full), None);
        assert_eq!(said(Some(&full), &reached), None);
        assert_eq!(said(Some(&reached), &with_redis("RedisUnavailable")), None);
    }

    fn ready(status: &str, reason: &str) -> McpServerStatus {
        serde_json::from_value(serde_json::json!({ "conditions": [{
            "type": "Ready", "status": status, "reason": reason, "message": "because",
            "lastTransitionTime": "2026-11-22T00:00:00Z",
        }] }))
        .unwrap()
    }
}
