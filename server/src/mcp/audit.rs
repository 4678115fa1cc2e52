//! What the edge writes down about each request: span, metrics, log line. `mcp` says when; it knows none of them.

use std::sync::Arc;

use super::{
    params::TraceContext,
    record::{CallOutcome, CallRecord},
};

/// Begins to observe requests.
pub trait Audit: Sync {
    /// A message has been read; nothing has run. What is known of it stands in `record`.
    fn begin(&self, record: &CallRecord, trace_context: &TraceContext<'_>) -> Box<dyn Observation>;
}

/// Observes one request to its end.
pub trait Observation: Send {
    /// The trace of the request, as a W3C `traceparent` for whoever is called further on.
    fn traceparent(&self) -> Option<Arc<str>>;

    /// The request has ended as `record` says. `streamed` tells that its HTTP answer began long before.
    fn ended(self: Box<Self>, record: &CallRecord, streamed: bool);
}

/// A request that has not ended: tells its end once, whatever happens.
pub(super) struct Ending {
    /// `None` once it has been told.
    open: Option<Open>,
    pub(super) streamed: bool,
}

struct Open {
    observation: Box<dyn Observation>,
    record: CallRecord,
}

/// Why there is something to tell.
const UNTOLD: &str = "whoever tells the end gives the ending away";

impl Ending {
    pub(super) fn new(observation: Box<dyn Observation>, record: CallRecord) -> Self {
        Self { open: Some(Open { observation, record }), streamed: false }
    }

    /// What is known so far.
    pub(super) fn record(&self) -> &CallRecord {
        &self.open.as_ref().expect(UNTOLD).record
    }

    pub(super) fn traceparent(&self) -> Option<Arc<str>> {
        self.open.as_ref().and_then(|open| open.observation.traceparent())
    }

    /// How it ended, for the log line too.
    pub(super) fn end(mut self, outcome: CallOutcome) -> CallRecord {
        self.open.take().expect(UNTOLD).tell(outcome, self.streamed)
    }
}

impl Open {
    fn tell(self, outcome: CallOutcome, streamed: bool) -> CallRecord {
        let Self { observation, mut record } = self;
        record.outcome = Some(outcome);
        observation.ended(&record, streamed);
        record
    }
}

impl Drop for Ending {
    /// The work was dropped: the client is gone.
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            open.tell(CallOutcome::Cancelled, self.streamed);
        }
    }
}
