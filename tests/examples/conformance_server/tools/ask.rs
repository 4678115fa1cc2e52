//! Tools that ask the client once, and those that only need it to be able to answer.

use serde_json::{Value, json};
use server::features::{Outcome, ToolOutcome};

use super::{Call, Tool, asks, done, elicit, form, one_text, question, sample};
use crate::answers::{Capability, elicited, needs, sampled};

/// The key of the one question.
const KEY: &str = "question";

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::now("test_sampling", "Asks the client's model", sampling)
            .with_arguments(one_text("prompt", "The prompt to send to the model")),
        Tool::now("test_elicitation", "Asks the user for a name and an address", |call| {
            let fields = json!({
                "username": { "type": "string", "description": "User's response" },
                "email": { "type": "string", "description": "User's email address" },
            });
            elicitation(call, &form(call.text("message"), &fields), "User response: ")
        })
        .with_arguments(one_text("message", "The message to show the user")),
        Tool::now("test_elicitation_sep1034_defaults", "Asks with a default for each primitive type", |call| {
            elicitation(call, &optional("Please review these values", &defaults()), COMPLETED)
        }),
        Tool::now("test_elicitation_sep1330_enums", "Asks with each kind of enumeration", |call| {
            elicitation(call, &optional("Please select options", &enumerations()), COMPLETED)
        }),
        Tool::now("test_streaming_elicitation", "Asks the user for a confirmation", |call| {
            elicitation(call, &form("Please confirm", &json!({ "ok": { "type": "boolean" } })), COMPLETED)
        }),
        Tool::now("test_missing_capability", "Works for clients with sampling only", |call| {
            needs(call.context, &[Capability::Sampling])?;
            done("The client declared sampling.")
        }),
    ]
}

const COMPLETED: &str = "Elicitation completed: ";

fn sampling(call: &Call<'_>) -> Outcome<ToolOutcome> {
    if let Some(text) = sampled(call.context, KEY)? {
        return done(format!("LLM response: {text}"));
    }
    needs(call.context, &[Capability::Sampling])?;
    asks(sample(KEY, &question(call.text("prompt"), 100)))
}

fn elicitation(call: &Call<'_>, form: &Value, prefix: &str) -> Outcome<ToolOutcome> {
    if let Some(answer) = elicited(call.context, KEY)? {
        return done(format!("{prefix}{}", answer.shown()));
    }
    needs(call.context, &[Capability::Elicitation])?;
    asks(elicit(KEY, form))
}

/// A form whose fields may all be left as they are.
fn optional(message: &str, properties: &Value) -> Value {
    json!({ "message": message, "requestedSchema": { "type": "object", "properties": properties, "required": [] } })
}

/// Source: SEP-1034.
fn defaults() -> Value {
    json!({
        "name": { "type": "string", "description": "User name", "default": "John Doe" },
        "age": { "type": "integer", "description": "User age", "default": 30 },
        "score": { "type": "number", "description": "User score", "default": 95.5 },
        "status": {
            "type": "string",
            "description": "User status",
            "enum": ["active", "inactive", "pending"],
            "default": "active",
        },
        "verified": { "type": "boolean", "description": "Verification status", "default": true },
    })
}

/// Source: SEP-1330.
fn enumerations() -> Value {
    let titled = |value: &str, title: &str| json!({ "const": value, "title": title });
    json!({
        "untitledSingle": { "type": "string", "enum": ["option1", "option2", "option3"] },
        "titledSingle": {
            "type": "string",
            "oneOf": [titled("value1", "First Option"), titled("value2", "Second Option"), titled("value3", "Third Option")],
        },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {
            "type": "array",
            "items": { "type": "string", "enum": ["option1", "option2", "option3"] },
        },
        "titledMulti": {
            "type": "array",
            "items": {
                "anyOf": [titled("value1", "First Choice"), titled("value2", "Second Choice"), titled("value3", "Third Choice")],
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use server::features::FeatureError;

    use super::{super::testing::*, *};
    use crate::testing::{able, answered, context};

    #[test]
    fn a_tool_asks_then_answers() {
        let asked = question_of(call_with(&able(), "test_sampling", &json!({ "prompt": "Why?" })));
        assert_eq!(
            asked.requests[KEY].get(),
            r#"{"method":"sampling/createMessage","params":{"maxTokens":100,"messages":[{"content":{"text":"Why?","type":"text"},"role":"user"}]}}"#
        );
        let answer = json!({ "role": "assistant", "content": { "type": "text", "text": "So." }, "model": "m" });
        assert_eq!(text_of(call(&answered(&[(KEY, answer)]), "test_sampling")), "LLM response: So.");
        let answer = json!({ "action": "accept", "content": { "username": "u" } });
        assert_eq!(
            text_of(call(&answered(&[(KEY, answer)]), "test_elicitation")),
            r#"User response: action=accept, content={"username":"u"}"#
        );
    }

    #[test]
    fn nobody_is_asked_for_what_they_cannot_do() {
        for tool in ["test_sampling", "test_missing_capability"] {
            let missing = FeatureError::MissingCapability(json!({ "sampling": {} }));
            assert_eq!(call(&context(), tool).unwrap_err(), missing);
        }
        assert!(text_of(call(&able(), "test_missing_capability")).contains("sampling"));
    }
}
