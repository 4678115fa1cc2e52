//! What the operator counts, for `/metrics`. Labels come from small closed sets.
//!
//! Requests are counted in the HTTP stack of each client, so that what is exported is what was sent.

use std::{
    pin::Pin,
    sync::atomic::AtomicU64,
    task::{Context, Poll},
    time::Duration,
};

use http::{Method, Request, Response, Uri};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tower::{Layer, Service};

/// Upper bounds of reconcile durations, in seconds: no-op runs take well under a millisecond, a
/// create tens of milliseconds, a run at its deadline two minutes.
const DURATION_BUCKETS: [f64; 9] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 120.0];

/// All counters; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    reconciles: Family<OutcomeLabel, Counter>,
    duration: Histogram,
    requests: Family<RequestLabels, Counter>,
    panics: Counter,
    watch_errors: Family<KindLabel, Counter>,
    leader: Gauge<f64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    verb: String,
    resource: String,
    code: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            reconciles: Family::default(),
            duration: Histogram::new(DURATION_BUCKETS),
            requests: Family::default(),
            panics: Counter::default(),
            watch_errors: Family::default(),
            leader: Gauge::default(),
        }
    }
}

impl Metrics {
    /// One run has ended.
    pub fn reconciled(&self, outcome: &str, took: Duration) {
        self.reconciles.get_or_create(&OutcomeLabel { outcome: outcome.to_owned() }).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// One run has panicked.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// A watch has ended in an error; it starts again by itself.
    pub fn watch_failed(&self, kind: &str) {
        self.watch_errors.get_or_create(&KindLabel { kind: kind.to_owned() }).inc();
    }

    /// Whether this process holds the Lease.
    pub fn leads(&self, leads: bool) {
        self.leader.set(f64::from(u8::from(leads)));
    }

    fn requested(&self, (verb, resource): (&str, &str), code: Option<u16>) {
        let labels = RequestLabels {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            code: code.map_or_else(|| "none".to_owned(), |code| code.to_string()),
        };
        self.requests.get_or_create(&labels).inc();
    }

    /// Everything in the text format of OpenMetrics.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let Self { reconciles, duration, requests, panics, watch_errors, leader } = self;
        let mut registry = Registry::with_prefix("mcp_operator");
        registry.register("reconciles", "Runs by outcome", reconciles.clone());
        registry.register_with_unit("reconcile_duration", "How long a run took", Unit::Seconds, duration.clone());
        registry.register("api_requests", "Requests to the Kubernetes API", requests.clone());
        registry.register("panics", "Runs that panicked", panics.clone());
        registry.register("watch_errors", "Watches that ended in an error", watch_errors.clone());
        registry.register("leader", "1 while this process holds the Lease", leader.clone());
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// Counts each request of a client with verb, resource and code.
#[derive(Clone)]
pub struct CountRequests(pub Metrics);

impl<S> Layer<S> for CountRequests {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, metrics: self.0.clone() }
    }
}

/// A client whose requests are counted.
pub struct Counted<S> {
    inner: S,
    metrics: Metrics,
}

impl<S, B, R> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (verb, resource) = verb_and_resource(request.method(), request.uri());
        let metrics = self.metrics.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            metrics.requested((verb, &resource), code);
            answer
        })
    }
}

/// `("patch", "deployments")` of `PATCH /apis/apps/v1/namespaces/a/deployments/b`. A subresource
/// counts as its resource with a slash: `mcpservers/status`.
fn verb_and_resource(method: &Method, uri: &Uri) -> (&'static str, String) {
    let mut segments = uri.path().split('/').filter(|segment| !segment.is_empty());
    let skipped = if segments.next() == Some("apis") { 2 } else { 1 };
    let mut rest: Vec<&str> = segments.skip(skipped).collect();
    if rest.first() == Some(&"namespaces") && rest.len() > 2 {
        rest.drain(..2);
    }
    let resource = match rest.as_slice() {
        [resource, _, subresource, ..] => format!("{resource}/{subresource}"),
        [resource, ..] => (*resource).to_owned(),
        [] => "none".to_owned(),
    };
    let watches = uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"));
    let verb = match *method {
        Method::GET if watches => "watch",
        Method::GET if rest.len() < 2 => "list",
        Method::GET => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    };
    (verb, resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verb_and_resource_are_read_from_method_and_path() {
        for (method, uri, verb, resource) in [
            (Method::PATCH, "/apis/apps/v1/namespaces/a/deployments/b?force=true", "patch", "deployments"),
            (Method::GET, "/api/v1/namespaces/a/configmaps/b", "get", "configmaps"),
            (Method::GET, "/api/v1/configmaps?&limit=50", "list", "configmaps"),
            (Method::GET, "/api/v1/namespaces/a/pods?&watch=true&x=1", "watch", "pods"),
            (
                Method::PATCH,
                "/apis/mcpfoundry.dev/v1alpha1/namespaces/a/mcpservers/b/status",
                "patch",
                "mcpservers/status",
            ),
            (Method::GET, "/", "list", "none"),
        ] {
            assert_eq!(verb_and_resource(&method, &uri.parse().unwrap()), (verb, resource.to_owned()), "{uri}");
        }
    }

    #[test]
    fn the_text_names_every_counter() {
        let metrics = Metrics::default();
        metrics.reconciled("applied", Duration::from_millis(3));
        metrics.leads(true);
        metrics.requested(("patch", "services"), Some(200));
        let text = metrics.text().unwrap();
        for line in [
            r#"mcp_operator_reconciles_total{outcome="applied"} 1"#,
            "mcp_operator_leader 1.0",
            r#"mcp_operator_api_requests_total{verb="patch",resource="services",code="200"} 1"#,
            "mcp_operator_panics_total 0",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
