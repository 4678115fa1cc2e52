//! Tools, in list order: the suite calls the first one without arguments.

mod ask;
mod notes;
mod plain;
mod rounds;
mod triggers;

use futures::future::BoxFuture;
use serde_json::{Map, Value, json, value::RawValue};
use server::features::{Answer, CallContext, FeatureError, InputRequired, OfferedTool, Outcome, ToolOutcome};

use crate::lists::Lists;

/// A call while it is answered.
pub(crate) struct Call<'a> {
    pub(crate) lists: &'a Lists,
    pub(crate) context: &'a CallContext,
    pub(crate) arguments: Map<String, Value>,
}

impl Call<'_> {
    /// A text argument. The schema was checked before: what is required is there.
    fn text(&self, name: &str) -> &str {
        self.arguments.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// What a tool does.
enum Run {
    /// At once.
    Now(fn(&Call<'_>) -> Outcome<ToolOutcome>),
    /// Over some time.
    Later(for<'a> fn(&'a Call<'a>) -> BoxFuture<'a, Outcome<ToolOutcome>>),
}

/// How a tool is listed, and what it does.
struct Tool {
    name: &'static str,
    description: &'static str,
    input_schema: Value,
    run: Run,
}

impl Tool {
    /// A tool without arguments.
    fn now(name: &'static str, description: &'static str, run: fn(&Call<'_>) -> Outcome<ToolOutcome>) -> Self {
        Self { name, description, input_schema: no_arguments(), run: Run::Now(run) }
    }

    /// A tool without arguments that takes its time.
    fn later(
        name: &'static str,
        description: &'static str,
        run: for<'a> fn(&'a Call<'a>) -> BoxFuture<'a, Outcome<ToolOutcome>>,
    ) -> Self {
        Self { name, description, input_schema: no_arguments(), run: Run::Later(run) }
    }

    fn with_arguments(self, input_schema: Value) -> Self {
        Self { input_schema, ..self }
    }

    fn offered(&self) -> OfferedTool {
        let Self { name, description, input_schema, run: _ } = self;
        OfferedTool::own(name, &json!({ "name": name, "description": description, "inputSchema": input_schema }))
    }
}

/// All but the one that comes and goes.
pub(crate) fn offered() -> Vec<OfferedTool> {
    all().iter().map(Tool::offered).collect()
}

/// The one that comes and goes.
pub(crate) fn dynamic() -> OfferedTool {
    triggers::dynamic().offered()
}

/// Runs the tool of that name.
pub(crate) async fn call(
    lists: &Lists,
    context: &CallContext,
    name: &str,
    arguments: &RawValue,
) -> Outcome<ToolOutcome> {
    let tool = all().into_iter().chain([triggers::dynamic()]).find(|tool| tool.name == name);
    let Some(Tool { run, .. }) = tool else { return Err(FeatureError::NotFound) };
    let arguments = serde_json::from_str(arguments.get())
        .map_err(|_| FeatureError::InvalidParams("`arguments` must be an object".into()))?;
    let call = Call { lists, context, arguments };
    match run {
        Run::Now(run) => run(&call),
        Run::Later(run) => run(&call).await,
    }
}

fn all() -> Vec<Tool> {
    let mut tools = plain::tools();
    tools.extend(notes::tools());
    tools.extend(ask::tools());
    tools.extend(rounds::tools());
    tools.extend(triggers::tools());
    tools
}

/// The params of an `elicitation/create` whose fields are all required.
pub(crate) fn form(message: &str, properties: &Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    json!({ "message": message, "requestedSchema": schema })
}

/// The params of a `sampling/createMessage` with one question.
fn question(text: &str, max_tokens: u32) -> Value {
    json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": text } }], "maxTokens": max_tokens })
}

fn elicit(key: &str, params: &Value) -> InputRequired {
    InputRequired::default().ask(key, "elicitation/create", params)
}

fn sample(key: &str, params: &Value) -> InputRequired {
    InputRequired::default().ask(key, "sampling/createMessage", params)
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a tool returns")]
fn done(text: impl Into<String>) -> Outcome<ToolOutcome> {
    Ok(Answer::Complete(ToolOutcome::text(text)))
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a tool returns")]
fn asks(question: InputRequired) -> Outcome<ToolOutcome> {
    Ok(Answer::InputRequired(question))
}

fn no_arguments() -> Value {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

/// The schema of one required text.
fn one_text(name: &str, description: &str) -> Value {
    json!({
        "type": "object",
        "properties": { name: { "type": "string", "description": description } },
        "required": [name],
    })
}

#[cfg(test)]
mod testing {
    //! Calls in unit tests.

    use serde_json::{Value, value::to_raw_value};
    use server::features::{Answer, CallContext, Changes, InputRequired, Outcome, ToolOutcome};

    use crate::lists::Lists;

    pub(super) fn call_with(context: &CallContext, name: &str, arguments: &Value) -> Outcome<ToolOutcome> {
        let lists = Lists::new(Changes::default());
        let arguments = to_raw_value(arguments).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(super::call(&lists, context, name, &arguments))
    }

    pub(super) fn call(context: &CallContext, name: &str) -> Outcome<ToolOutcome> {
        call_with(context, name, &serde_json::json!({}))
    }

    pub(super) fn text_of(outcome: Outcome<ToolOutcome>) -> String {
        let Ok(Answer::Complete(outcome)) = outcome else { panic!("not complete: {outcome:?}") };
        outcome.text_content().expect("one text block").to_owned()
    }

    pub(super) fn question_of(outcome: Outcome<ToolOutcome>) -> InputRequired {
        let Ok(Answer::InputRequired(question)) = outcome else { panic!("no question: {outcome:?}") };
        question
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_first_tool_needs_no_arguments_and_names_are_unique() {
        let tools = offered();
        assert_eq!(&*tools[0].name, "test_simple_text");
        let names: BTreeSet<_> = tools.iter().map(|tool| &tool.name).collect();
        assert_eq!(names.len(), tools.len());
        assert!(!names.contains(&dynamic().name));
    }

    #[test]
    fn an_unknown_tool_is_not_found() {
        let outcome = testing::call(&crate::testing::context(), "other");
        assert!(matches!(outcome, Err(FeatureError::NotFound)));
    }
}
