//! One run for one `McpServer`: observe, validate, desired, apply, status.
//!
//! Starts from the top each time and never asks why it was called. A run that panics or hangs is one
//! object's problem: it is caught here, counted, said in status, and tried again.

use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use crds::{McpServer, conditions::Reason};
use futures::FutureExt;
use jiff::Timestamp;
use kube::{
    ResourceExt,
    runtime::{controller::Action, reflector::ObjectRef},
};
use tokio::time::{Instant, timeout};
use tracing::{debug, error, info, warn};

use crate::{
    apply::{Writer, apply},
    backoff::{Backoff, jittered},
    caches::Caches,
    clock::{Clock, chance},
    desired::desired,
    entropy::Entropy,
    error::Error,
    events::Events,
    metrics::Metrics,
    neighbours::Neighbours,
    observe::{Fetched, Sources, observe, revisions_in_use},
    observed::{Observed, ReferencedConfigMap, VOLUMES_PATIENCE, Volumes},
    references::References,
    requests::{CallError, Requests},
    service_account_issuer::ServiceAccountIssuer,
    standing_back::StandingBack,
    status::{Applied, Failed, Outcome, interrupted, status},
    validate::{Invalid, OperatorSettings, ValidServer, validate},
    verify::{Plan, Verifier},
    write_status::{StatusWrite, Unwritten, write_status},
    written::Written,
};

/// One run. Longer than ten calls at their deadline, so that something is wrong when it is reached.
pub const DEADLINE: Duration = Duration::from_secs(110);

/// Saying in status that a run was interrupted. With [`DEADLINE`] it makes the 120 s of operator.md, P23.
const LAST_WORD_DEADLINE: Duration = Duration::from_secs(10);

/// After this a predecessor's children are looked for again, although their deletion is watched: the
/// garbage collector may have been held up by something that sends no event.
const PREDECESSOR_INTERVAL: Duration = Duration::from_secs(30);

/// Over this time the runs are spread that look whether the API server has new keys.
const KEYS_SPREAD: Duration = Duration::from_secs(60);

/// However far away a date is.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// What runs share. Made once for each leadership and scope.
pub struct Context {
    /// What the operator was started with.
    pub settings: OperatorSettings,
    /// Filled by the watches.
    pub caches: Caches,
    /// Sends, while this process leads.
    pub requests: Requests,
    /// Our own writes that the caches have not seen.
    pub written: Arc<Written>,
    /// Asks pods in the background.
    pub verifier: Arc<Verifier>,
    /// `McpServer`s of all scopes by host.
    pub neighbours: Arc<Neighbours>,
    /// Content of referenced ConfigMaps.
    pub references: References,
    /// The API server's keys for ServiceAccount tokens; one for all scopes.
    pub service_account_issuer: Arc<ServiceAccountIssuer>,
    /// Publishes events.
    pub events: Events,
    /// Progress that is held back.
    pub unwritten: Unwritten,
    /// How often each object has failed in a row.
    pub backoff: Backoff<ObjectRef<McpServer>>,
    /// Objects that are left alone, because their namespace is going.
    pub standing_back: StandingBack,
    /// For `lastTransitionTime`, and for how long a pod has waited.
    pub clock: Clock,
    /// Draws sealing keys and passwords.
    pub entropy: Entropy,
    /// Counts runs.
    pub metrics: Metrics,
}

/// Brings the cluster to what `mcp_server` asks for, and says how far it has come.
pub async fn reconcile(mcp_server: Arc<McpServer>, ctx: Arc<Context>) -> Result<Action, Error> {
    let mcp_server = with_standing_status(&ctx, &mcp_server);
    let uid = mcp_server.metadata.uid.as_deref().unwrap_or_default();
    if mcp_server.metadata.deletion_timestamp.is_some() || ctx.standing_back.is_from(uid) {
        // Owner references, or the namespace, clean up; a write now could bring back what is being collected.
        return Ok(Action::await_change());
    }
    let references = ctx.references.fetch(&ctx.requests, &ctx.caches, &mcp_server).await;
    let (config_maps, unread) = found_or_not(references)?;
    let keys = ctx.service_account_issuer.keys(&ctx.requests, &mcp_server, ctx.clock.now()).await;
    let (service_account_keys, keys_end) = keys.map(|keys| (keys.known, keys.again_in)).unzip();
    let fetched = Fetched { config_maps, service_account_keys };
    let observed = observe(&ctx.sources(), &mcp_server, fetched, ctx.clock.now());
    if namespace_is_going(&observed) {
        return Ok(Action::await_change());
    }
    let (outcome, failure) = match (unread, validate(&mcp_server, &observed, &ctx.settings)) {
        (Some(error), _) => (unread_reference(&error), Some(Error::ReadReference(error))),
        (None, Ok(valid)) => Box::pin(converge(&ctx, &mcp_server, &observed, valid)).await?,
        (None, Err(invalid)) => (Outcome::Rejected(invalid), None),
    };
    if failure.is_none() && ctx.verifier.awaits_an_answer(&ObjectRef::from_obj(&mcp_server)) {
        // A ready pod that was never asked is no reason to call the endpoint down, nor to call it up: after a
        // restart every pod is one. The answer is seconds away and queues a run.
        return Ok(Action::await_change());
    }
    let next = status(&mcp_server, &outcome, &observed, ctx.clock.now());
    let written = write_status(&ctx.requests, &ctx.written, &ctx.unwritten, &mcp_server, &next).await;
    let written = written.map_err(|error| not_leader_or(error, Error::WriteStatus))?;
    if written == StatusWrite::Written {
        ctx.events.publish(&mcp_server, &next).await;
    }
    failure.map_or_else(|| Ok(requeue(&outcome, written, &observed, keys_end)), Err)
}

