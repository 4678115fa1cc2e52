//! Tool `ping`: shows that endpoint, token and policy let this caller through.

use serde::Serialize;
use serde_json::{json, value::RawValue};

use super::{
    CallContext, Tool, ToolOutcome,
    definition::{self, ToolDefinition},
};
use crate::gateway::PING;

/// The tool; it holds nothing.
pub(super) struct Ping;

#[derive(Serialize)]
struct Pong<'a> {
    message: &'static str,
    timestamp: String,
    correlation_id: &'a str,
    authenticated_user: &'a str,
}

impl Tool for Ping {
    fn definition(&self) -> ToolDefinition {
        ToolDefinition {
            name: PING.to_owned(),
            title: "Ping".to_owned(),
            description: "Answers pong with the name of the caller: shows that the endpoint is \
                          reachable and that the access token is accepted."
                .to_owned(),
            input_schema: json!({ "type": "object", "additionalProperties": false }),
            output_schema: Some(json!({
                "type": "object",
                "properties": {
                    "message": { "const": "pong" },
                    "timestamp": definition::timestamp(),
                    "correlation_id": definition::correlation_id(),
                    "authenticated_user": {
                        "type": "string",
                        "description": "Subject of the access token"
                    }
                },
                "required": ["message", "timestamp", "correlation_id", "authenticated_user"],
                "additionalProperties": false
            })),
            annotations: definition::READ_ONLY,
        }
    }

    fn call(&self, context: &CallContext, _: &RawValue) -> ToolOutcome {
        let pong = Pong {
            message: "pong",
            timestamp: context.clock.now().to_string(),
            correlation_id: &context.correlation_id,
            authenticated_user: context.principal.subject(),
        };
        ToolOutcome::structured(&pong)
    }
}
