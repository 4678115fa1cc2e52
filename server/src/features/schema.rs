//! JSON Schemas: compiled once, checked often, and never able to fetch anything.
//!
//! A compiled schema bounds nothing by itself; its input is bounded by the body limit, its depth by
//! the envelope, and its patterns by a linear-time engine.

use jsonschema::{PatternOptions, Validator, error::ValidationErrorKind};
use serde_json::{Value, value::RawValue};

/// The longest text about a violation, in bytes: property names in it come from the caller.
const MAX_TEXT_BYTES: usize = 512;

/// How many violations one answer names: enough to repair a call in one go.
const MAX_VIOLATIONS: usize = 4;

/// A schema ready to be checked against.
#[derive(Debug)]
pub(crate) struct Schema(Validator);

impl Schema {
    /// Compiles a schema; one that refers outside itself does not compile.
    pub(crate) fn compile(schema: &Value) -> Result<Self, String> {
        jsonschema::draft202012::options()
            .offline()
            .with_pattern_options(PatternOptions::regex())
            .build(schema)
            .map(Self)
            .map_err(|problem| shortened(problem.to_string()))
    }

    /// Checks `instance`. The error names what is wrong and where, without repeating values.
    pub(crate) fn check(&self, instance: &RawValue) -> Result<(), String> {
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

fn shortened(text: String) -> String {
    if text.len() > MAX_TEXT_BYTES { format!("{}…", crds::text::cut(&text, MAX_TEXT_BYTES)) } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn violation(schema: &Value, instance: &str) -> Option<String> {
        let instance = RawValue::from_string(instance.to_owned()).unwrap();
        Schema::compile(schema).unwrap().check(&instance).err()
    }

    #[test]
    fn a_violation_names_the_place_and_never_the_value() {
        let schema = json!({
            "type": "object",
            "properties": { "a": { "type": "object", "properties": { "b": { "maxLength": 3 } } } }
        });
        let problem = violation(&schema, r#"{"a":{"b":"secret"}}"#).unwrap();
        assert!(problem.starts_with("`/a/b`: "), "{problem}");
        assert!(!problem.contains("secret"), "{problem}");
    }

    #[test]
    fn many_violations_are_told_in_few_words() {
        let schema = json!({ "type": "object", "additionalProperties": { "type": "string" } });
        let members: Vec<String> = (0..1000).map(|n| format!(r#""member{n}":{n}"#)).collect();
        let problem = violation(&schema, &format!("{{{}}}", members.join(","))).unwrap();
        assert!(problem.len() < 600, "{problem}");
    }

    #[test]
    fn a_property_that_no_schema_names_is_not_allowed_in_plain_words() {
        let schema = json!({ "type": "object", "properties": { "a": false }, "additionalProperties": false });
        assert_eq!(violation(&schema, r#"{"a":"canary"}"#).unwrap(), "property `/a` is not allowed");
        let problem = violation(&schema, r#"{"b":"canary"}"#).unwrap();
        assert!(!problem.contains("False schema") && !problem.contains("canary"), "{problem}");
        assert!(problem.contains("not allowed") && problem.contains('b'), "{problem}");
    }

    #[test]
    fn a_schema_that_refers_outside_itself_does_not_compile() {
        for reference in ["http://169.254.169.254/latest", "https://example.com/s.json", "file:///etc/passwd"] {
            let schema = json!({ "type": "object", "properties": { "a": { "$ref": reference } } });
            assert!(Schema::compile(&schema).is_err(), "{reference}");
        }
        let inner = json!({ "type": "object", "$ref": "#/$defs/a", "$defs": { "a": { "type": "object" } } });
        assert!(Schema::compile(&inner).is_ok());
    }

    #[test]
    fn a_pattern_that_would_backtrack_answers_all_the_same() {
        let schema = json!({ "type": "object", "properties": { "a": { "pattern": "^(a+)+$" } } });
        let evil = format!(r#"{{"a":"{}!"}}"#, "a".repeat(10_000));
        assert!(violation(&schema, &evil).is_some());
    }
}
