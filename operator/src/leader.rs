//! Which of several operators writes: one Lease, renewed every 5 s, gone after 15 s.
//!
//! The Lease decides who starts writing; [`Fence`] makes a process stop that could not renew, for
//! example because it was halted. Clocks of other machines are not trusted: a standby counts from
//! when it saw the Lease change. Updates carry the resourceVersion, so that one of two always loses.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;

/// How long a Lease stands without being renewed.
pub const LEASE_DURATION: Duration = Duration::from_secs(15);

/// How often the holder renews: two renewals may fail.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// How often a standby looks, and how soon a failed renewal is repeated. Chosen: a hand-over takes at
/// most two seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One request for the Lease.
const CALL_DEADLINE: Duration = Duration::from_secs(3);

/// Until when this process may write. Shared with everything that writes; cheap to clone.
#[derive(Clone, Default)]
pub struct Fence(Arc<Mutex<Option<Instant>>>);

impl Fence {
    /// Whether a write may begin now.
    pub fn stands(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    /// A fence for tests and tools that run alone: it stands for a year.
    pub fn open() -> Self {
        let fence = Self::default();
        fence.set(Some(Instant::now() + Duration::from_secs(365 * 24 * 3600)));
        fence
    }

    fn until(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// This process's part in the election.
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    clock: Clock,
    fence: Fence,
    /// The Lease as last seen, and since when it has looked like this.
    seen: Option<(Lease, Instant)>,
}

/// What to do about the Lease.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// There is none.
    Create,
    /// It is free, expired or ours: take it by replacing what was seen.
    Take,
    /// Another holds it.
    Wait,
}

impl Candidate {
    /// Stands for the Lease `name` in `namespace`, as `identity`.
    pub fn new(client: Client, namespace: &str, name: String, identity: String, clock: Clock) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, name, identity, clock, fence: Fence::default(), seen: None }
    }

    /// Stands while this process leads.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Waits until this process leads; false when `shutdown` came first. `on_answer` is called after
    /// each answer of the API, so that a standby is known to be connected.
    pub async fn acquire(&mut self, shutdown: &CancellationToken, on_answer: impl Fn()) -> bool {
        loop {
            match self.attempt().await {
                Ok(true) => return true,
                Ok(false) => on_answer(),
                Err(error) => warn!(error = &error as &dyn std::error::Error, "the Lease cannot be read or written"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return false,
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Renews until the Lease is lost; then nothing may be written any more.
    pub async fn keep(&mut self) {
        loop {
            let renewed = self.attempt().await;
            if let Err(error) = &renewed {
                warn!(error = error as &dyn std::error::Error, "the Lease could not be renewed");
            }
            let pause = match renewed {
                Ok(true) => RENEW_EVERY,
                Ok(false) => break,
                Err(_) => LOOK_EVERY,
            };
            let Some(until) = self.fence.until() else { break };
            if Instant::now() + pause >= until {
                sleep_until(until).await;
                break;
            }
            sleep(pause).await;
        }
        self.fence.set(None);
        warn!("the Lease is lost; another process may lead");
    }

    /// Hands the Lease over, so that a standby need not wait until it has run out.
    pub async fn release(&mut self) {
        let held = self.fence.stands();
        self.fence.set(None);
        let Some((lease, _)) = self.seen.take().filter(|_| held) else { return };
        let spec =
            LeaseSpec { holder_identity: None, lease_duration_seconds: Some(1), ..lease.spec.unwrap_or_default() };
        let lease = Lease { spec: Some(spec), metadata: lease.metadata };
        match timeout(CALL_DEADLINE, self.api.replace(&self.name, &PostParams::default(), &lease)).await {
            Ok(Ok(_)) => info!("released the Lease"),
            Ok(Err(error)) => warn!(error = &error as &dyn std::error::Error, "the Lease could not be released"),
            Err(_) => warn!("the Lease could not be released in time"),
        }
    }

    /// Tries to take or renew the Lease. `Ok(false)`: another holds it.
    async fn attempt(&mut self) -> kube::Result<bool> {
        // A holder knows what it wrote; everyone else looks first.
        if !self.fence.stands() {
            self.look().await?;
        }
        let seen = self.seen.as_ref().map(|(lease, since)| (lease, since.elapsed()));
        let before = Instant::now();
        let answer = match step(seen, &self.identity) {
            Step::Wait => return Ok(false),
            Step::Create => self.create().await,
            Step::Take => self.take().await,
        };
        match answer {
            Ok(lease) => {
                self.seen = Some((lease, Instant::now()));
                // Counted from before the request: others count from after it.
                self.fence.set(Some(before + LEASE_DURATION));
                Ok(true)
            }
            // Someone was faster, or an earlier answer of ours was lost: look who holds it now.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                self.look().await?;
                let holder = self.seen.as_ref().and_then(|(lease, _)| holder(lease));
                if holder == Some(self.identity.as_str()) {
                    return Err(kube::Error::Api(status));
                }
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn look(&mut self) -> kube::Result<()> {
        let found = within_deadline(self.api.get_opt(&self.name)).await?;
        let unchanged = match (&found, &self.seen) {
            (Some(found), Some((seen, _))) => found.metadata.resource_version == seen.metadata.resource_version,
            _ => false,
        };
        if !unchanged {
            self.seen = found.map(|lease| (lease, Instant::now()));
        }
        Ok(())
    }

    async fn create(&self) -> kube::Result<Lease> {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        let lease = Lease { metadata, spec: Some(self.spec(None)) };
        within_deadline(self.api.create(&PostParams::default(), &lease)).await
    }

    async fn take(&self) -> kube::Result<Lease> {
        let Some((seen, _)) = &self.seen else { return self.create().await };
        let lease = Lease { spec: Some(self.spec(seen.spec.as_ref())), metadata: seen.metadata.clone() };
        within_deadline(self.api.replace(&self.name, &PostParams::default(), &lease)).await
    }

    fn spec(&self, previous: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(self.clock.now());
        let ours = previous.is_some_and(|spec| spec.holder_identity.as_deref() == Some(self.identity.as_str()));
        let transitions = previous.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            acquire_time: previous.filter(|_| ours).and_then(|spec| spec.acquire_time.clone()).or(Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if ours { transitions } else { transitions.saturating_add(1) }),
            ..LeaseSpec::default()
        }
    }
}

async fn within_deadline<T>(call: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    timeout(CALL_DEADLINE, call).await.unwrap_or_else(|elapsed| Err(kube::Error::Service(elapsed.into())))
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// Decides by the Lease as seen and for how long it has looked like this.
fn step(seen: Option<(&Lease, Duration)>, identity: &str) -> Step {
    let Some((lease, unchanged_for)) = seen else { return Step::Create };
    let duration = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or(0);
    let duration = Duration::from_secs(u64::try_from(duration).unwrap_or(0));
    match holder(lease) {
        None => Step::Take,
        Some(holder) if holder == identity => Step::Take,
        Some(_) if unchanged_for >= duration => Step::Take,
        Some(_) => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_another_holds_is_taken_only_after_it_stood_still_for_its_duration() {
        let lease = lease(Some("other"));
        assert_eq!(step(None, "me"), Step::Create);
        assert_eq!(step(Some((&lease, Duration::ZERO)), "me"), Step::Wait);
        assert_eq!(step(Some((&lease, Duration::from_millis(14_999))), "me"), Step::Wait);
        assert_eq!(step(Some((&lease, LEASE_DURATION)), "me"), Step::Take);
    }

    #[test]
    fn a_released_lease_and_our_own_are_taken_at_once() {
        assert_eq!(step(Some((&lease(None), Duration::ZERO)), "me"), Step::Take);
        assert_eq!(step(Some((&lease(Some("")), Duration::ZERO)), "me"), Step::Take);
        assert_eq!(step(Some((&lease(Some("me")), Duration::ZERO)), "me"), Step::Take);
    }

    #[tokio::test(start_paused = true)]
    async fn the_fence_falls_when_the_lease_has_run_out() {
        let fence = Fence::default();
        assert!(!fence.stands());
        fence.set(Some(Instant::now() + LEASE_DURATION));
        assert!(fence.stands());
        tokio::time::advance(LEASE_DURATION).await;
        assert!(!fence.stands());
    }

    fn lease(holder: Option<&str>) -> Lease {
        let spec = LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        };
        Lease { spec: Some(spec), metadata: ObjectMeta::default() }
    }
}
