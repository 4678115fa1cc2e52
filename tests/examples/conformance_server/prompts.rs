//! Prompts, and the completion of their arguments.

use std::collections::BTreeMap;

use serde_json::{Value, json, value::RawValue};
use server::features::{
    Answer, CallContext, CompletionOutcome, CompletionQuery, CompletionReference, FeatureError, InputRequired,
    OfferedPrompt, Outcome, PromptOutcome,
};

use crate::{
    answers::{Capability, Elicited, elicited, needs},
    content::{image, messages, resource, text},
    resources,
    tools::form,
};

const SIMPLE: &str = "test_simple_prompt";
const ARGUMENTS: &str = "test_prompt_with_arguments";
const EMBEDDED: &str = "test_prompt_with_embedded_resource";
const IMAGE: &str = "test_prompt_with_image";
const INPUT: &str = "test_input_required_result_prompt";
const DYNAMIC: &str = "test_dynamic_prompt";

/// What completion proposes for any argument.
const WORDS: [&str; 4] = ["paris", "park", "party", "testValue1"];

pub(crate) fn offered() -> Vec<OfferedPrompt> {
    vec![
        prompt(SIMPLE, "A prompt without arguments", &[]),
        prompt(ARGUMENTS, "A prompt with two arguments", &["arg1", "arg2"]),
        prompt(EMBEDDED, "A prompt that embeds a resource", &["resourceUri"]),
        prompt(IMAGE, "A prompt with an image", &[]),
        prompt(INPUT, "A prompt that asks the user first", &[]),
    ]
}

/// The one that comes and goes.
pub(crate) fn dynamic() -> OfferedPrompt {
    prompt(DYNAMIC, "A prompt that comes and goes with test_trigger_prompt_change", &[])
}

pub(crate) fn get(context: &CallContext, name: &str, arguments: Option<&RawValue>) -> Outcome<PromptOutcome> {
    let arguments = arguments.map_or(Ok(BTreeMap::new()), |arguments| serde_json::from_str(arguments.get()));
    let arguments: BTreeMap<String, String> =
        arguments.map_err(|_| FeatureError::InvalidParams("`arguments` must be an object of strings".into()))?;
    let argument = |name: &str| {
        let missing = || FeatureError::InvalidParams(format!("argument `{name}` is missing").into());
        arguments.get(name).ok_or_else(missing)
    };
    let contents = match name {
        SIMPLE => vec![text("This is a simple prompt for testing.")],
        ARGUMENTS => {
            let (arg1, arg2) = (argument("arg1")?, argument("arg2")?);
            vec![text(&format!("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]
        }
        EMBEDDED => vec![
            resource(argument("resourceUri")?, "text/plain", "Embedded resource content for testing."),
            text("Please process the embedded resource above."),
        ],
        IMAGE => vec![image(), text("Please analyze the image above.")],
        DYNAMIC => vec![text("This prompt comes and goes.")],
        INPUT => return with_input(context),
        _ => return Err(FeatureError::NotFound),
    };
    Ok(Answer::Complete(messages(name, contents)))
}

fn with_input(context: &CallContext) -> Outcome<PromptOutcome> {
    let said = match elicited(context, "user_context")? {
        Some(answer @ Elicited::Accept { .. }) => match answer.text("context") {
            Some(said) => format!("Use this context: {said}"),
            None => return Err(FeatureError::InvalidParams("inputResponses: `context` must be a text".into())),
        },
        Some(Elicited::Decline | Elicited::Cancel) => "The user gave no context.".to_owned(),
        None => {
            needs(context, &[Capability::Elicitation])?;
            let question = form("What context should the prompt use?", &json!({ "context": { "type": "string" } }));
            return Ok(Answer::InputRequired(InputRequired::default().ask(
                "user_context",
                "elicitation/create",
                &question,
            )));
        }
    };
    Ok(Answer::Complete(messages(INPUT, vec![text(&said)])))
}

pub(crate) fn complete(query: &CompletionQuery<'_>) -> Result<CompletionOutcome, FeatureError> {
    let known = match &query.reference {
        CompletionReference::Prompt(name) => offered().iter().any(|prompt| *prompt.name == **name),
        CompletionReference::Resource(uri) => *uri == resources::TEMPLATE,
    };
    if !known {
        return Err(FeatureError::NotFound);
    }
    let values: Vec<String> =
        WORDS.into_iter().filter(|word| word.starts_with(&*query.value)).map(str::to_owned).collect();
    Ok(CompletionOutcome { total: Some(values.len() as u64), values, has_more: false })
}

/// A prompt whose arguments are all required.
fn prompt(name: &str, description: &str, arguments: &[&str]) -> OfferedPrompt {
    let argument = |name: &&str| json!({ "name": name, "description": format!("Argument {name}"), "required": true });
    let arguments: Vec<Value> = arguments.iter().map(argument).collect();
    OfferedPrompt::own(name, &json!({ "name": name, "description": description, "arguments": arguments }))
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;
    use crate::testing::{able, answered, context};

    fn text_of(outcome: Outcome<PromptOutcome>) -> String {
        let Ok(Answer::Complete(PromptOutcome { messages, .. })) = outcome else { panic!("no prompt: {outcome:?}") };
        messages.get().to_owned()
    }

    #[test]
    fn arguments_are_filled_in_and_missing_ones_are_refused() {
        let arguments = to_raw_value(&json!({ "arg1": "hello", "arg2": "world" })).unwrap();
        let shown = text_of(get(&context(), ARGUMENTS, Some(&arguments)));
        assert!(shown.contains("Prompt with arguments: arg1='hello', arg2='world'"), "{shown}");
        assert!(matches!(get(&context(), ARGUMENTS, None), Err(FeatureError::InvalidParams(_))));
        assert!(matches!(get(&context(), "other", None), Err(FeatureError::NotFound)));
    }

    #[test]
    fn the_prompt_with_input_asks_once() {
        let Ok(Answer::InputRequired(question)) = get(&able(), INPUT, None) else { panic!("it asks") };
        assert_eq!(question.requests.keys().collect::<Vec<_>>(), ["user_context"]);
        let answer = json!({ "action": "accept", "content": { "context": "test context" } });
        assert!(text_of(get(&answered(&[("user_context", answer)]), INPUT, None)).contains("test context"));
    }

    #[test]
    fn completion_proposes_what_begins_so() {
        let reference = CompletionReference::Prompt(ARGUMENTS.into());
        let query = CompletionQuery { reference, argument: "arg1".into(), value: "par".into(), known: None };
        assert_eq!(complete(&query).unwrap().values, ["paris", "park", "party"]);
        let query = CompletionQuery { reference: CompletionReference::Prompt("other".into()), ..query };
        assert_eq!(complete(&query), Err(FeatureError::NotFound));
    }
}
