//! The one wrapper around every call: check the input, run within the deadline, check the output.
//!
//! Made by [`super::Features::call`], which has asked whether the caller may.

use std::{any::Any, fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use serde_json::value::RawValue;

use super::{
    Answer, CallContext, Catalog, CompletionOutcome, CompletionQuery, CompletionReference, FeatureError, InputRequired,
    PromptOutcome, Provider, ResourceOutcome, ToolOutcome, catalog::ToolEntry, param_headers::ParamHeader,
};

/// What a client asks to be done.
#[derive(Clone)]
pub enum CallKind {
    /// `tools/call`
    Tool {
        /// As the client typed it.
        name: Box<str>,
        /// A JSON object.
        arguments: Box<RawValue>,
    },
    /// `resources/read`
    Resource {
        /// As the client typed it.
        uri: Box<str>,
    },
    /// `prompts/get`
    Prompt {
        /// As the client typed it.
        name: Box<str>,
        /// A JSON object of strings.
        arguments: Option<Box<RawValue>>,
    },
    /// `completion/complete`
    Completion {
        /// What the argument belongs to.
        reference: CompletionReference<'static>,
        /// Name of the argument.
        argument: Box<str>,
        /// What was typed so far.
        value: Box<str>,
        /// A JSON object of the arguments that are known already.
        known: Option<Box<RawValue>>,
    },
}

impl fmt::Debug for CallKind {
    /// Which one it is, without what the client typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tool { .. } => "Tool",
            Self::Resource { .. } => "Resource",
            Self::Prompt { .. } => "Prompt",
            Self::Completion { .. } => "Completion",
        })
    }
}

/// A call that may run. Owns all that it needs, so that it can outlive its request.
pub struct Call {
    pub(super) kind: CallKind,
    /// Asked in turn until one knows; never empty.
    pub(super) providers: Vec<Arc<dyn Provider>>,
    /// Holds the schemas; `Some` for tools alone.
    pub(super) catalog: Option<Arc<Catalog>>,
    pub(super) deadline: Duration,
}

/// The result of a call.
#[derive(Clone, Debug)]
pub enum CallAnswer {
    /// Of a tool.
    Tool(ToolOutcome),
    /// Of a resource.
    Resource(ResourceOutcome),
    /// Of a prompt.
    Prompt(PromptOutcome),
    /// Of a completion.
    Completion(CompletionOutcome),
}

/// How a call ended.
#[derive(Debug)]
pub enum Ended {
    /// With an answer. A tool whose input was refused answers too.
    Answered(CallAnswer),
    /// It needs something from the client first.
    InputRequired(InputRequired),
    /// With an error of the protocol.
    Failed(FeatureError),
    /// The deadline passed and the work was dropped.
    TimedOut(Duration),
    /// The provider broke its promise: it panicked, or its output does not conform.
    Broken,
}

impl Call {
    /// What is asked for.
    pub fn kind(&self) -> &CallKind {
        &self.kind
    }

    /// The arguments that must be repeated as headers in the modern era.
    pub fn param_headers(&self) -> &[ParamHeader] {
        self.tool().map_or(&[], |entry| &entry.headers)
    }

    /// Whether to run it twice may do harm: for a tool that does not say otherwise.
    pub fn repeats_do_harm(&self) -> bool {
        self.tool().is_some_and(|entry| !entry.repeatable)
    }

    fn tool(&self) -> Option<&ToolEntry> {
        match (&self.kind, &self.catalog) {
            (CallKind::Tool { name, .. }, Some(catalog)) => catalog.tool(name),
            _ => None,
        }
    }

