//! JSON Schemas: compiled once, checked often, and never able to fetch anything.
//!
//! A compiled schema bounds nothing by itself; its input is bounded by the body limit, its depth by
//! the envelope, and its patterns by a linear-time engine.

use jsonschema::{PatternOptions, Validator, error::ValidationErrorKind};
use serde_json::{Value, json, value::RawValue};

use crate::gateway::ToolAnnotations;

/// The longest text about a violation, in bytes: property names in it come from the caller.
const MAX_TEXT_BYTES: usize = 512;

/// How many violations one answer names: enough to repair a call in one go.
const MAX_VIOLATIONS: usize = 4;

/// Hints of a tool that only reads what the gateway itself knows.
pub(super) const READ_ONLY: ToolAnnotations =
    ToolAnnotations { read_only_hint: true, destructive_hint: false, idempotent_hint: true, open_world_hint: false };

/// Schema of the time at which an answer was made.
pub(super) fn timestamp() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// Schema of the id that ties an answer to logs and traces.
pub(super) fn correlation_id() -> Value {
    json!({ "type": "string", "description": "Name it when you report a problem" })
}

/// A schema ready to be checked against.
#[derive(Debug)]
pub(super) struct Schema(Validator);

impl Schema {
    /// Compiles a schema; one that refers outside itself does not compile.
    pub(super) fn compile(schema: &Value) -> Result<Self, String> {
        jsonschema::draft202012::options()
            .offline()
            .with_pattern_options(PatternOptions::regex())
            .build(schema)
            .map(Self)
            .map_err(|problem| shortened(problem.to_string()))
    }

    /// Checks `instance`. The error names what is wrong and where, without repeating values.
    pub(super) fn check(&self, instance: &RawValue) -> Result<(), String> {
        let instance: Value =
            serde_json::from_str(instance.get()).map_err(|_| "the arguments are not JSON".to_owned())?;
        if self.0.is_valid(&instance) {
            return Ok(());
        }
        let violations: Vec<String> =
            self.0.iter_errors(&instance).take(MAX_VIOLATIONS).map(|violation| describe(&violation)).collect();
        Err(shortened(violations.join("; ")))
    }
}

fn describe(violation: &jsonschema::ValidationError<'_>) -> String {
    let path = violation.instance_path().to_string();
    // The words of the library for a schema that is `false`, such as that of all further properties.
    if matches!(violation.kind(), ValidationErrorKind::FalseSchema) && !path.is_empty() {
        return format!("property `{path}` is not allowed");
    }
    let problem = violation.masked();
    if path.is_empty() { problem.to_string() } else { format!("`{path}`: {problem}") }
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        let end = (0..=MAX_TEXT_BYTES).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}
