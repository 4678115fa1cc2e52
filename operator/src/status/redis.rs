//! `RedisReady`: what the pods say of the Redis that they share, and for a managed one what Kubernetes says of it.
//!
//! A Redis that is lost costs no pod its readiness and the endpoint not its `Ready`: it is told, and the endpoint counts as
//! degraded. Only a first contact can be asked for (`spec.redis.required`). What a pod says is shown, and decides nothing else.

mod own;

use crds::{
    conditions::Reason,
    gateway_report::{RedisReport, RedisState},
};

use super::{
    concern::{Concern, foreign},
    gateways::{Finding, report, together, unseen},
};
use crate::{
    desired::{
        annotation,
        redis::{credentials_name, redis_name},
    },
    observed::{Observed, ObservedPod},
    validate::{ExternalRedis, ManagedRedis, SecretKeys, ValidRedis, ValidServer},
};

/// Fields of the spec that say how to get into a Redis of the user.
const EXTERNAL: &str = "spec.redis.external";

/// `RedisReady`, of all pods; `None` without a Redis.
pub(super) fn redis(valid: &ValidServer, observed: &Observed, current: &[&ObservedPod]) -> Option<Concern> {
    let redis = valid.redis.as_ref()?;
    let good = Concern::good(Reason::RedisReached, "every pod has reached the Redis, and it takes what is written");
    let said = together(valid, current, good, |valid, pod| of_pod(valid, pod, is_ready));
    let own = match redis {
        ValidRedis::Managed(_) if valid.replicas > 0 => own::trouble(valid, observed, was_reached(valid, current)),
        ValidRedis::Managed(_) | ValidRedis::External(_) => None,
    };
    // What Kubernetes says is the cause of what the pods say.
    Some(own.unwrap_or(said))
}

/// What holds `Ready` under `redis.required`: whether every pod has reached it once.
pub(super) fn first_contacts(valid: &ValidServer, current: &[&ObservedPod]) -> Concern {
    let good = Concern::good(Reason::RedisReached, "every pod has reached the Redis");
    if !valid.config.redis.as_ref().is_some_and(|redis| redis.required) {
        return good;
    }
    together(valid, current, good, |valid, pod| of_pod(valid, pod, |redis| redis.connected_once))
}

fn is_ready(redis: &RedisReport) -> bool {
    redis.state == RedisState::Ready
}

/// Whether a pod of this configuration has had it: what is missing then was lost.
fn was_reached(valid: &ValidServer, current: &[&ObservedPod]) -> bool {
    let reached = |pod: &&ObservedPod| report(valid, pod).is_ok_and(|report| once(report.redis.as_ref()));
    current.iter().any(reached)
}

fn once(redis: Option<&RedisReport>) -> bool {
    redis.is_some_and(|redis| redis.connected_once)
}

fn of_pod(valid: &ValidServer, pod: &ObservedPod, is_fine: impl Fn(&RedisReport) -> bool) -> Finding {
    let report = match report(valid, pod) {
        Ok(report) => report,
        Err(concern) => return Some(concern),
    };
    let Some(redis) = &report.redis else {
        let fix = "use a server image that fits the operator's version";
        return Some(unseen(Reason::ReportUnreadable, format!("the report says nothing about the Redis; {fix}")));
    };
    if is_fine(redis) {
        return None;
    }
    let because = redis.last_error.as_deref().map(|why| format!(" ({})", foreign(why))).unwrap_or_default();
    Some(match redis.state {
        // It was reached a moment ago, or has not been tried to the end.
        RedisState::Ready | RedisState::Pending => Concern::waiting("the Redis is being connected to"),
        RedisState::Full => Concern::wrong(
            Reason::RedisFull,
            format!("the memory of the Redis is full, so that new state is refused{because}; {}", more_memory(valid)),
        ),
        RedisState::Refused => Concern::wrong(
            Reason::RedisRefused,
            format!("the Redis refuses name or password, or what its user may do{because}; {}", way_in(valid)),
        ),
        RedisState::Failing => {
            Concern::wrong(Reason::RedisUnavailable, format!("the Redis cannot be used{because}; {}", way_there(valid)))
        }
    })
}

fn more_memory(valid: &ValidServer) -> &'static str {
    match valid.redis {
        Some(ValidRedis::Managed(_)) => "raise spec.redis.managed.resources.limits.memory, or lower spec.sessions",
        Some(ValidRedis::External(_)) | None => "raise its maxmemory, or lower spec.sessions",
    }
}

/// Where to look when it cannot be reached.
fn way_there(valid: &ValidServer) -> String {
    match &valid.redis {
        Some(ValidRedis::External(external)) => {
            let secret = external.credentials.as_ref().map(|keys| format!(", {}", named(keys))).unwrap_or_default();
            let tls = if valid.config.redis.as_ref().is_some_and(|redis| redis.tls.is_some()) {
                format!(", {EXTERNAL}.tls")
            } else {
                String::new()
            };
            format!("check {EXTERNAL}.addresses{tls}{secret}, and that the gateway's pods may reach it")
        }
        Some(ValidRedis::Managed(_)) | None => format!(
            "look at its pod: kubectl describe pod {0}-0, kubectl logs {0}-0, and that policies let the gateway's pods reach it",
            redis_name(&valid.name)
        ),
    }
}

/// Where to look when it lets nobody in.
fn way_in(valid: &ValidServer) -> String {
    match &valid.redis {
        Some(ValidRedis::External(ExternalRedis { credentials: Some(keys), .. })) => {
            let prefix = valid.config.redis.as_ref().map(|redis| redis.key_prefix.as_str()).unwrap_or_default();
            format!("check {}, and that the user's ACL has keys and channels {prefix}*", named(keys))
        }
        Some(ValidRedis::External(ExternalRedis { credentials: None, .. })) | None => {
            format!("set {EXTERNAL}.credentialsSecretRef.name to a Secret with name and password of its user")
        }
        Some(ValidRedis::Managed(managed)) => own_secret(valid, managed),
    }
}

fn own_secret(valid: &ValidServer, managed: &ManagedRedis) -> String {
    let secret = credentials_name(&valid.name, &valid.owner.uid, managed.credentials.gateway);
    let fix = format!(
        "kubectl annotate mcpservers.mcpfoundry.dev/{} {}=\"$(date +%s)\" --overwrite",
        valid.name,
        annotation::ROTATE_AT
    );
    format!("if the Secret `{secret}` was deleted or made by hand, ask for new credentials: {fix}")
}

/// A user's Secret, by the fields that name it.
fn named(keys: &SecretKeys) -> String {
    let SecretKeys { secret, username, password } = keys;
    let username = username.as_ref().map(|key| format!(" .usernameKey `{key}`,")).unwrap_or_default();
    format!("{EXTERNAL}.credentialsSecretRef (.name `{secret}`,{username} .passwordKey `{password}`)")
}
