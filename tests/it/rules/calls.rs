//! Calls of the modern era: what comes before the answer, what is in it, and when nobody waits for it any more
//! (digest 2.3, 2.5, 2.8; section 9, points 5, 6, 10 and 11).

use serde_json::{Value, json};

use crate::support::message::{Era, LEGACY};
use crate::support::provider::LISTED;
use crate::support::world::call;
use crate::support::{Message, World, eventually};

async fn messages(world: &World, message: &Message) -> Vec<Value> {
    world.gateway.client.stream(message, &world.token).await.rest().await
}

#[tokio::test]
async fn log_messages_come_from_the_level_asked_for_on() {
    let world = World::new().await;
    let levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
    for (index, level) in levels.into_iter().enumerate() {
        let messages = messages(&world, &Message::call(Era::Modern, "log", json!({})).logging(level)).await;
        let (result, logged) = messages.split_last().unwrap();
        let logged: Vec<_> = logged.iter().map(|message| message["params"]["level"].as_str().unwrap()).collect();
        assert_eq!(logged, levels[index..]);
        assert_eq!(result["result"]["content"][0]["text"], "logged");
    }
}

#[tokio::test]
async fn without_a_level_or_a_token_nothing_comes_before_the_answer() {
    let world = World::new().await;
    for tool in ["log", "steps"] {
        let answer = world.gateway.client.call(Era::Modern, tool, json!({}), &world.token).await;
        assert!(!answer.is_stream(), "{}", answer.text());
        answer.result();
    }
    let leveled = Message::call(Era::Modern, "steps", json!({})).logging("debug");
    assert!(!world.gateway.client.send(&leveled, Some(&world.token)).await.is_stream(), "progress without a token");
    assert!(!world.gateway.client.send(&call("log", json!({})), Some(&world.token)).await.is_stream(), "logs unasked");
}

#[tokio::test]
async fn an_unknown_log_level_is_refused_before_the_tool_runs() {
    let world = World::new().await;
    for level in ["loud", "", "DEBUG"] {
        let message = Message::call(Era::Modern, "wait", json!({})).logging(level);
        let answer = world.gateway.client.send(&message, Some(&world.token)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, -32602), "{level}");
    }
    assert_eq!(world.fixtures.counts().0, 0);
}

#[tokio::test]
async fn progress_rises_under_the_token_of_the_request_and_ends_with_the_result() {
    let world = World::new().await;
    for token in [json!("a token"), json!(7)] {
        let message = call("steps", json!({})).with("/params/_meta/progressToken", token.clone());
        let messages = messages(&world, &message).await;
        let (result, told) = messages.split_last().unwrap();
        assert!(told.iter().all(|message| message["params"]["progressToken"] == token), "{told:?}");
        let told: Vec<_> = told.iter().map(|message| message["params"]["progress"].as_i64().unwrap()).collect();
        assert_eq!(told, [1, 2, 3], "what does not rise is left out");
        assert!(result.get("result").is_some());
    }
}

/// P43: also before anything was answered.
#[tokio::test]
async fn a_client_that_goes_takes_its_modern_call_with_it() {
    let world = World::new().await;
    let client = world.gateway.client.another();
    let mut stream = client.stream(&call("wait", json!({})), &world.token).await;
    assert_eq!(stream.method().await, "notifications/progress");
    drop(stream);
    eventually("the streamed call is dropped", async || (world.fixtures.counts() == (1, 0, 1)).then_some(())).await;

    let silent = Message::call(Era::Modern, "wait", json!({}));
    let unanswered = client.send(&silent, Some(&world.token));
    let started = eventually("the silent call has started", async || (world.fixtures.counts().0 == 2).then_some(()));
    tokio::select! {
        biased;
        answer = unanswered => panic!("it was answered: {answer:?}"),
        () = started => {}
    }
    eventually("the silent call is dropped", async || (world.fixtures.counts() == (2, 0, 2)).then_some(())).await;
    world.fixtures.release();
    assert_eq!(world.result(&silent).await["content"][0]["text"], "released", "the permit was nobody's");
}

#[tokio::test]
async fn every_modern_result_says_its_type_and_who_served_it() {
    let world = World::new().await;
    let reference = json!({ "type": "ref/prompt", "name": "hello" });
    let completion = json!({ "ref": reference, "argument": { "name": "who", "value": "a" } });
    for (method, params) in [
        ("server/discover", json!({})),
        ("tools/list", json!({})),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("prompts/list", json!({})),
        ("tools/call", json!({ "name": "say", "arguments": { "text": "a" } })),
        ("resources/read", json!({ "uri": LISTED })),
        ("prompts/get", json!({ "name": "hello" })),
        ("completion/complete", completion),
    ] {
        // The schema check looks for `serverInfo`, and for caching hints where they belong.
        let result = world.result(&Message::modern(method, params)).await;
        assert_eq!(result["resultType"], "complete", "{method}");
        let cached = method.contains("list") || method.contains("discover") || method.contains("read");
        assert_eq!(result.get("ttlMs").is_some(), cached, "{method}");
    }
}

#[tokio::test]
async fn a_missing_resource_is_32602_here_and_32002_in_the_older_era() {
    let world = World::new().await;
    for uri in ["other://unknown", "test://item/gone"] {
        for (era, code) in [(Era::Modern, -32602), (Era::Legacy, -32002)] {
            let answer = world.gateway.client.ask(era, "resources/read", json!({ "uri": uri }), &world.token).await;
            assert_eq!(answer.code(), code, "{era:?} {uri}");
            assert_eq!(answer.json()["error"]["data"]["uri"], uri);
        }
    }
}

#[tokio::test]
async fn structured_content_keeps_the_promise_of_its_schema_or_is_not_sent() {
    let world = World::new().await;
    assert_eq!(world.result(&Message::call(Era::Modern, "object", json!({}))).await["structuredContent"]["a"], 1);
    for era in Era::BOTH {
        let answer = world.gateway.client.call(era, "lie", json!({}), &world.token).await;
        assert_eq!(answer.code(), -32603);
        assert!(!answer.text().contains("no integer"), "{}", answer.text());
    }
}

#[tokio::test]
async fn structured_content_that_is_no_object_is_for_the_modern_era() {
    let world = World::new().await;
    assert_eq!(world.result(&Message::call(Era::Modern, "number", json!({}))).await["structuredContent"], 42);
    let legacy = world.session(LEGACY).await.ask("tools/call", json!({ "name": "number" })).await.result();
    assert_eq!(legacy.get("structuredContent"), None);
    assert_eq!(legacy["content"][0]["text"], "42");
}
