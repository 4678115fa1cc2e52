//! The gateway's own tools, and the one way in which any tool is called.
//!
//! A tool describes itself and answers; [`Toolbox::call`] does everything around it: authorization,
//! checks of input and output, deadline, panics. A tool must never be called past it.

mod echo;
mod health;
mod health_check;
mod outcome;
mod ping;
mod schema;
mod toolbox;

use std::{sync::Arc, time::Duration};

use crds::gateway_config::Builtins;
use futures::future::BoxFuture;
use serde_json::value::RawValue;

pub use health::{HealthInputs, HealthProbe, HealthStatus, IssuerHealth, MemoryHealth, TelemetryHealth};
pub use outcome::ToolOutcome;
pub use toolbox::{CallResult, Toolbox, ToolboxError};

use crate::{auth::Principal, clock::Clock, gateway::ToolDefinition};

/// How long a call may take unless the tool says otherwise.
/// Chosen: half of what common ingresses allow a request, so the tool's own error still reaches the client.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// Something that a model can call.
pub trait Tool: Send + Sync {
    /// What clients learn about it. Asked once, at start.
    fn definition(&self) -> ToolDefinition;

    /// How long a call may take.
    fn deadline(&self) -> Duration {
        DEFAULT_DEADLINE
    }

    /// Runs it. `arguments` is a JSON object that conforms to the input schema; the caller is allowed
    /// to call. What goes wrong is an outcome with `isError`, in words that a model can act on.
    fn call<'a>(&'a self, context: CallContext<'a>, arguments: &'a RawValue) -> BoxFuture<'a, ToolOutcome>;
}

/// What a tool may know about the request that it answers.
#[derive(Clone, Copy)]
pub struct CallContext<'a> {
    /// Who calls.
    pub principal: &'a Principal,
    /// The id that ties answer, logs and spans together.
    pub correlation_id: &'a str,
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
}

/// The gateway's own tools, those that are enabled, in list order.
///
/// `ping` stands first: it succeeds without arguments, which is what probing clients try.
pub fn builtin_tools(builtins: Builtins, health: Arc<dyn HealthProbe>) -> Vec<Box<dyn Tool>> {
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
    tools
}

#[cfg(test)]
mod tests;
