//! Asks the pods of each `McpServer` what they have in force, in the background.
//!
//! `reconcile` says which pods to ask ([`Verifier::watch`]) and reads what was found
//! ([`Verifier::found`]); a change of what was found queues a run. This is traffic to pods, none to
//! the Kubernetes API. It never decides what an answer means: [`crate::status`] does.

mod probe;

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crds::{
    McpServer,
    gateway_config::AuthMode,
    gateway_report::{KeySetState, RedisState},
};
use futures::{FutureExt, future::join_all};
use kube::runtime::reflector::ObjectRef;
use tokio::{
    sync::{Semaphore, mpsc},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::error;

use crate::{
    desired::{ADMIN_PORT, PUBLIC_PORT},
    observed::{Observed, ObservedPod, PodVerification},
    validate::ValidServer,
};

pub use probe::{PodAddress, Prober, Questions};

/// The pause after the first look that did not find everything as it should be; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The pause once everything is as it should be, and the longest otherwise.
const CALM_PAUSE: Duration = Duration::from_secs(30);

/// Pods that are asked at once, over all `McpServer`s.
const CONCURRENT_PODS: usize = 32;

/// Which pods to ask, what, and what is hoped for. The same plan goes on; another starts at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    questions: Questions,
    config_revision: String,
    policy_revision: String,
    /// Whether a managed Redis runs, as Kubernetes says: when that changes, pods have news.
    redis_runs: bool,
    pods: BTreeMap<String, Asked>,
}

/// One pod of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    address: PodAddress,
    /// It has the configuration that is rolled out; of one of before only the policy counts.
    current: bool,
    /// Whether it serves: a pod that becomes ready is asked at once, so this is part of the plan.
    ready: bool,
}

impl Plan {
    /// The pods of the revision that `valid` asks for, also those that are not ready, since they know why; and those of
    /// before that serve.
    pub fn of(valid: &ValidServer, observed: &Observed) -> Self {
        let asked = |pod: &ObservedPod| {
            let current = pod.config_revision.as_deref() == Some(valid.config_revision.as_str());
            let ip: IpAddr = pod.ip.as_deref()?.parse().ok()?;
            let address = PodAddress { public: (ip, PUBLIC_PORT).into(), admin: (ip, ADMIN_PORT).into() };
            let counts = !pod.deleting && (current || pod.ready);
            counts.then(|| (pod.uid.clone(), Asked { address, current, ready: pod.ready }))
        };
        Self {
            questions: Questions::of(&valid.endpoint, valid.config.auth.mode == AuthMode::OAuth),
            config_revision: valid.config_revision.clone(),
            policy_revision: valid.policy_revision.clone(),
            redis_runs: observed.redis.stateful_set.as_ref().is_some_and(|redis| redis.ready_replicas > 0),
            pods: observed.pods.iter().filter_map(asked).collect(),
        }
    }

    /// Whether there is nothing to wait for, so that it is enough to look now and then.
    fn is_calm(&self, found: &Found) -> bool {
        self.pods.iter().all(|(uid, asked)| found.get(uid).is_some_and(|found| self.is_as_hoped(*asked, found)))
    }

    fn is_as_hoped(&self, asked: Asked, found: &PodVerification) -> bool {
        let PodVerification { report: Ok(report), unauthenticated, metadata } = found else {
            return false;
        };
        let is_enforced = report.policy_revision == self.policy_revision;
        if !asked.current {
            return is_enforced;
        }
        is_enforced
            && unauthenticated.is_ok()
            && metadata.is_ok()
            && report.config_revision == self.config_revision
            && report.issuers.iter().all(|issuer| issuer.state == KeySetState::Ready)
            && report.upstreams.iter().all(|upstream| upstream.ready)
            && report.redis.as_ref().is_none_or(|redis| redis.state == RedisState::Ready)
    }
}

/// What was found, by uid of the pod.
type Found = BTreeMap<String, PodVerification>;

struct Entry {
    plan: Plan,
    found: Found,
    stop: CancellationToken,
}

