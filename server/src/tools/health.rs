//! What `health_check` is told, and how that becomes a verdict. Pure: measuring is the edge's work.
//!
//! A check that does not apply is absent; what cannot be measured is said to be unmeasured. Reasons
//! hold no address, no error text and no name from the configuration.

use std::time::Duration;

use crds::gateway_report::{KeySetState, RedisState};
use serde::Serialize;

/// Share of the limit from which memory is `degraded`, in percent.
/// Chosen: the kernel starts to reclaim well before; there is time to act.
const MEMORY_DEGRADED_PERCENT: u64 = 80;

/// Share of the limit from which memory is `failing`, in percent: the next burst may be the last.
const MEMORY_FAILING_PERCENT: u64 = 95;

/// Measures when it is asked. Implemented at the edge; must not block.
pub trait HealthProbe: Send + Sync {
    /// The facts of this moment.
    fn health(&self) -> HealthInputs;
}

/// The facts that the verdict is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthInputs {
    /// One entry for each issuer; `None` when nobody authenticates.
    pub issuers: Option<Vec<IssuerHealth>>,
    /// Use of memory against the limit.
    pub memory: MemoryHealth,
    /// The trace exporter; `None` when no collector is configured.
    pub telemetry: Option<TelemetryHealth>,
    /// The shared store; `None` when there is none.
    pub redis: Option<RedisState>,
}

/// The key set of one issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuerHealth {
    /// As in the report to the operator.
    pub state: KeySetState,
    /// How long ago the set in force was fetched; `None` before the first.
    pub key_age: Option<Duration>,
    /// Whether the latest refresh failed.
    pub last_refresh_failed: bool,
}

/// Use of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryHealth {
    /// What the process uses; `None` when it cannot be read.
    pub used_bytes: Option<u64>,
    /// The cgroup's limit; `None` when there is none.
    pub limit_bytes: Option<u64>,
}

/// The trace exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TelemetryHealth {
    /// Nothing was exported yet.
    Idle,
    /// The latest export succeeded.
    Exporting,
    /// The latest export failed: spans are being lost.
    Failing,
}

/// A verdict; the order is from good to bad, so the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// As it should be.
    Passing,
    /// It works, but somebody should look.
    Degraded,
    /// It does not work.
    Failing,
}

/// The verdict on one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) status: HealthStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

impl Check {
    fn new(status: HealthStatus, reason: impl Into<String>) -> Self {
        Self { status, reason: Some(reason.into()) }
    }

    fn passing() -> Self {
        Self { status: HealthStatus::Passing, reason: None }
    }
}

/// The verdicts, those that apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Checks {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth: Option<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) redis: Option<Check>,
    pub(super) memory: Check,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) telemetry: Option<Check>,
}

impl Checks {
    pub(super) fn of(inputs: &HealthInputs) -> Self {
        Self {
            auth: inputs.issuers.as_deref().map(auth),
            redis: inputs.redis.map(redis),
            memory: memory(inputs.memory),
            telemetry: inputs.telemetry.map(telemetry),
        }
    }

    /// The worst of all.
    pub(super) fn status(&self) -> HealthStatus {
        let Self { auth, redis, memory, telemetry } = self;
        let optional = [auth, redis, telemetry].into_iter().flatten();
        optional.map(|check| check.status).fold(memory.status, Ord::max)
    }
}

/// Tokens of an issuer without usable keys are refused; with one such issuer among several the others
/// still serve.
fn auth(issuers: &[IssuerHealth]) -> Check {
    let all = issuers.len();
    let unusable =
        issuers.iter().filter(|issuer| matches!(issuer.state, KeySetState::Pending | KeySetState::Expired)).count();
    let stale: Vec<&IssuerHealth> =
        issuers.iter().filter(|issuer| issuer.state == KeySetState::Stale || issuer.last_refresh_failed).collect();
    if unusable == all {
        return Check::new(HealthStatus::Failing, "no issuer has usable keys");
    }
    if unusable > 0 {
        let reason = format!("{unusable} of {all} issuers have no usable keys");
        return Check::new(HealthStatus::Degraded, reason);
    }
    if !stale.is_empty() {
        let oldest = stale.iter().filter_map(|issuer| issuer.key_age).max().unwrap_or_default();
        let reason = format!(
            "keys of {} of {all} issuers could not be refreshed, the oldest are {} s old",
            stale.len(),
            oldest.as_secs()
        );
        return Check::new(HealthStatus::Degraded, reason);
    }
    Check::passing()
}

/// Calls are served without it; what is lost says so itself.
fn redis(state: RedisState) -> Check {
    match state {
        RedisState::Ready => Check::passing(),
        RedisState::Pending => Check::new(HealthStatus::Degraded, "the shared store was not reached yet"),
        RedisState::Full => Check::new(HealthStatus::Degraded, "the shared store is full and takes nothing new"),
        RedisState::Failing => Check::new(HealthStatus::Failing, "the shared store cannot be used"),
        RedisState::Refused => {
            Check::new(HealthStatus::Failing, "the shared store refuses the gateway's user, or what it may do")
        }
    }
}

fn memory(memory: MemoryHealth) -> Check {
    let Some(used) = memory.used_bytes else {
        return Check::new(HealthStatus::Degraded, "memory use cannot be read");
    };
    let Some(limit) = memory.limit_bytes.filter(|limit| *limit > 0) else {
        return Check::new(HealthStatus::Passing, "no memory limit is set");
    };
    let percent = u64::try_from(u128::from(used) * 100 / u128::from(limit)).unwrap_or(u64::MAX);
    let status = match percent {
        MEMORY_FAILING_PERCENT.. => HealthStatus::Failing,
        MEMORY_DEGRADED_PERCENT.. => HealthStatus::Degraded,
        _ => return Check::passing(),
    };
    Check::new(status, format!("{percent} % of the memory limit are in use"))
}

fn telemetry(telemetry: TelemetryHealth) -> Check {
    match telemetry {
        TelemetryHealth::Idle => Check::new(HealthStatus::Passing, "nothing was exported yet"),
        TelemetryHealth::Exporting => Check::passing(),
        TelemetryHealth::Failing => Check::new(HealthStatus::Degraded, "the latest export of traces failed"),
    }
}

#[cfg(test)]
mod tests;
