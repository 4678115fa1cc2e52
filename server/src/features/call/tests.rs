use crds::gateway_config::AuthorizationDefault::Authenticated;
use futures::future::{BoxFuture, pending, ready};
use serde_json::json;

use super::*;
use crate::features::{
    Changes, Features, Offer, OfferedTool, Outcome,
    testing::{Fake, call_of, context, others, policy, principal},
};

/// Runs `kind` at these providers.
async fn run(fakes: Vec<Fake>, kind: CallKind) -> Ended {
    let providers = fakes.into_iter().map(|fake| Arc::new(fake) as Arc<dyn Provider>).collect();
    let features = Features::new(providers, Changes::default()).unwrap();
    let call = features.call(&features.catalog(), &policy(Authenticated), &principal(), kind);
    call.map_err(|(_, denied)| denied).unwrap().run(&context()).await
}

/// Calls a tool with a number `n` in and a number `n` out.
async fn call(
    arguments: &str,
    of_tool: impl Fn() -> BoxFuture<'static, Outcome<ToolOutcome>> + Send + Sync + 'static,
) -> Ended {
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
    let definition = json!({ "name": "t", "description": "A tool.", "inputSchema": schema, "outputSchema": schema });
    let offer = Offer { tools: vec![OfferedTool::own("t", &definition)], ..Offer::default() };
    let fake = Fake { of_tool: Box::new(move |_, _| of_tool()), ..Fake::new(offer) };
    run(vec![fake], call_of("t", arguments)).await
}

async fn answering(outcome: ToolOutcome) -> Ended {
    call(r#"{"n":1}"#, move || ready(Ok(Answer::Complete(outcome.clone()))).boxed()).await
}

#[tokio::test]
async fn arguments_that_do_not_conform_are_told_in_words_and_reach_no_provider() {
    let ended = call(r#"{"n":"one"}"#, || panic!("nobody asks for this")).await;
    let Ended::Answered(CallAnswer::Tool(outcome)) = ended else { panic!("{ended:?}") };
    let text = outcome.text_content().unwrap();
    assert!(outcome.is_error() && text.contains("`/n`") && text.contains("inputSchema"), "{text}");
}

#[tokio::test]
async fn an_output_is_what_the_definition_promises_or_the_tool_is_broken() {
    let fine = answering(ToolOutcome::structured(&json!({ "n": 2 }))).await;
    assert!(matches!(fine, Ended::Answered(_)));
    assert!(matches!(answering(ToolOutcome::structured(&json!({ "n": "two" }))).await, Ended::Broken));
    assert!(matches!(answering(ToolOutcome::text("two")).await, Ended::Broken));
    // An error promises nothing.
    assert!(matches!(answering(ToolOutcome::error("no ink")).await, Ended::Answered(_)));
}

#[tokio::test]
async fn a_panic_ends_the_call_alone() {
    assert!(matches!(call(r#"{"n":1}"#, || async { panic!("on purpose") }.boxed()).await, Ended::Broken));
}

#[tokio::test(start_paused = true)]
async fn work_that_does_not_end_is_dropped_at_its_deadline() {
    let ended = call(r#"{"n":1}"#, || pending().boxed()).await;
    assert!(matches!(ended, Ended::TimedOut(crate::features::DEFAULT_DEADLINE)), "{ended:?}");
}

#[tokio::test]
async fn an_error_of_a_provider_is_told_and_a_fault_of_its_own_is_not() {
    let with = |error: FeatureError| call(r#"{"n":1}"#, move || ready(Err(error.clone())).boxed());
    let wrong = with(FeatureError::InvalidParams("n is too large".into())).await;
    assert!(matches!(wrong, Ended::Failed(FeatureError::InvalidParams(_))), "{wrong:?}");
    assert!(matches!(with(FeatureError::Broken("out of order")).await, Ended::Broken));
}

#[tokio::test]
async fn a_resource_that_nobody_lists_is_asked_of_each_who_has_templates_in_turn() {
    let fakes = || ["none:", "any:"].map(|knows| Fake { knows, ..Fake::new(others()) }).into();
    let ended = run(fakes(), CallKind::Resource { uri: "any:1".into() }).await;
    let Ended::Answered(CallAnswer::Resource(outcome)) = ended else { panic!("{ended:?}") };
    assert!(outcome.contents.get().contains(r#""text":"any:""#), "{}", outcome.contents);
    let unknown = run(fakes(), CallKind::Resource { uri: "other:1".into() }).await;
    assert!(matches!(unknown, Ended::Failed(FeatureError::NotFound)), "{unknown:?}");
}
