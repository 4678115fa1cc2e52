//! Log lines: one JSON object each, with a closed set of members (features.md, P1-04).
//!
//! Collects events of `tracing` and nothing else of it: what ties the lines of a request together is
//! [`in_request`], which costs a request two words where a span costs a lookup for each step. [`line`]
//! makes the text, [`writer`] takes it out of the process.

mod line;
mod writer;

use std::{cell::Cell, future::Future, sync::Arc};

use crds::gateway_config::LogLevel;
use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::SpanIds;
use crate::clock::Clock;
pub use line::FIELDS;
use line::Line;
pub use writer::{LogQueue, LogWriter};

/// The crates whose own level the configuration sets; all others only warn, since they may write what
/// they carry.
const OURS: [&str; 2] = ["server", "mcp_server"];

/// The largest line whose memory is kept for the next one.
const MAX_KEPT_BYTES: usize = 16 * 1024;

tokio::task_local! {
    static REQUEST: RequestIds;
}

thread_local! {
    /// Memory for the next line of this thread.
    static LINE: Cell<Line> = Cell::default();
}

/// What every line of a request carries, unless the line says it itself.
#[derive(Clone, Debug)]
pub struct RequestIds {
    /// Ties the lines to the answer.
    pub correlation_id: Arc<str>,
    /// Of the request's HTTP span.
    pub span: SpanIds,
}

/// Runs `work` so that each line that it logs carries `ids`.
pub fn in_request<F: Future>(ids: RequestIds, work: F) -> impl Future<Output = F::Output> {
    REQUEST.scope(ids, work)
}

/// The same for a few lines that wait for nothing.
pub fn of_request(ids: RequestIds, work: impl FnOnce()) {
    REQUEST.sync_scope(ids, work);
}

/// What collects events and makes lines. `server` is `<namespace>/<name>` of the `McpServer`.
pub fn subscriber(
    level: LogLevel,
    server: String,
    output: LogQueue,
    clock: Arc<dyn Clock>,
) -> impl Subscriber + Send + Sync {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let others = level.min(LevelFilter::WARN);
    let filter = Targets::new().with_default(others).with_targets(OURS.map(|target| (target, level)));
    JsonLines { level, filter, server, output, clock }
}

struct JsonLines {
    /// The most talkative level of all.
    level: LevelFilter,
    filter: Targets,
    server: String,
    output: LogQueue,
    clock: Arc<dyn Clock>,
}

impl Subscriber for JsonLines {
    /// Decided once for each place that logs: level and target never change.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.is_span() && self.filter.would_enable(metadata.target(), metadata.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        // Taken, not borrowed: a value may log while it is formatted.
        let mut line = LINE.take();
        event.record(&mut line);
        // Without a request there is nothing to add.
        let _ = REQUEST.try_with(|ids| line.add_request(ids));
        self.output.push(line.finish(event.metadata(), &self.server, self.clock.now()));
        if line.capacity() <= MAX_KEPT_BYTES {
            line.clear();
            LINE.set(line);
        }
    }

    // Spans are never enabled, so none of these is called.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
mod tests;
