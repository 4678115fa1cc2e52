//! `requestState` comes back from a client, so it counts as hostile (digest 2.7; section 9, point 8).

use serde_json::{Value, json};

use crate::support::provider::KEY;
use crate::support::session::everything;
use crate::support::{Answer, Message, World};

/// How long a state is good, in seconds, with some to spare.
const LONG_AFTER: i64 = 31 * 60;

#[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
fn ask(arguments: Value) -> Message {
    Message::modern("tools/call", json!({ "name": "ask", "arguments": arguments })).able(everything())
}

fn accepted() -> Value {
    json!({ KEY: { "action": "accept", "content": { "name": "Ada" } } })
}

/// The state of a first round.
async fn state_of(world: &World, message: &Message) -> String {
    let result = world.result(message).await;
    assert_eq!(result["resultType"], "input_required");
    assert_eq!(result["inputRequests"][KEY]["method"], "elicitation/create");
    result["requestState"].as_str().unwrap().to_owned()
}

fn retried(message: Message, state: &str) -> Message {
    message.with("/params/inputResponses", accepted()).with("/params/requestState", json!(state)).with("/id", json!(2))
}

async fn send(world: &World, message: &Message) -> Answer {
    world.gateway.client.send(message, Some(&world.token)).await
}

async fn is_refused(world: &World, message: &Message, token: &str) {
    let answer = world.gateway.client.send(message, Some(token)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, -32602), "{}", answer.text());
}

#[tokio::test]
async fn a_state_comes_back_with_the_answers_and_never_in_the_open() {
    let world = World::new().await;
    let state = state_of(&world, &ask(json!({}))).await;
    assert!(!state.contains("form"), "the fixture's state is sealed: {state}");
    let result = send(&world, &retried(ask(json!({})), &state)).await.result();
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("form: answer=") && text.contains("Ada"), "{text}");
}

#[tokio::test]
async fn a_state_of_another_principal_is_refused() {
    let world = World::new().await;
    let retry = retried(ask(json!({})), &state_of(&world, &ask(json!({}))).await);
    is_refused(&world, &retry, &world.gateway.token_of("somebody-else")).await;
    let mut claims = world.gateway.issuer.claims(&[], crate::support::client::PUBLIC_URL);
    claims["client_id"] = json!("another-client");
    is_refused(&world, &retry, &world.gateway.issuer.mint(&claims)).await;
    send(&world, &retry).await.result();
}

#[tokio::test]
async fn a_state_that_was_touched_is_refused() {
    let world = World::new().await;
    let state = state_of(&world, &ask(json!({}))).await;
    let swapped = |at: usize| {
        let mut bytes = state.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let tampered = [
        format!("{state}-TAMPERED"),
        state[1..].to_owned(),
        swapped(0),
        swapped(state.len() / 2),
        swapped(state.len() - 2),
        String::new(),
        "form".to_owned(),
        "x".repeat(1 << 20),
    ];
    for state in tampered {
        is_refused(&world, &retried(ask(json!({})), &state), &world.token).await;
    }
    for state in [json!(7), json!({}), json!(["x"])] {
        is_refused(&world, &ask(json!({})).with("/params/requestState", state), &world.token).await;
    }
}

/// The fixture does not say that it may be run twice.
#[tokio::test]
async fn a_state_is_used_once() {
    let world = World::new().await;
    let retry = retried(ask(json!({})), &state_of(&world, &ask(json!({}))).await);
    send(&world, &retry).await.result();
    is_refused(&world, &retry.with("/id", json!(3)), &world.token).await;
}

#[tokio::test]
async fn a_state_expires() {
    let world = World::new().await;
    let retry = retried(ask(json!({})), &state_of(&world, &ask(json!({}))).await);
    world.clock.forward(LONG_AFTER);
    is_refused(&world, &retry, &world.token).await;
}

#[tokio::test]
async fn a_state_is_for_the_arguments_that_it_was_made_for() {
    let world = World::new().await;
    let state = state_of(&world, &ask(json!({ "what": "form" }))).await;
    is_refused(&world, &retried(ask(json!({ "what": "roots" })), &state), &world.token).await;
    is_refused(&world, &retried(ask(json!({})), &state), &world.token).await;
    send(&world, &retried(ask(json!({ "what": "form" })), &state)).await.result();
}

#[tokio::test]
async fn a_state_is_for_the_method_and_the_name_that_it_was_made_for() {
    let world = World::new().await;
    let tool = || Message::modern("tools/call", json!({ "name": "ask" })).able(everything());
    let prompt = || Message::modern("prompts/get", json!({ "name": "ask" })).able(everything());
    let resource = || Message::modern("resources/read", json!({ "uri": "test://ask" })).able(everything());
    let say = || Message::modern("tools/call", json!({ "name": "say" })).able(everything());
    let made: [&dyn Fn() -> Message; 3] = [&tool, &prompt, &resource];
    for (own, message) in made.iter().enumerate() {
        let state = state_of(&world, &message()).await;
        for (other, message) in made.iter().enumerate() {
            let retry = retried(message(), &state);
            if own == other {
                assert_eq!(send(&world, &retry).await.result()["resultType"], "complete");
            } else {
                is_refused(&world, &retry, &world.token).await;
            }
        }
        is_refused(&world, &retried(say(), &state), &world.token).await;
    }
}

#[tokio::test]
async fn what_was_made_of_answers_is_for_nobody_to_keep() {
    let world = World::new().await;
    let read = || Message::modern("resources/read", json!({ "uri": "test://ask" })).able(everything());
    let state = state_of(&world, &read()).await;
    let result = send(&world, &retried(read(), &state)).await.result();
    assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(0), &json!("private")));
}

#[tokio::test]
async fn only_what_the_request_declares_is_asked_for() {
    let world = World::new().await;
    for (what, declared, missing) in [
        ("form", json!({}), json!({ "elicitation": {} })),
        ("form", json!({ "elicitation": { "url": {} } }), json!({ "elicitation": {} })),
        ("url", json!({ "elicitation": {} }), json!({ "elicitation": { "url": {} } })),
        ("sampling", json!({ "elicitation": {} }), json!({ "sampling": {} })),
        ("sampling_tools", json!({ "sampling": {} }), json!({ "sampling": { "tools": {} } })),
        ("roots", json!({ "sampling": {} }), json!({ "roots": {} })),
    ] {
        let answer = send(&world, &ask(json!({ "what": what })).able(declared)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, -32021), "{what}");
        assert_eq!(answer.json()["error"]["data"]["requiredCapabilities"], missing, "{what}");
    }
    for (what, declared) in [
        ("form", json!({ "elicitation": {} })),
        ("sampling", json!({ "sampling": {} })),
        ("roots", json!({ "roots": {} })),
    ] {
        let result = send(&world, &ask(json!({ "what": what })).able(declared)).await.result();
        assert_eq!(result["resultType"], "input_required", "{what}");
    }
}

#[tokio::test]
async fn malformed_answers_are_refused() {
    let world = World::new().await;
    let state = state_of(&world, &ask(json!({}))).await;
    for responses in [json!([]), json!("x"), json!(7)] {
        let retry = retried(ask(json!({})), &state).with("/params/inputResponses", responses);
        is_refused(&world, &retry, &world.token).await;
    }
    let null = retried(ask(json!({})), &state).with("/params/inputResponses", Value::Null);
    assert_eq!(send(&world, &null).await.result()["resultType"], "input_required", "asked again");
}