/// Kubernetes itself cannot make pods any more: it tells the Deployment so in words alone, before a create of ours is refused.
fn namespace_is_going(observed: &Observed) -> bool {
    let conditions =
        observed.deployment.as_ref().map(|deployment| deployment.conditions.as_slice()).unwrap_or_default();
    conditions.iter().any(|condition| {
        condition.type_ == "ReplicaFailure"
            && condition.holds
            && condition.message.ends_with("because it is being terminated")
    })
}

impl Context {
    fn sources(&self) -> Sources<'_> {
        let Self { caches, written, verifier, neighbours, settings, .. } = self;
        Sources { caches, written, verifier, neighbours, host_policy: &settings.host_policy }
    }
}

/// The object with the status that stands: the cache's, or our own write that it has not seen yet.
fn with_standing_status(ctx: &Context, mcp_server: &McpServer) -> McpServer {
    let standing = ctx.written.standing_status(&mcp_server.metadata, mcp_server.status.as_ref());
    McpServer { status: standing, ..mcp_server.clone() }
}

type Found = BTreeMap<String, ReferencedConfigMap>;

fn found_or_not(references: Result<Found, CallError>) -> Result<(Found, Option<CallError>), Error> {
    match references {
        Ok(found) => Ok((found, None)),
        Err(CallError::NotLeader) => Err(Error::NotLeader),
        Err(error) => Ok((Found::new(), Some(error))),
    }
}

fn unread_reference(error: &CallError) -> Outcome {
    let (reason, fix) = if error.is_permanent() {
        (Reason::AccessDenied, "check that the operator's role may get ConfigMaps in this namespace")
    } else {
        (Reason::ApiUnavailable, "the operator tries again")
    };
    Outcome::Failed(Failed {
        stage: "read ConfigMap".to_owned(),
        reason,
        message: format!("a ConfigMap that spec.auth.issuers refers to cannot be read; {fix}"),
        retry: !error.is_permanent(),
    })
}

async fn converge(
    ctx: &Context,
    mcp_server: &McpServer,
    observed: &Observed,
    valid: ValidServer,
) -> Result<(Outcome, Option<Error>), Error> {
    let writer = Writer {
        requests: &ctx.requests,
        written: &ctx.written,
        entropy: &ctx.entropy,
        owner_uid: &valid.owner.uid,
        name: &valid.name,
        namespace: &valid.namespace,
    };
    let owner_uid = valid.owner.uid.clone();
    let in_use = revisions_in_use(&ctx.caches, &valid.namespace, &valid.name);
    let applied = apply(&writer, observed, &desired(&valid), &in_use).await;
    ctx.verifier.watch(ObjectRef::from_obj(mcp_server), Plan::of(&valid, observed));
    match applied {
        Ok(()) => Ok((Outcome::Applied(Box::new(Applied { valid })), None)),
        Err(error) if matches!(error.call(), Some(CallError::NotLeader)) => Err(Error::NotLeader),
        Err(error) if error.call().is_some_and(CallError::is_namespace_terminating) => {
            ctx.standing_back.from(&owner_uid);
            Err(Error::NamespaceTerminating)
        }
        Err(error) => Ok((Outcome::Failed(error.failed()), Some(Error::Apply(error)))),
    }
}

fn not_leader_or(error: CallError, otherwise: fn(CallError) -> Error) -> Error {
    if matches!(error, CallError::NotLeader) { Error::NotLeader } else { otherwise(error) }
}

