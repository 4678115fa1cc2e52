//! Log lines: one JSON object each, with a closed set of members (features.md, P1-04).
//!
//! `ts, level, target, msg`, then those that apply of [`FIELDS`]. A field of any other name is
//! appended to `msg` unless it is said there, so that the set stays closed and nothing is lost. Fields
//! of the enclosing spans count, the innermost wins: that is how each line of a request has its
//! correlation id.

use std::{
    fmt::{self, Write as _},
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use crds::gateway_config::LogLevel;
use serde_json::Value;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::{Context, SubscriberExt as _},
    registry::{LookupSpan, Registry, Scope},
};

use crate::clock::Clock;

/// The members that a line may have beside `ts, level, target, msg`, in their order.
pub const FIELDS: [&str; 10] =
    ["correlation_id", "trace_id", "span_id", "server", "tool", "sub", "iss", "client_id", "outcome", "duration_ms"];

/// The crates whose own level the configuration sets; all others only warn, since they may write what
/// they carry.
const OURS: [&str; 2] = ["server", "mcp_server"];

/// Where lines go.
pub type Output = Box<dyn Write + Send>;

/// What collects events and writes lines. `server` is `<namespace>/<name>` of the `McpServer`.
pub fn subscriber(
    level: LogLevel,
    server: String,
    output: Output,
    clock: Arc<dyn Clock>,
) -> impl Subscriber + Send + Sync {
    let lines = JsonLines { server, output: Mutex::new(output), clock };
    Registry::default().with(lines.with_filter(filter(level)))
}

fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets(OURS.map(|target| (target, level)))
}

struct JsonLines {
    server: String,
    output: Mutex<Output>,
    clock: Arc<dyn Clock>,
}

/// The fields of a span or an event.
#[derive(Default)]
struct Fields {
    known: [Option<Value>; FIELDS.len()],
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        match FIELDS.iter().position(|name| *name == field.name()) {
            Some(index) => self.known[index] = Some(value),
            None => self.others.push((field.name(), value)),
        }
    }

    /// `inner` is nearer to the event, so what it says counts.
    fn overlay(&mut self, inner: &Self) {
        for (outer, inner) in self.known.iter_mut().zip(&inner.known) {
            if inner.is_some() {
                outer.clone_from(inner);
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.set(field, Value::String(format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.set(field, value.into());
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for JsonLines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.overlay(outer);
            }
        }
        event.record(&mut fields);
        let metadata = event.metadata();
        self.write(*metadata.level(), metadata.target(), fields);
    }
}

impl JsonLines {
    fn write(&self, level: Level, target: &str, fields: Fields) {
        let Fields { known, mut message, others } = fields;
        for (name, value) in others {
            // A line that reads well alone has said it already.
            if !value.as_str().is_some_and(|text| message.contains(text)) {
                let _ = write!(message, " {name}={value}");
            }
        }
        let mut line = Line::new();
        line.member("ts", &self.clock.now().to_string().into());
        line.member("level", &level.as_str().into());
        line.member("target", &target.into());
        line.member("msg", &message.into());
        for (name, value) in FIELDS.iter().zip(known) {
            match value {
                Some(value) => line.member(name, &value),
                None if *name == "server" => line.member(name, &self.server.as_str().into()),
                None => {}
            }
        }
        // One write for a line, so that lines of two threads never mix. A reader that is gone is no
        // reason to stop serving.
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = output.write_all(line.end().as_bytes());
        let _ = output.flush();
    }
}

/// A JSON object under construction; a map would sort its members.
struct Line(String);

impl Line {
    fn new() -> Self {
        Self(String::with_capacity(512))
    }

    fn member(&mut self, name: &str, value: &Value) {
        let comma = if self.0.is_empty() { '{' } else { ',' };
        let _ = write!(self.0, "{comma}\"{name}\":{value}");
    }

    fn end(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }
}

#[cfg(test)]
mod tests;
