//! Tool `echo`: answers its argument. The message goes nowhere but into the answer, never into a log.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{
    CallContext, Tool, ToolOutcome,
    definition::{self, ToolDefinition},
};
use crate::gateway::ECHO;

/// The longest message, in bytes of UTF-8. Source: features.md, P1-16.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// The tool; it holds nothing.
pub(super) struct Echo;

#[derive(Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
}

#[derive(Serialize)]
struct Echoed<'a> {
    message: &'a str,
    message_length: usize,
    timestamp: String,
    correlation_id: &'a str,
}

impl Tool for Echo {
    fn definition(&self) -> ToolDefinition {
        ToolDefinition {
            name: ECHO.to_owned(),
            title: "Echo".to_owned(),
            description: "Answers the message that it was given, with its length in characters.".to_owned(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "message": {
                        "type": "string",
                        "description": "Any text of at most 65536 bytes (64 KiB) of UTF-8"
                    }
                },
                "required": ["message"],
                "additionalProperties": false
            }),
            output_schema: Some(json!({
                "type": "object",
                "properties": {
                    "message": { "type": "string" },
                    "message_length": {
                        "type": "integer",
                        "minimum": 0,
                        "description": "Length of the message in Unicode scalar values"
                    },
                    "timestamp": definition::timestamp(),
                    "correlation_id": definition::correlation_id()
                },
                "required": ["message", "message_length", "timestamp", "correlation_id"],
                "additionalProperties": false
            })),
            annotations: definition::READ_ONLY,
        }
    }

    fn call(&self, context: &CallContext, arguments: &RawValue) -> ToolOutcome {
        echo(context, arguments)
    }
}

fn echo(context: &CallContext, arguments: &RawValue) -> ToolOutcome {
    let Ok(Arguments { message }) = serde_json::from_str(arguments.get()) else {
        return ToolOutcome::error("argument `message`: give a string");
    };
    // In bytes, which JSON Schema cannot say: its `maxLength` counts characters.
    if message.len() > MAX_MESSAGE_BYTES {
        return ToolOutcome::error(format!(
            "argument `message`: {} bytes are too many, at most {MAX_MESSAGE_BYTES} (64 KiB) are \
             echoed; send a shorter message",
            message.len()
        ));
    }
    ToolOutcome::structured(&Echoed {
        message: &message,
        message_length: message.chars().count(),
        timestamp: context.clock.now().to_string(),
        correlation_id: &context.correlation_id,
    })
}
