//! Tool `health_check`: the gateway's own view of what it needs. Never an error: bad news is its job.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    CallContext, HealthProbe, Tool, ToolOutcome,
    definition::{self, ToolDefinition},
    health::{Checks, HealthStatus},
};
use crate::gateway::HEALTH_CHECK;

/// The tool, with the probe that measures.
pub(super) struct HealthCheck {
    probe: Arc<dyn HealthProbe>,
}

#[derive(Serialize)]
struct Health<'a> {
    status: HealthStatus,
    checks: Checks,
    timestamp: String,
    correlation_id: &'a str,
    version: &'static str,
}

impl HealthCheck {
    pub(super) fn new(probe: Arc<dyn HealthProbe>) -> Self {
        Self { probe }
    }
}

impl Tool for HealthCheck {
    fn definition(&self) -> ToolDefinition {
        ToolDefinition {
            name: HEALTH_CHECK.to_owned(),
            title: "Health check".to_owned(),
            description: "Tells how this gateway is: each check with its state, and a reason where \
                          something is wrong. A check that does not apply is absent."
                .to_owned(),
            input_schema: json!({ "type": "object", "additionalProperties": false }),
            output_schema: Some(output_schema()),
            annotations: definition::READ_ONLY,
        }
    }

    fn call(&self, context: &CallContext, _: &RawValue) -> ToolOutcome {
        let checks = Checks::of(&self.probe.health());
        let health = Health {
            status: checks.status(),
            checks,
            timestamp: context.clock.now().to_string(),
            correlation_id: &context.correlation_id,
            version: env!("CARGO_PKG_VERSION"),
        };
        ToolOutcome::structured(&health)
    }
}

fn output_schema() -> Value {
    let status = json!({ "enum": ["passing", "degraded", "failing"] });
    let check = json!({
        "type": "object",
        "properties": { "status": status, "reason": { "type": "string" } },
        "required": ["status"],
        "additionalProperties": false
    });
    json!({
        "type": "object",
        "properties": {
            "status": { "enum": ["passing", "degraded", "failing"], "description": "The worst of all checks" },
            "checks": {
                "type": "object",
                "properties": { "auth": check, "redis": check, "memory": check, "telemetry": check },
                "required": ["memory"],
                "additionalProperties": false
            },
            "timestamp": definition::timestamp(),
            "correlation_id": definition::correlation_id(),
            "version": { "type": "string", "description": "Version of the gateway" }
        },
        "required": ["status", "checks", "timestamp", "correlation_id", "version"],
        "additionalProperties": false
    })
}
