//! The gateway's own tools, as one [`Provider`].
//!
//! Each answers at once from what the process knows; checks, deadline and authorization around it are
//! [`crate::features`]' work.

mod definition;
mod echo;
mod health;
mod health_check;
mod ping;

use std::sync::Arc;

use crds::gateway_config::Builtins;
use futures::future::{BoxFuture, FutureExt as _, ready};
use serde_json::value::RawValue;

pub use health::{HealthInputs, HealthProbe, HealthStatus, IssuerHealth, MemoryHealth, TelemetryHealth};

use crate::features::{Answer, CallContext, FeatureError, Offer, OfferedTool, Outcome, Provider, ToolOutcome};
use definition::ToolDefinition;

/// A tool of our own.
trait Tool: Send + Sync {
    /// What clients learn about it. Asked once, at start.
    fn definition(&self) -> ToolDefinition;

    /// Runs it. `arguments` is a JSON object that conforms to the input schema.
    fn call(&self, context: &CallContext, arguments: &RawValue) -> ToolOutcome;
}

/// The gateway's own tools, those that are enabled.
pub struct BuiltinTools {
    /// In list order.
    tools: Vec<(Arc<str>, Box<dyn Tool>)>,
    offer: Arc<Offer>,
}

impl BuiltinTools {
    /// `ping` stands first: it succeeds without arguments, which is what probing clients try.
    pub fn new(builtins: Builtins, health: Arc<dyn HealthProbe>) -> Self {
        let mut tools: Vec<Box<dyn Tool>> = Vec::new();
        if builtins.ping {
            tools.push(Box::new(ping::Ping));
        }
        if builtins.echo {
            tools.push(Box::new(echo::Echo));
        }
        if builtins.health_check {
            tools.push(Box::new(health_check::HealthCheck::new(health)));
        }
        let offered: Vec<OfferedTool> = tools
            .iter()
            .map(|tool| {
                let definition = tool.definition();
                OfferedTool::own(&definition.name, &definition)
            })
            .collect();
        let tools = offered.iter().map(|tool| Arc::clone(&tool.name)).zip(tools).collect();
        Self { tools, offer: Arc::new(Offer { tools: offered, ..Offer::default() }) }
    }
}

impl Provider for BuiltinTools {
    fn offer(&self) -> Arc<Offer> {
        Arc::clone(&self.offer)
    }

    fn call_tool<'a>(
        &'a self,
        context: &'a CallContext,
        name: &'a str,
        arguments: &'a RawValue,
    ) -> BoxFuture<'a, Outcome<ToolOutcome>> {
        let tool = self.tools.iter().find(|(tool, _)| &**tool == name);
        let outcome = tool.map(|(_, tool)| Answer::Complete(tool.call(context, arguments)));
        ready(outcome.ok_or(FeatureError::NotFound)).boxed()
    }
}

#[cfg(test)]
mod tests;