/// Asks pods in the background. Owned by the controller; ends with it.
pub struct Verifier {
    entries: Mutex<HashMap<ObjectRef<McpServer>, Entry>>,
    prober: Prober,
    slots: Semaphore,
    changed: mpsc::Sender<ObjectRef<McpServer>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Verifier {
    /// Changes of what was found go to `changed`; everything ends with `stop`.
    pub fn new(prober: Prober, changed: mpsc::Sender<ObjectRef<McpServer>>, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            prober,
            slots: Semaphore::new(CONCURRENT_PODS),
            changed,
            tasks: TaskTracker::new(),
            stop,
        })
    }

    /// Asks by `plan` from now on. The same plan again changes nothing.
    pub fn watch(self: &Arc<Self>, key: ObjectRef<McpServer>, plan: Plan) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = entries.get(&key);
        if previous.is_some_and(|entry| entry.plan == plan) {
            return;
        }
        // What is known of a pod stays known until it is asked again; of others nothing stays.
        let mut found = previous.map(|entry| entry.found.clone()).unwrap_or_default();
        found.retain(|uid, _| plan.pods.contains_key(uid));
        if let Some(entry) = previous {
            entry.stop.cancel();
        }
        let stop = self.stop.child_token();
        if !plan.pods.is_empty() {
            let asking = Arc::clone(self).ask_on(key.clone(), plan.clone(), stop.clone());
            self.tasks.spawn(stop.clone().run_until_cancelled_owned(asking));
        }
        entries.insert(key, Entry { plan, found, stop });
    }

    /// Asks nothing more about `key`.
    pub fn forget(&self, key: &ObjectRef<McpServer>) {
        if let Some(entry) = self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(key) {
            entry.stop.cancel();
        }
    }

    /// Asks nothing more about whatever `exists` denies.
    pub fn retain(&self, exists: impl Fn(&ObjectRef<McpServer>) -> bool) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, gone) in entries.extract_if(|key, _| !exists(key)) {
            gone.stop.cancel();
        }
    }

    /// Whether a pod of `key` was not asked yet. It ends with a queued run.
    pub fn awaits_an_answer(&self, key: &ObjectRef<McpServer>) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).is_some_and(|entry| entry.plan.pods.keys().any(|uid| !entry.found.contains_key(uid)))
    }

    /// What was found about the pod `uid` of `key` when it was asked last.
    pub fn found(&self, key: &ObjectRef<McpServer>, uid: &str) -> Option<PodVerification> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).get(key)?.found.get(uid).cloned()
    }

    /// Waits until no task is left. `stop` must have been cancelled.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn ask_on(self: Arc<Self>, key: ObjectRef<McpServer>, plan: Plan, stop: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        loop {
            let found = self.ask(&plan).await;
            let calm = plan.is_calm(&found);
            if self.note(&key, &stop, found) {
                // The receiver is gone only when everything ends.
                if self.changed.send(key.clone()).await.is_err() {
                    return;
                }
            }
            pause = if calm { CALM_PAUSE } else { pause.min(CALM_PAUSE) };
            sleep(pause).await;
            pause = if calm { FIRST_PAUSE } else { pause * 2 };
        }
    }

    async fn ask(&self, plan: &Plan) -> Found {
        let asked = plan.pods.iter().map(|(uid, asked)| self.ask_one(uid, asked.address, &plan.questions));
        join_all(asked).await.into_iter().collect()
    }

    async fn ask_one(&self, uid: &str, address: PodAddress, questions: &Questions) -> (String, PodVerification) {
        // Never closed, so a permit always comes.
        let _slot = self.slots.acquire().await.ok();
        // A defect of ours must not freeze what is known: the pod counts as one that does not answer.
        let probe = AssertUnwindSafe(self.prober.probe(address, questions)).catch_unwind();
        let found = probe.await.unwrap_or_else(|_| {
            error!(pod.uid = uid, "asking a pod panicked, it counts as unreachable");
            PodVerification::unreachable()
        });
        (uid.to_owned(), found)
    }

    /// Keeps what was found, unless the plan has changed meanwhile. True when it is news.
    fn note(&self, key: &ObjectRef<McpServer>, stop: &CancellationToken, found: Found) -> bool {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        match entries.get_mut(key) {
            Some(entry) if !stop.is_cancelled() && entry.found != found => {
                entry.found = found;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
