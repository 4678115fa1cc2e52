//! What clients learn about a tool of our own.

use serde::Serialize;
use serde_json::Value;

/// Serialises as the specification's `Tool`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolDefinition {
    /// 1 to 64 of `A-Za-z0-9_.-`, unique.
    pub(super) name: String,
    /// The name for people.
    pub(super) title: String,
    /// What it does, for the model; never empty.
    pub(super) description: String,
    /// JSON Schema 2020-12 with root type `object`.
    pub(super) input_schema: Value,
    /// JSON Schema 2020-12 with root type `object`, the only root that older revisions know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_schema: Option<Value>,
    /// Hints about what a call does.
    pub(super) annotations: ToolAnnotations,
}

/// Hints about what a call does. Clients must not trust them, and we decide nothing by them.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the specification's four hints")]
pub(super) struct ToolAnnotations {
    /// It changes nothing.
    pub(super) read_only_hint: bool,
    /// It may destroy something.
    pub(super) destructive_hint: bool,
    /// Calling it again changes nothing more.
    pub(super) idempotent_hint: bool,
    /// It reaches beyond this gateway.
    pub(super) open_world_hint: bool,
}

/// Hints of a tool that only reads what the gateway itself knows.
pub(super) const READ_ONLY: ToolAnnotations =
    ToolAnnotations { read_only_hint: true, destructive_hint: false, idempotent_hint: true, open_world_hint: false };

/// Schema of the time at which an answer was made.
pub(super) fn timestamp() -> Value {
    serde_json::json!({ "type": "string", "format": "date-time" })
}

/// Schema of the id that ties an answer to logs and traces.
pub(super) fn correlation_id() -> Value {
    serde_json::json!({ "type": "string", "description": "Name it when you report a problem" })
}
