//! All fixtures as one provider.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _, ready};
use serde_json::value::RawValue;
use server::features::{
    CallContext, Changes, CompletionOutcome, CompletionQuery, FeatureError, Offer, Outcome, PromptOutcome, Provider,
    ResourceOutcome, ToolOutcome,
};

use crate::{lists::Lists, prompts, resources, tools};

pub(crate) struct Fixtures {
    lists: Lists,
}

impl Fixtures {
    pub(crate) fn new(changes: Changes) -> Self {
        Self { lists: Lists::new(changes) }
    }
}

impl Provider for Fixtures {
    fn offer(&self) -> Arc<Offer> {
        self.lists.offer()
    }

    fn call_tool<'a>(
        &'a self,
        context: &'a CallContext,
        name: &'a str,
        arguments: &'a RawValue,
    ) -> BoxFuture<'a, Outcome<ToolOutcome>> {
        tools::call(&self.lists, context, name, arguments).boxed()
    }

    fn read_resource<'a>(&'a self, _: &'a CallContext, uri: &'a str) -> BoxFuture<'a, Outcome<ResourceOutcome>> {
        ready(resources::read(&self.lists, uri)).boxed()
    }

    fn get_prompt<'a>(
        &'a self,
        context: &'a CallContext,
        name: &'a str,
        arguments: Option<&'a RawValue>,
    ) -> BoxFuture<'a, Outcome<PromptOutcome>> {
        ready(prompts::get(context, name, arguments)).boxed()
    }

    fn complete<'a>(
        &'a self,
        _: &'a CallContext,
        query: &'a CompletionQuery<'a>,
    ) -> BoxFuture<'a, Result<CompletionOutcome, FeatureError>> {
        ready(prompts::complete(query)).boxed()
    }
}
