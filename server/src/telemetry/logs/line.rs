//! One log line under construction: `ts, level, target, msg`, then those that apply of [`FIELDS`].
//!
//! A field of any other name is appended to `msg` unless it is said there, so that the set stays closed
//! and nothing is lost. Values are written as JSON when they come, into memory that serves many lines.

use std::{
    fmt::{self, Write as _},
    ops::Range,
};

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};
use serde::Serialize;
use serde_json::Value;
use tracing::{
    Metadata,
    field::{Field, Visit},
};

use super::RequestIds;

/// The members that a line may have beside `ts, level, target, msg`, in their order.
pub const FIELDS: [&str; 10] =
    ["correlation_id", "trace_id", "span_id", "server", "tool", "sub", "iss", "client_id", "outcome", "duration_ms"];

/// Positions in [`FIELDS`].
const CORRELATION_ID: usize = 0;
const TRACE_ID: usize = 1;
const SPAN_ID: usize = 2;
const SERVER: usize = 3;

/// A line under construction.
#[derive(Default)]
pub(super) struct Line {
    /// The line itself; empty until it is finished.
    text: Vec<u8>,
    /// Values of known fields as JSON, in the order in which they came.
    values: Vec<u8>,
    /// Where in `values` each of [`FIELDS`] is.
    known: [Option<Range<usize>>; FIELDS.len()],
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Line {
    /// What is known of the request, where the line does not say otherwise.
    pub(super) fn add_request(&mut self, ids: &RequestIds) {
        if self.known[CORRELATION_ID].is_none() {
            self.put(CORRELATION_ID, &*ids.correlation_id);
        }
        if self.known[TRACE_ID].is_none() {
            self.put_hex(TRACE_ID, &ids.span.trace_id.to_bytes());
        }
        if self.known[SPAN_ID].is_none() {
            self.put_hex(SPAN_ID, &ids.span.span_id.to_bytes());
        }
    }

    /// The whole line.
    pub(super) fn finish(&mut self, metadata: &Metadata<'_>, server: &str, now: Timestamp) -> &[u8] {
        static PRINTER: DateTimePrinter = DateTimePrinter::new();
        for (name, value) in std::mem::take(&mut self.others) {
            // A line that reads well alone has said it already.
            if !value.as_str().is_some_and(|text| self.message.contains(text)) {
                let _ = write!(self.message, " {name}={value}");
            }
        }
        if self.known[SERVER].is_none() {
            self.put(SERVER, server);
        }
        let text = &mut self.text;
        text.extend_from_slice(b"{\"ts\":\"");
        // Writing to memory cannot fail.
        let _ = PRINTER.print_timestamp(&now, &mut *text);
        text.push(b'"');
        member(text, "level", metadata.level().as_str());
        member(text, "target", metadata.target());
        member(text, "msg", &self.message);
        for (name, value) in FIELDS.iter().zip(&self.known) {
            if let Some(value) = value {
                member_name(text, name);
                text.extend_from_slice(&self.values[value.clone()]);
            }
        }
        text.extend_from_slice(b"}\n");
        text
    }

    /// Empties the line and keeps its memory.
    pub(super) fn clear(&mut self) {
        let Self { text, values, known, message, others } = self;
        text.clear();
        values.clear();
        *known = Default::default();
        message.clear();
        others.clear();
    }

    /// The memory that it holds, roughly.
    pub(super) fn capacity(&self) -> usize {
        self.text.capacity() + self.values.capacity() + self.message.capacity()
    }

    fn put(&mut self, index: usize, value: &(impl Serialize + ?Sized)) {
        let start = self.values.len();
        json(&mut self.values, value);
        self.known[index] = Some(start..self.values.len());
    }

    fn put_hex(&mut self, index: usize, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let start = self.values.len();
        self.values.push(b'"');
        self.values
            .extend(bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)]));
        self.values.push(b'"');
        self.known[index] = Some(start..self.values.len());
    }

    fn set(&mut self, field: &Field, value: impl Serialize + Into<Value>) {
        match FIELDS.iter().position(|name| *name == field.name()) {
            Some(index) => self.put(index, &value),
            None => self.others.push((field.name(), value.into())),
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.set(field, format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.set(field, value);
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }
}

fn member(text: &mut Vec<u8>, name: &str, value: &str) {
    member_name(text, name);
    json(text, value);
}

fn member_name(text: &mut Vec<u8>, name: &str) {
    text.extend_from_slice(b",\"");
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b"\":");
}

fn json(text: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(text, value).expect("text and numbers always serialise, and memory takes them");
}
