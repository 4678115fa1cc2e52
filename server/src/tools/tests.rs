use std::{sync::Arc, time::Instant};

use jiff::Timestamp;
use serde_json::json;

use super::{schema::Schema, *};
use crate::gateway::Catalog;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

struct Broken;

impl HealthProbe for Broken {
    fn health(&self) -> HealthInputs {
        HealthInputs {
            issuers: Some(Vec::new()),
            memory: MemoryHealth { used_bytes: None, limit_bytes: None },
            telemetry: Some(TelemetryHealth::Failing),
        }
    }
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn builtins(ping: bool, echo: bool, health_check: bool) -> Vec<Box<dyn Tool>> {
    builtin_tools(Builtins { ping, echo, health_check }, Arc::new(Broken))
}

fn violation(schema: &serde_json::Value, instance: &str) -> Option<String> {
    Schema::compile(schema).unwrap().check(&raw(instance)).err()
}

#[test]
fn a_disabled_built_in_does_not_exist() {
    let names = |tools: Vec<Box<dyn Tool>>| {
        let definitions: Vec<_> = tools.iter().map(|tool| tool.definition()).collect();
        let catalog = Catalog::new(&definitions).unwrap();
        catalog.names().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(builtins(true, true, true)), ["ping", "echo", "health_check"]);
    assert_eq!(names(builtins(false, true, false)), ["echo"]);
    assert!(names(builtins(false, false, false)).is_empty());
}

#[tokio::test]
async fn bad_news_of_health_check_is_no_error() {
    let tools = builtins(false, false, true);
    let principal = Principal::anonymous();
    let context = CallContext { principal: &principal, correlation_id: "cid", clock: &Noon };
    let outcome = tools[0].call(context, &raw("{}")).await;
    assert!(!outcome.is_error());
    let promised = tools[0].definition().output_schema.unwrap();
    assert_eq!(violation(&promised, outcome.text_content()), None);
    let health: serde_json::Value = serde_json::from_str(outcome.text_content()).unwrap();
    assert_eq!(health["status"], "failing");
    assert_eq!(health["checks"]["memory"]["status"], "degraded");
}

#[test]
fn the_mirror_is_the_structured_content_as_text() {
    let outcome = ToolOutcome::structured(&json!({ "a": "é" }));
    assert_eq!(outcome.text_content(), r#"{"a":"é"}"#);
    assert_eq!(ToolOutcome::text("plain").text_content(), "plain");
    assert!(ToolOutcome::error("bad").is_error());
}

#[test]
fn content_that_cannot_be_written_is_an_error() {
    let impossible = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(ToolOutcome::structured(&impossible).is_error());
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

struct Unusable;

impl Tool for Unusable {
    fn definition(&self) -> ToolDefinition {
        let reference = json!({ "type": "object", "$ref": "https://example.com/s.json" });
        let mut definition = builtins(true, false, false)[0].definition();
        definition.input_schema = reference;
        definition
    }

    fn call<'a>(&'a self, _: CallContext<'a>, _: &'a RawValue) -> BoxFuture<'a, ToolOutcome> {
        Box::pin(async { ToolOutcome::text("never") })
    }
}

#[test]
fn a_tool_whose_schema_does_not_compile_stops_the_start() {
    let problem = Toolbox::new(vec![Box::new(Unusable)]).err().unwrap().to_string();
    assert!(problem.starts_with(r#"tool "ping": `inputSchema` cannot be used: "#), "{problem}");
}
