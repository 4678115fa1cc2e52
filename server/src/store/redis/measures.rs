//! What is counted about a Redis: how long requests take, why they fail, whether it is left alone.
//!
//! Labels come from closed sets alone. [`crate::metrics`] shows them; without a Redis there are none.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{breaker::BreakerState, fault::Fault, wire::Operation};

/// Chosen: from a round trip within a node to the deadline of a command, 0.25 s, and one above it.
const BUCKETS: [f64; 10] = [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0];

/// Cheap to clone: all clones count together.
#[derive(Clone, Debug)]
pub struct RedisMeasures {
    durations: Family<OperationLabels, Histogram>,
    failures: Family<FailureLabels, Counter>,
    breaker: Family<BreakerLabels, Gauge>,
    connections: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BreakerLabels {
    state: &'static str,
}

impl Default for RedisMeasures {
    fn default() -> Self {
        let measures = Self {
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            failures: Family::default(),
            breaker: Family::default(),
            connections: Counter::default(),
        };
        // A series that appears with its first event hides that event from `rate()`.
        for operation in Operation::ALL.map(Operation::as_str) {
            drop(measures.durations.get_or_create(&OperationLabels { operation }));
        }
        for reason in Fault::REASONS {
            drop(measures.failures.get_or_create(&FailureLabels { reason }));
        }
        measures.breaker_is(BreakerState::Closed);
        measures
    }
}

impl RedisMeasures {
    /// Shows them in `registry`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let durations = self.durations.clone();
        registry.register(
            "redis_operation_duration_seconds",
            "Time that an operation of the shared store took",
            durations,
        );
        let failures = self.failures.clone();
        registry.register("redis_failures", "Operations and connections of the shared store that failed", failures);
        let breaker = self.breaker.clone();
        registry.register("redis_breaker", "1 for the state that the breaker of the shared store is in", breaker);
        registry.register(
            "redis_connections",
            "How often the shared store was connected to for requests",
            self.connections.clone(),
        );
    }

    pub(super) fn took(&self, operation: Operation, duration: Duration) {
        let labels = OperationLabels { operation: operation.as_str() };
        self.durations.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    pub(super) fn failed(&self, fault: Fault) {
        self.failures.get_or_create(&FailureLabels { reason: fault.reason() }).inc();
    }

    pub(super) fn breaker_is(&self, current: BreakerState) {
        for state in BreakerState::NAMES {
            let is_current = i64::from(state == current.as_str());
            self.breaker.get_or_create(&BreakerLabels { state }).set(is_current);
        }
    }

    pub(super) fn connected(&self) {
        self.connections.inc();
    }
}
