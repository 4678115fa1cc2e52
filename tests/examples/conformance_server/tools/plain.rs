//! Tools that answer at once, the same in all eras.

use serde_json::{Value, json};
use server::features::{Answer, Outcome, ToolOutcome};

use super::{Call, Tool, done};
use crate::content::{audio, blocks, image, resource, text};

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::now("test_simple_text", "Answers a text", |_| done("This is a simple text response for testing.")),
        Tool::now("test_image_content", "Answers an image", |_| content(&[image()])),
        Tool::now("test_audio_content", "Answers a sound", |_| content(&[audio()])),
        Tool::now("test_embedded_resource", "Answers an embedded resource", |_| {
            content(&[resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")])
        }),
        Tool::now("test_multiple_content_types", "Answers a text, an image and a resource", |_| {
            let data = r#"{"test":"data","value":123}"#;
            content(&[
                text("Multiple content types test:"),
                image(),
                resource("test://mixed-content-resource", "application/json", data),
            ])
        }),
        Tool::now("test_error_handling", "Fails always", |_| {
            Ok(Answer::Complete(ToolOutcome::error("This tool intentionally returns an error for testing")))
        }),
        Tool::now("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", echo_arguments)
            .with_arguments(json_schema_2020_12()),
        Tool::now("test_custom_header", "Takes an argument that clients repeat in a header", |call| {
            done(format!("Value: {}", call.text("value")))
        })
        .with_arguments(json!({
            "type": "object",
            "properties": {
                "value": { "type": "string", "description": "Any text", "x-mcp-header": "Value" },
            },
            "required": ["value"],
        })),
    ]
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a tool returns")]
fn content(content: &[Value]) -> Outcome<ToolOutcome> {
    Ok(Answer::Complete(blocks(content)))
}

fn echo_arguments(call: &Call<'_>) -> Outcome<ToolOutcome> {
    done(Value::Object(call.arguments.clone()).to_string())
}

/// Only listed: every keyword must reach the client. Source: the scenario `json-schema-2020-12`.
fn json_schema_2020_12() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
            },
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" },
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};
    use crate::testing::context;

    #[test]
    fn texts_are_those_of_the_suite() {
        let text = text_of(call(&context(), "test_simple_text"));
        assert_eq!(text, "This is a simple text response for testing.");
        let text = text_of(call_with(&context(), "test_custom_header", &json!({ "value": "Hello" })));
        assert_eq!(text, "Value: Hello");
    }

    #[test]
    fn blocks_come_in_order() {
        let Ok(Answer::Complete(outcome)) = call(&context(), "test_multiple_content_types") else { panic!("it fails") };
        let blocks: Vec<Value> = serde_json::from_str(outcome.block_content().unwrap().get()).unwrap();
        let types: Vec<_> = blocks.iter().map(|block| block["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["text", "image", "resource"]);
    }

    #[test]
    fn the_schema_is_a_valid_one() {
        jsonschema::draft202012::new(&json_schema_2020_12()).unwrap();
    }
}
