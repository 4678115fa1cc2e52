//! Counters, gauges and histograms of the process, for `/metrics` on the admin listener.
//!
//! Labels come from closed sets alone: methods, existing tools, outcomes, reasons, configured issuers.
//! Never a subject, never what a caller typed. Nothing is shown that was not measured.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabel as _, EncodeLabelSet, LabelSetEncoder, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::{
    auth::{AuthHealth, InvalidToken},
    mcp::{CallOutcome, CallRecord},
    store::RedisMeasures,
};

/// Source: OpenTelemetry conventions for MCP, advised buckets of `mcp.server.operation.duration`; those below
/// 0.01 are ours, since the gateway's own tools answer in less.
const DURATION_BUCKETS: [f64; 19] = [
    0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0,
    300.0,
];

/// All of them. Written by layers and handlers, read by the admin listener.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RequestLabels, Histogram>,
    refusals: Family<RefusalLabels, Counter>,
    in_flight: Gauge,
    key_set_age: Family<IssuerLabels, Gauge>,
    keys_skipped: Family<SkippedLabels, Gauge>,
    streams: Gauge,
    sessions: Gauge,
    places: Gauge,
    connections: Gauge,
    policy_reloads: Family<ReloadLabels, Counter>,
    key_cache_failures: Counter,
    clock_steps: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct RequestLabels {
    method: &'static str,
    /// Only of a tool that exists.
    tool: Option<Arc<str>>,
    outcome: &'static str,
}