/// Everything that matters is watched or asked in the background; what is not has a date. `keys_end`: when there may be
/// new keys of the API server.
fn requeue(outcome: &Outcome, written: StatusWrite, observed: &Observed, keys_end: Option<Duration>) -> Action {
    let held_back = match written {
        StatusWrite::HeldBack(wait) => Some(wait),
        StatusWrite::Written | StatusWrite::Same => None,
    };
    let collected = match outcome {
        Outcome::Rejected(invalid) if invalid.iter().any(Invalid::waits_for_the_collector) => {
            Some(jittered(PREDECESSOR_INTERVAL, chance()))
        }
        _ => None,
    };
    // That a pod goes on waiting for a volume sends no event.
    let pods = observed.pods.iter().chain(&observed.redis.pods);
    let waiting = pods.into_iter().any(|pod| pod.volumes != Volumes::Mounted).then_some(VOLUMES_PATIENCE);
    // Spread, so that not all come in the same moment for what one of them fetches. After a failure all wait for the answer.
    let spread = if matches!(observed.service_account_keys, Some(Ok(_))) { KEYS_SPREAD } else { Duration::ZERO };
    let keys_end = keys_end.map(|wait| wait + spread.mul_f64(chance()));
    // Rotations have dates, which send no event either.
    let rotation = match outcome {
        Outcome::Applied(applied) => applied.valid.wakes_at.map(|at| until(at, observed.now)),
        Outcome::Rejected(_) | Outcome::Failed(_) => None,
    };
    let first = [held_back, collected, waiting, keys_end, rotation].into_iter().flatten().min();
    first.map_or_else(Action::await_change, Action::requeue)
}

/// At least a moment, and not longer than a day: a run that finds nothing to do costs nothing.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    at.duration_since(now).try_into().unwrap_or(Duration::ZERO).clamp(Duration::from_secs(1), LONGEST_SLEEP)
}

/// [`reconcile`] with a deadline, counted, and with a panic caught. Neither ends without a word in status.
pub async fn guarded(mcp_server: Arc<McpServer>, ctx: Arc<Context>) -> Result<Action, Error> {
    let start = Instant::now();
    let key = ObjectRef::from_obj(mcp_server.as_ref());
    // Nothing that a panic leaves half done is read again: state is rebuilt from caches.
    let run = AssertUnwindSafe(Box::pin(reconcile(Arc::clone(&mcp_server), Arc::clone(&ctx)))).catch_unwind();
    let result = match timeout(DEADLINE, run).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => {
            ctx.metrics.panicked();
            Err(Error::Panicked)
        }
        Err(_) => Err(Error::Deadline),
    };
    ctx.metrics.reconciled(result.as_ref().map_or_else(Error::reason, |_| "Converged"), start.elapsed());
    if result.is_ok() {
        ctx.backoff.forget(&key);
    }
    if let Some(failed) = result.as_ref().err().and_then(Error::interrupted) {
        // Whatever panicked or hung may do so again: this must not outlive the run either.
        let last_word = AssertUnwindSafe(say_interrupted(&ctx, &mcp_server, &failed)).catch_unwind();
        timeout(LAST_WORD_DEADLINE, last_word).await.ok();
    }
    result
}

/// A run that wrote no status: what stands stays, but for its summary.
async fn say_interrupted(ctx: &Context, mcp_server: &McpServer, failed: &Failed) {
    let mcp_server = with_standing_status(ctx, mcp_server);
    let next = interrupted(&mcp_server, failed, ctx.clock.now());
    let written = write_status(&ctx.requests, &ctx.written, &ctx.unwritten, &mcp_server, &next).await;
    match written {
        Ok(StatusWrite::Written) => ctx.events.publish(&mcp_server, &next).await,
        Ok(StatusWrite::Same | StatusWrite::HeldBack(_)) => {}
        Err(error) => debug!(error = &error as &dyn std::error::Error, "an interrupted run could not be told"),
    }
}

/// What happens to an object whose run failed. The only place where the error is logged.
#[expect(clippy::needless_pass_by_value, reason = "the runtime hands over what it has cloned")]
pub fn error_policy(mcp_server: Arc<McpServer>, error: &Error, ctx: Arc<Context>) -> Action {
    let name = format!("{}/{}", mcp_server.namespace().unwrap_or_default(), mcp_server.name_any());
    let key = ObjectRef::from_obj(mcp_server.as_ref());
    let delay = ctx.backoff.after_failure(key, error.is_permanent(), chance());
    let delay = error.retry_after().map_or(delay, |asked| asked.max(delay));
    let reason = error.reason();
    let source = error as &dyn std::error::Error;
    match error {
        Error::NamespaceTerminating => {
            info!(mcp_server = name, "left {name} alone, its namespace is going");
            return Action::await_change();
        }
        Error::NotLeader => info!(mcp_server = name, "left {name} to the next leader"),
        Error::Panicked | Error::Deadline => {
            error!(mcp_server = name, reason, error = source, "run of {name} failed, next try in {delay:.1?}");
        }
        _ => warn!(mcp_server = name, reason, error = source, "run of {name} failed, next try in {delay:.1?}"),
    }
    Action::requeue(delay)
}

#[cfg(test)]
mod tests;
