//! Tools of the multi round-trip scenarios: each asks under a key that the suite knows, some over several rounds.
//!
//! What a tool has to remember is its state, which the gateway seals; a changed one never comes here.

use serde_json::{Value, json};
use server::features::{FeatureError, InputRequired, Outcome, ToolOutcome};

use super::{Call, Tool, asks, done, elicit, form, question, sample};
use crate::answers::{Capability, Elicited, elicited, needs, roots, sampled};

const NAME: &str = "user_name";
const CAPITAL: &str = "capital_question";
const ROOTS: &str = "client_roots";
const GREETING: &str = "greeting";
const CONFIRM: &str = "confirm";

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::now("test_input_required_result_elicitation", "Asks for a name and greets", greet),
        Tool::now("test_input_required_result_sampling", "Asks the client's model for a capital", capital),
        Tool::now("test_input_required_result_list_roots", "Asks for the client's roots", list_roots),
        Tool::now("test_input_required_result_request_state", "Asks and remembers", with_state),
        Tool::now("test_input_required_result_multiple_inputs", "Asks three things at once", three_at_once),
        Tool::now("test_input_required_result_multi_round", "Asks twice", two_rounds),
        Tool::now("test_input_required_result_tampered_state", "Remembers what nobody may change", with_state),
        Tool::now("test_input_required_result_capabilities", "Asks only for what the client can do", what_is_possible),
    ]
}

fn name_form() -> Value {
    form("What is your name?", &json!({ "name": { "type": "string" } }))
}

fn greet(call: &Call<'_>) -> Outcome<ToolOutcome> {
    match elicited(call.context, NAME)? {
        Some(answer @ Elicited::Accept { .. }) => done(format!("Hello, {}!", entered(&answer, "name")?)),
        Some(Elicited::Decline | Elicited::Cancel) => done("Hello, whoever you are!"),
        None => {
            needs(call.context, &[Capability::Elicitation])?;
            asks(elicit(NAME, &name_form()))
        }
    }
}

fn capital(call: &Call<'_>) -> Outcome<ToolOutcome> {
    if let Some(text) = sampled(call.context, CAPITAL)? {
        return done(text);
    }
    needs(call.context, &[Capability::Sampling])?;
    asks(sample(CAPITAL, &question("What is the capital of France?", 100)))
}

fn list_roots(call: &Call<'_>) -> Outcome<ToolOutcome> {
    if let Some(roots) = roots(call.context, ROOTS)? {
        return done(format!("Roots: {}", roots.join(", ")));
    }
    needs(call.context, &[Capability::Roots])?;
    asks(InputRequired::default().ask(ROOTS, "roots/list", &json!({})))
}

fn with_state(call: &Call<'_>) -> Outcome<ToolOutcome> {
    const STATE: &[u8] = b"asked for a confirmation";
    match (elicited(call.context, CONFIRM)?, call.context.state.as_deref()) {
        (Some(answer), Some(STATE)) => done(format!("state-ok: {}", answer.shown())),
        (_, Some(state)) if state != STATE => Err(foreign_state()),
        _ => {
            needs(call.context, &[Capability::Elicitation])?;
            let form = form("Please confirm", &json!({ "ok": { "type": "boolean" } }));
            asks(elicit(CONFIRM, &form).remember(STATE))
        }
    }
}

fn three_at_once(call: &Call<'_>) -> Outcome<ToolOutcome> {
    let context = call.context;
    let answers = (elicited(context, NAME)?, sampled(context, GREETING)?, roots(context, ROOTS)?);
    if let (Some(name), Some(greeting), Some(roots)) = answers {
        return done(format!("{} {greeting} Roots: {}", name.shown(), roots.join(", ")));
    }
    needs(context, &[Capability::Elicitation, Capability::Sampling, Capability::Roots])?;
    asks(
        elicit(NAME, &name_form())
            .ask(GREETING, "sampling/createMessage", &question("Generate a greeting", 50))
            .ask(ROOTS, "roots/list", &json!({}))
            .remember("asked three things"),
    )
}

/// The state of the second round holds the name of the first.
fn two_rounds(call: &Call<'_>) -> Outcome<ToolOutcome> {
    const FIRST: &[u8] = b"round 1";
    const SECOND: &[u8] = b"round 2: ";
    let state = call.context.state.as_deref();
    if let Some(name) = state.and_then(|state| state.strip_prefix(SECOND)) {
        return match elicited(call.context, "step2")? {
            Some(answer) => done(format!("{}: {}", String::from_utf8_lossy(name), answer.shown())),
            None => asks(second_step(name)),
        };
    }
    match (elicited(call.context, "step1")?, state) {
        (Some(answer @ Elicited::Accept { .. }), Some(FIRST)) => {
            asks(second_step(entered(&answer, "name")?.as_bytes()))
        }
        (Some(_), Some(FIRST)) => done("The user gave no name."),
        (_, Some(state)) if state != FIRST => Err(foreign_state()),
        _ => {
            needs(call.context, &[Capability::Elicitation])?;
            let form = form("Step 1: What is your name?", &json!({ "name": { "type": "string" } }));
            asks(elicit("step1", &form).remember(FIRST))
        }
    }
}