    /// Runs it, once: a call that needs input is run again with it.
    pub async fn run(&self, context: &CallContext) -> Ended {
        if let Some(refused) = self.refuse_arguments() {
            return Ended::Answered(CallAnswer::Tool(refused));
        }
        // The future is dropped whatever happens, so no broken state can be seen after a panic.
        let run = AssertUnwindSafe(self.ask(context)).catch_unwind();
        let outcome = match tokio::time::timeout(self.deadline, run).await {
            Err(_) => return Ended::TimedOut(self.deadline),
            Ok(Err(panic)) => return self.broken(context, panic_text(&*panic)),
            Ok(Ok(outcome)) => outcome,
        };
        match outcome {
            Ok(Answer::Complete(CallAnswer::Tool(outcome))) => self.checked(context, outcome),
            Ok(Answer::Complete(answer)) => Ended::Answered(answer),
            Ok(Answer::InputRequired(input)) => Ended::InputRequired(input),
            Err(FeatureError::Broken(problem)) => self.broken(context, problem),
            Err(error) => Ended::Failed(error),
        }
    }

    fn refuse_arguments(&self) -> Option<ToolOutcome> {
        let CallKind::Tool { arguments, .. } = &self.kind else { return None };
        let problem = self.tool()?.checks.as_ref()?.input.check(arguments).err()?;
        Some(ToolOutcome::error(format!("invalid arguments: {problem}; see the tool's inputSchema")))
    }

    async fn ask(&self, context: &CallContext) -> Result<Answer<CallAnswer>, FeatureError> {
        let mut outcome = Err(FeatureError::NotFound);
        for provider in &self.providers {
            outcome = match &self.kind {
                CallKind::Tool { name, arguments } => {
                    provider.call_tool(context, name, arguments).await.map(|answer| answer.map(CallAnswer::Tool))
                }
                CallKind::Resource { uri } => {
                    provider.read_resource(context, uri).await.map(|answer| answer.map(CallAnswer::Resource))
                }
                CallKind::Prompt { name, arguments } => {
                    let answer = provider.get_prompt(context, name, arguments.as_deref()).await;
                    answer.map(|answer| answer.map(CallAnswer::Prompt))
                }
                CallKind::Completion { reference, argument, value, known } => {
                    let query = CompletionQuery {
                        reference: reference.clone(),
                        argument: (&**argument).into(),
                        value: (&**value).into(),
                        known: known.as_deref(),
                    };
                    provider.complete(context, &query).await.map(CallAnswer::Completion).map(Answer::Complete)
                }
            };
            if !matches!(outcome, Err(FeatureError::NotFound)) {
                break;
            }
        }
        outcome
    }

    /// An error needs no structured content; anything else must be what the definition promises.
    fn checked(&self, context: &CallContext, outcome: ToolOutcome) -> Ended {
        let output = self.tool().and_then(|entry| entry.checks.as_ref()).and_then(|checks| checks.output.as_ref());
        let problem = match (output, outcome.structured_content()) {
            (None, _) => None,
            (Some(schema), Some(structured)) => {
                schema.check(structured).err().map(|_| "output does not conform to outputSchema")
            }
            (Some(_), None) if outcome.is_error() => None,
            (Some(_), None) => Some("output lacks the promised structured content"),
        };
        match problem {
            None => Ended::Answered(CallAnswer::Tool(outcome)),
            Some(problem) => self.broken(context, problem),
        }
    }

    /// For the log only: the caller learns nothing but the correlation id.
    fn broken(&self, context: &CallContext, problem: &'static str) -> Ended {
        let correlation_id = &*context.correlation_id;
        let tool = self.tool().map_or("(no tool)", |entry| &entry.name);
        tracing::error!(tool, correlation_id, problem, "tool {tool} is broken: {problem}");
        Ended::Broken
    }
}

impl<T> Answer<T> {
    /// The same answer with its result turned into another.
    pub fn map<U>(self, of_result: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Complete(result) => Answer::Complete(of_result(result)),
            Self::InputRequired(input) => Answer::InputRequired(input),
        }
    }
}

/// A panic's own text may hold arguments, so it never leaves the panic hook.
fn panic_text(_: &(dyn Any + Send)) -> &'static str {
    "it panicked"
}

#[cfg(test)]
mod tests;