/// By hand, since a request without a tool has no such label, rather than an empty one.
impl EncodeLabelSet for RequestLabels {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), fmt::Error> {
        ("method", self.method).encode(encoder.encode_label())?;
        if let Some(tool) = &self.tool {
            ("tool", &**tool).encode(encoder.encode_label())?;
        }
        ("outcome", self.outcome).encode(encoder.encode_label())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SkippedLabels {
    issuer: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IssuerLabels {
    issuer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    outcome: &'static str,
}

/// A request in flight; it counts until it is dropped, also when its client goes away.
#[must_use]
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A connection; it counts until it is dropped.
#[must_use]
pub struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("mcp_server"),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            refusals: Family::default(),
            in_flight: Gauge::default(),
            streams: Gauge::default(),
            sessions: Gauge::default(),
            places: Gauge::default(),
            connections: Gauge::default(),
            key_set_age: Family::default(),
            keys_skipped: Family::default(),
            policy_reloads: Family::default(),
            key_cache_failures: Counter::default(),
            clock_steps: Counter::default(),
        };
        metrics.register();
        metrics.start_at_zero();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("requests", "MCP requests that were answered", self.requests.clone());
        registry.register(
            "operation_duration_seconds",
            "Time from the read body of an MCP request to its answer",
            self.durations.clone(),
        );
        registry.register("refusals", "Requests that no handler answered", self.refusals.clone());
        registry.register("requests_in_flight", "HTTP requests being worked on", self.in_flight.clone());
        registry.register("streams", "Open streams: subscriptions/listen and GET in a session", self.streams.clone());
        registry.register(
            "sessions",
            "Sessions of older revisions that this process holds state of",
            self.sessions.clone(),
        );
        registry.register(
            "places",
            "Requests that hold one of the places for work, until their answers are taken",
            self.places.clone(),
        );
        registry.register("connections", "Open connections of the public listener", self.connections.clone());
        registry.register(
            "key_set_age_seconds",
            "Time since the keys in force of an issuer were fetched; absent without keys",
            self.key_set_age.clone(),
        );
        registry.register(
            "key_set_skipped_keys",
            "Keys of an issuer's set in force that are not used, by reason; absent without keys",
            self.keys_skipped.clone(),
        );
        registry.register(
            "key_cache_failures",
            "Key sets of issuers that could not be kept on disk, or removed from it",
            self.key_cache_failures.clone(),
        );
        registry.register(
            "clock_steps",
            "Steps of the time of day of more than 30 s: tokens are judged by another time",
            self.clock_steps.clone(),
        );
        registry.register("policy_reloads", "Changed policy files that were read", self.policy_reloads.clone());
    }

    /// A series that appears with its first event hides that event from `rate()`.
    fn start_at_zero(&self) {
        let refusals = InvalidToken::ALL.map(InvalidToken::as_str);
        let others = ["missing_credential", "keys_unavailable", "overloaded", "host_unknown", "origin_not_allowed"];
        for reason in refusals.into_iter().chain(others) {
            drop(self.refusals.get_or_create(&RefusalLabels { reason }));
        }
        for outcome in ["loaded", "refused"] {
            drop(self.policy_reloads.get_or_create(&ReloadLabels { outcome }));
        }
    }

    /// Shows what is counted about a Redis. Without this there are no such series.
    pub(crate) fn show_redis(&mut self, measures: &RedisMeasures) {
        measures.register(&mut self.registry);
    }

    /// A request came; it is in flight until the answer of this is dropped.
    pub fn request_began(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// A connection was accepted; it is open until the answer of this is dropped.
    pub fn connection_opened(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// An MCP request was answered.
    pub fn request_ended(&self, record: &CallRecord, duration: Duration) {
        let labels = RequestLabels {
            method: record.method.as_str(),
            tool: record.tool.clone(),
            outcome: record.outcome.map_or("unknown", CallOutcome::as_str),
        };
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// A request was refused, or a connection was not accepted. `reason` is from a closed set.
    pub fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&RefusalLabels { reason }).inc();
    }

    /// A changed policy file was read.
    pub fn policy_reloaded(&self, loaded: bool) {
        let outcome = if loaded { "loaded" } else { "refused" };
        self.policy_reloads.get_or_create(&ReloadLabels { outcome }).inc();
    }

    /// The time of day has stepped.
    pub fn clock_stepped(&self) {
        self.clock_steps.inc();
    }

    /// What is open at this moment.
    pub fn set_open(&self, streams: usize, sessions: usize, places: usize) {
        self.places.set(i64::try_from(places).unwrap_or(i64::MAX));
        self.streams.set(i64::try_from(streams).unwrap_or(i64::MAX));
        self.sessions.set(i64::try_from(sessions).unwrap_or(i64::MAX));
    }

    /// Everything in the text format of OpenMetrics. `auth` is `None` when nobody authenticates.
    pub fn encode(&self, auth: Option<&AuthHealth>) -> String {
        self.key_set_age.clear();
        self.keys_skipped.clear();
        // Counted where it happens, which knows of no metrics.
        let failures = auth.map_or(0, |auth| auth.key_cache_failures);
        self.key_cache_failures.inner().store(failures, Ordering::Relaxed);
        for issuer in auth.iter().flat_map(|auth| &auth.issuers) {
            if let Some(age) = issuer.key_age {
                let labels = IssuerLabels { issuer: issuer.issuer.clone() };
                self.key_set_age.get_or_create(&labels).set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
                for (reason, count) in issuer.skipped_keys.by_reason() {
                    let labels = SkippedLabels { issuer: issuer.issuer.clone(), reason };
                    self.keys_skipped.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
                }
            }
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }
}

#[cfg(test)]
mod tests {
    use crds::gateway_report::KeySetState;

    use super::*;
    use crate::{
        auth::{IssuerHealth, SkippedKeys},
        mcp::MethodLabel,
    };

    fn record(tool: Option<&str>, outcome: CallOutcome) -> CallRecord {
        CallRecord {
            method: MethodLabel::ToolsCall,
            tool: tool.map(Into::into),
            session: None,
            request_id: Some("never-a-label".into()),
            protocol_version: None,
            outcome: Some(outcome),
        }
    }

    #[test]
    fn a_fresh_process_shows_zeros_and_no_invented_series() {
        let text = Metrics::default().encode(None);
        assert!(text.contains("mcp_server_refusals_total{reason=\"expired\"} 0\n"), "{text}");
        assert!(text.contains("mcp_server_requests_in_flight 0\n"), "{text}");
        assert!(text.contains("mcp_server_key_cache_failures_total 0\n"), "{text}");
        assert!(!text.contains("key_set_age_seconds{"), "{text}");
    }

    #[test]
    fn what_authentication_counts_is_shown_as_it_stands() {
        let metrics = Metrics::default();
        for failures in [3, 4] {
            let text = metrics.encode(Some(&AuthHealth { issuers: Vec::new(), key_cache_failures: failures }));
            assert!(text.contains(&format!("mcp_server_key_cache_failures_total {failures}\n")), "{text}");
        }
    }

    #[test]
    fn each_reason_for_which_keys_are_left_out_is_shown() {
        let issuer = IssuerHealth {
            issuer: "https://login.example.com".to_owned(),
            state: KeySetState::Ready,
            key_age: Some(Duration::from_secs(7)),
            skipped_keys: SkippedKeys { weak: 1, unsupported: 2, other_use: 0, malformed: 3 },
            last_error: None,
        };
        let text = Metrics::default().encode(Some(&AuthHealth { issuers: vec![issuer], key_cache_failures: 0 }));
        for (reason, count) in [("weak", 1), ("unsupported", 2), ("other_use", 0), ("malformed", 3)] {
            let line = format!(
                "mcp_server_key_set_skipped_keys{{issuer=\"https://login.example.com\",reason=\"{reason}\"}} {count}\n"
            );
            assert!(text.contains(&line), "{text}");
        }
    }

    #[test]
    fn a_call_is_counted_by_method_tool_and_outcome_alone() {
        let metrics = Metrics::default();
        metrics.request_ended(&record(Some("ping"), CallOutcome::Success), Duration::from_millis(15));
        let text = metrics.encode(None);
        let labels = r#"{method="tools/call",tool="ping",outcome="success"}"#;
        assert!(text.contains(&format!("mcp_server_requests_total{labels} 1\n")), "{text}");
        for bound in ["0.0001", "0.0005", "0.001", "0.0025", "0.005", "0.02"] {
            let bucket = format!("mcp_server_operation_duration_seconds_bucket{{le=\"{bound}\"");
            assert!(text.contains(&bucket), "{text}");
        }
        assert!(!text.contains("never-a-label"), "{text}");
        metrics.request_ended(&record(None, CallOutcome::Accepted), Duration::ZERO);
        let labels = r#"{method="tools/call",outcome="accepted"}"#;
        assert!(metrics.encode(None).contains(&format!("mcp_server_requests_total{labels} 1\n")));
    }

    #[test]
    fn a_request_is_in_flight_until_it_is_dropped() {
        let metrics = Metrics::default();
        let request = metrics.request_began();
        assert!(metrics.encode(None).contains("mcp_server_requests_in_flight 1\n"));
        drop(request);
        assert!(metrics.encode(None).contains("mcp_server_requests_in_flight 0\n"));
    }
}
