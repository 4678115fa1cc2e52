//! The interface itself.
//!
//! Every method may be called many times at once. Dropping a future that it returned is cancellation: the work must
//! stop soon, at the upstream too. What a provider does not offer it is never asked for, so the methods for
//! resources, prompts and completions have defaults.

use std::{borrow::Cow, sync::Arc};

use futures::future::{BoxFuture, FutureExt as _, ready};
use serde_json::value::RawValue;

use super::{CallContext, FeatureError, Offer, Outcome, PromptOutcome, ResourceOutcome, ToolOutcome};

/// Something that offers features to clients.
pub trait Provider: Send + Sync {
    /// What it offers at this moment: a snapshot that is swapped whole. Asked often, so it must be cheap. Whoever
    /// changes it tells [`super::Changes`] afterwards.
    fn offer(&self) -> Arc<Offer>;

    /// Runs the tool that was offered as `name`. `arguments` is a JSON object; where the tool was offered with
    /// `checked: true` it conforms to the input schema. The caller is allowed to call. What goes wrong is an outcome
    /// with `isError`, in words that a model can act on.
    fn call_tool<'a>(
        &'a self,
        context: &'a CallContext,
        name: &'a str,
        arguments: &'a RawValue,
    ) -> BoxFuture<'a, Outcome<ToolOutcome>>;

    /// Reads a resource: one that was offered, or one that a template may describe.
    fn read_resource<'a>(
        &'a self,
        _context: &'a CallContext,
        _uri: &'a str,
    ) -> BoxFuture<'a, Outcome<ResourceOutcome>> {
        ready(Err(FeatureError::NotFound)).boxed()
    }

    /// Fills in the prompt that was offered as `name`. `arguments` is a JSON object of strings, or absent.
    fn get_prompt<'a>(
        &'a self,
        _context: &'a CallContext,
        _name: &'a str,
        _arguments: Option<&'a RawValue>,
    ) -> BoxFuture<'a, Outcome<PromptOutcome>> {
        ready(Err(FeatureError::NotFound)).boxed()
    }

    /// Proposes values for an argument of a prompt or a template.
    fn complete<'a>(
        &'a self,
        _context: &'a CallContext,
        _query: &'a CompletionQuery<'a>,
    ) -> BoxFuture<'a, Result<CompletionOutcome, FeatureError>> {
        ready(Err(FeatureError::NotFound)).boxed()
    }
}

/// What `completion/complete` asks.
#[derive(Clone, Debug)]
pub struct CompletionQuery<'a> {
    /// What the argument belongs to.
    pub reference: CompletionReference<'a>,
    /// Name of the argument.
    pub argument: Cow<'a, str>,
    /// What was typed so far.
    pub value: Cow<'a, str>,
    /// `context.arguments`: a JSON object of the arguments that are known already.
    pub known: Option<&'a RawValue>,
}

/// What an argument belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompletionReference<'a> {
    /// `ref/prompt`: the prompt's name.
    Prompt(Cow<'a, str>),
    /// `ref/resource`: the URI or the URI template.
    Resource(Cow<'a, str>),
}

/// Proposed values, best first. At most 100 reach the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompletionOutcome {
    /// The values.
    pub values: Vec<String>,
    /// How many there are in all, where that is known.
    pub total: Option<u64>,
    /// Whether there are more than were given.
    pub has_more: bool,
}
