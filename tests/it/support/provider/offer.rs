//! What the fixtures are listed as.

use std::time::Duration;

use serde_json::{Value, json};
use server::features::{Offer, OfferedPrompt, OfferedResource, OfferedTemplate, OfferedTool};

use super::{LISTED, OTHER};

/// How long `late` may take: it never answers.
const LATE: Duration = Duration::from_millis(50);

/// How long `wait` may take: far longer than any test waits, so that its end is never that of its deadline.
const PATIENT: Duration = Duration::from_secs(600);

pub(super) fn offer() -> Offer {
    Offer {
        tools: tools(),
        resources: [LISTED, OTHER].map(resource).into(),
        templates: vec![OfferedTemplate::own(
            "test://item/{id}",
            &json!({ "uriTemplate": "test://item/{id}", "name": "item", "title": "An item" }),
        )],
        prompts: ["hello", "ask", "linked"].map(prompt).into(),
        completions: true,
        resource_updates: true,
        logging: true,
    }
}

/// A resource of this URI.
pub(crate) fn resource(uri: &str) -> OfferedResource {
    OfferedResource::own(uri, &json!({ "uri": uri, "name": uri, "title": "A resource", "icons": icons() }))
}

fn prompt(name: &str) -> OfferedPrompt {
    OfferedPrompt::own(name, &json!({ "name": name, "title": "A prompt", "arguments": [{ "name": "who" }] }))
}

fn tools() -> Vec<OfferedTool> {
    let numbers = json!({ "count": { "type": "integer" }, "bytes": { "type": "integer" } });
    let object = json!({ "type": "object", "properties": { "a": { "type": "integer" } }, "required": ["a"] });
    vec![
        OfferedTool { deadline: PATIENT, ..tool("wait", json!({}), json!({})) },
        OfferedTool { deadline: PATIENT, ..tool("let_go", json!({}), json!({})) },
        tool("say", json!({ "text": { "type": "string" } }), json!({})),
        tool("ask", json!({ "what": { "type": "string" } }), json!({})),
        tool("steps", json!({}), json!({})),
        tool("log", json!({}), json!({})),
        tool("flood", numbers, json!({})),
        tool("route", routed(), json!({})),
        tool("link", json!({}), json!({})),
        tool("object", json!({}), json!({ "outputSchema": object, "title": "An object", "icons": icons() })),
        tool("number", json!({}), json!({ "outputSchema": { "type": "integer" } })),
        tool("lie", json!({}), json!({ "outputSchema": object })),
        tool("panic", json!({}), json!({})),
        OfferedTool { deadline: LATE, ..tool("late", json!({}), json!({})) },
    ]
}

/// Arguments that are repeated as headers, one of them further down.
fn routed() -> Value {
    json!({
        "region": { "type": "string", "x-mcp-header": "Region" },
        "dry": { "type": "boolean", "x-mcp-header": "Dry" },
        "place": { "type": "object", "properties": { "shard": { "type": "integer", "x-mcp-header": "Shard" } } },
    })
}

/// A tool with these arguments, and further members of its definition.
#[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
fn tool(name: &str, properties: Value, more: Value) -> OfferedTool {
    let schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    let mut definition = json!({ "name": name, "description": "A fixture.", "inputSchema": schema });
    for (member, value) in more.as_object().unwrap() {
        definition[member] = value.clone();
    }
    OfferedTool::own(name, &definition)
}

fn icons() -> Value {
    json!([{ "src": "https://mcp.example.com/icon.png" }])
}