fn second_step(name: &[u8]) -> InputRequired {
    let form = form("Step 2: What is your favorite color?", &json!({ "color": { "type": "string" } }));
    elicit("step2", &form).remember([b"round 2: ", name].concat())
}

fn what_is_possible(call: &Call<'_>) -> Outcome<ToolOutcome> {
    let context = call.context;
    let can = |capability: Capability| capability.is_declared(context);
    let mut questions = InputRequired::default();
    if can(Capability::Elicitation) && elicited(context, NAME)?.is_none() {
        questions = questions.ask(NAME, "elicitation/create", &name_form());
    }
    if can(Capability::Sampling) && sampled(context, CAPITAL)?.is_none() {
        let params = question("What is the capital of France?", 100);
        questions = questions.ask(CAPITAL, "sampling/createMessage", &params);
    }
    if can(Capability::Roots) && roots(context, ROOTS)?.is_none() {
        questions = questions.ask(ROOTS, "roots/list", &json!({}));
    }
    if questions.requests.is_empty() { done("Nothing is left to ask.") } else { asks(questions) }
}

fn entered<'a>(answer: &'a Elicited, field: &str) -> Result<&'a str, FeatureError> {
    let missing = || FeatureError::InvalidParams(format!("inputResponses: `{field}` must be a text").into());
    answer.text(field).ok_or_else(missing)
}

fn foreign_state() -> FeatureError {
    FeatureError::InvalidParams("requestState belongs to another call".into())
}

#[cfg(test)]
mod tests {
    use server::features::CallContext;

    use super::{super::testing::*, *};
    use crate::testing::{able, answered, context};

    #[expect(clippy::needless_pass_by_value, reason = "callers write it in place")]
    fn accepted(content: Value) -> Value {
        json!({ "action": "accept", "content": content })
    }

    #[test]
    fn a_wrong_key_is_asked_for_again_and_extra_keys_are_ignored() {
        let tool = "test_input_required_result_elicitation";
        let wrong = answered(&[("wrong_key", accepted(json!({ "data": "wrong" })))]);
        assert!(question_of(call(&wrong, tool)).requests.contains_key(NAME));
        let extra = answered(&[(NAME, accepted(json!({ "name": "Alice" }))), ("other", json!(1))]);
        assert_eq!(text_of(call(&extra, tool)), "Hello, Alice!");
        assert!(call(&answered(&[(NAME, json!(12345))]), tool).is_err());
    }

    #[test]
    fn two_rounds_have_two_states() {
        let tool = "test_input_required_result_multi_round";
        let first = question_of(call(&able(), tool));
        let with = |state: &Option<Vec<u8>>, key, content| CallContext {
            state: state.clone().map(Into::into),
            ..answered(&[(key, accepted(content))])
        };
        let second = question_of(call(&with(&first.state, "step1", json!({ "name": "Alice" })), tool));
        assert!(second.requests.contains_key("step2") && first.state != second.state);
        let end = text_of(call(&with(&second.state, "step2", json!({ "color": "blue" })), tool));
        assert_eq!(end, r#"Alice: action=accept, content={"color":"blue"}"#);
        assert!(call(&with(&Some(b"other".to_vec()), "other", json!({})), tool).is_err());
    }

    #[test]
    fn answers_without_their_state_are_asked_for_again() {
        let without = answered(&[(CONFIRM, accepted(json!({ "ok": true })))]);
        for tool in ["test_input_required_result_request_state", "test_input_required_result_tampered_state"] {
            let question = question_of(call(&without, tool));
            let with = CallContext { state: question.state.map(Into::into), ..without.clone() };
            assert!(text_of(call(&with, tool)).starts_with("state-ok"));
        }
    }

    #[test]
    fn only_what_the_client_can_do_is_asked_for() {
        let tool = "test_input_required_result_capabilities";
        assert_eq!(question_of(call(&able(), tool)).requests.len(), 3);
        let mut sampling_only = context();
        sampling_only.client.sampling = true;
        assert_eq!(question_of(call(&sampling_only, tool)).requests.keys().collect::<Vec<_>>(), [CAPITAL]);
        assert_eq!(text_of(call(&context(), tool)), "Nothing is left to ask.");
    }

    #[test]
    fn three_questions_need_three_answers() {
        let tool = "test_input_required_result_multiple_inputs";
        assert_eq!(question_of(call(&able(), tool)).requests.len(), 3);
        let one = answered(&[(NAME, accepted(json!({ "name": "Alice" })))]);
        assert_eq!(question_of(call(&one, tool)).requests.len(), 3);
    }
}
