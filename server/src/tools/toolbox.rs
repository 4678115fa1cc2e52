//! All tools with their schemas compiled, and the one wrapper around every call.
//!
//! In this order: authorize, check the input, run within the deadline, check the output. What the
//! caller may not see, it cannot tell from what does not exist.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use serde_json::value::RawValue;

use super::{CallContext, Tool, ToolOutcome, schema::Schema};
use crate::gateway::{Catalog, CatalogError, Decision, Policy, decide};

/// Why the tools cannot be offered. Found at start.
#[derive(Debug, thiserror::Error)]
pub enum ToolboxError {
    /// The definitions are no catalog.
    #[error("the tools cannot be listed")]
    Catalog(#[from] CatalogError),
    /// A schema does not compile.
    #[error("tool {tool:?}: `{schema}` cannot be used: {problem}")]
    Schema {
        /// Whose.
        tool: String,
        /// `inputSchema` or `outputSchema`.
        schema: &'static str,
        /// What is wrong.
        problem: String,
    },
}

/// Everything that can be called.
pub struct Toolbox {
    catalog: Catalog,
    /// In the catalog's order.
    tools: Vec<Compiled>,
}

struct Compiled {
    tool: Box<dyn Tool>,
    input: Schema,
    output: Option<Schema>,
    deadline: Duration,
}

/// How a call ended.
#[derive(Debug)]
pub enum CallResult {
    /// No such tool.
    Unknown,
    /// The policy hides it from this caller, who must get the answer for [`CallResult::Unknown`].
    Hidden,
    /// The token lacks scopes; these are needed, all of them. The tool did not run.
    MissingScopes(Vec<String>),
    /// The tool answered, or its input was refused: a result in either case.
    Answered(ToolOutcome),
    /// The deadline passed and the work was dropped.
    TimedOut(ToolOutcome),
    /// The tool broke its promise: it panicked, or its output does not conform.
    Broken,
}

impl Toolbox {
    /// Compiles all schemas; the order of `tools` is the order of every list.
    pub fn new(tools: Vec<Box<dyn Tool>>) -> Result<Self, ToolboxError> {
        let definitions: Vec<_> = tools.iter().map(|tool| tool.definition()).collect();
        let catalog = Catalog::new(&definitions)?;
        let compiled = tools.into_iter().zip(definitions).map(|(tool, definition)| {
            let compile = |name, schema| {
                Schema::compile(schema).map_err(|problem| ToolboxError::Schema {
                    tool: definition.name.clone(),
                    schema: name,
                    problem,
                })
            };
            let output = definition.output_schema.as_ref();
            Ok(Compiled {
                input: compile("inputSchema", &definition.input_schema)?,
                output: output.map(|schema| compile("outputSchema", schema)).transpose()?,
                deadline: tool.deadline(),
                tool,
            })
        });
        Ok(Self { tools: compiled.collect::<Result<_, ToolboxError>>()?, catalog })
    }

    /// What exists, before any filtering.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Calls a tool by name.
    pub async fn call(
        &self,
        policy: &Policy,
        context: CallContext<'_>,
        name: &str,
        arguments: &RawValue,
    ) -> CallResult {
        let Some(position) = self.catalog.position(name) else { return CallResult::Unknown };
        match decide(policy, context.principal, name) {
            Decision::Hidden => CallResult::Hidden,
            Decision::MissingScopes(scopes) => CallResult::MissingScopes(scopes),
            Decision::Allow => self.tools[position].call(context, name, arguments).await,
        }
    }
}

impl Compiled {
    async fn call(&self, context: CallContext<'_>, name: &str, arguments: &RawValue) -> CallResult {
        if let Err(problem) = self.input.check(arguments) {
            let text = format!("invalid arguments: {problem}; see the tool's inputSchema");
            return CallResult::Answered(ToolOutcome::error(text));
        }
        // The future is dropped whatever happens, so no broken state can be seen after a panic.
        let run = AssertUnwindSafe(async { self.tool.call(context, arguments).await });
        match tokio::time::timeout(self.deadline, run.catch_unwind()).await {
            Err(_) => CallResult::TimedOut(ToolOutcome::error(format!(
                "the tool did not answer within {} s and was stopped; try again later or ask for less",
                self.deadline.as_secs_f32()
            ))),
            Ok(Err(panic)) => broken(name, context.correlation_id, panic_text(&*panic)),
            Ok(Ok(outcome)) => self.checked(name, context.correlation_id, outcome),
        }
    }

    /// An error needs no structured content; anything else must be what the definition promises.
    fn checked(&self, name: &str, correlation_id: &str, outcome: ToolOutcome) -> CallResult {
        let Some(schema) = &self.output else { return CallResult::Answered(outcome) };
        match outcome.structured_content() {
            Some(content) => match schema.check(content) {
                Ok(()) => CallResult::Answered(outcome),
                Err(_) => broken(name, correlation_id, "output does not conform to outputSchema"),
            },
            None if outcome.is_error() => CallResult::Answered(outcome),
            None => broken(name, correlation_id, "output lacks the promised structured content"),
        }
    }
}

/// For the log only: the caller learns nothing but the correlation id.
fn broken(tool: &str, correlation_id: &str, problem: &'static str) -> CallResult {
    tracing::error!(tool, correlation_id, problem, "tool {tool} is broken: {problem}");
    CallResult::Broken
}

/// A panic's own text may hold arguments, so it never leaves the panic hook.
fn panic_text(_: &(dyn Any + Send)) -> &'static str {
    "it panicked"
}
