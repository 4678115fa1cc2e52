//! Whatever refuses a modern request, and whoever does, says it in JSON-RPC, with nothing of our insides (section 9,
//! point 19; P44).

use serde_json::json;

use crate::support::message::Era;
use crate::support::{Answer, Message, World};

fn assert_discreet(answer: &Answer) {
    for inside in ["panicked", "::", ".rs", "/work", "fixture says", "pending"] {
        assert!(!answer.text().contains(inside), "`{inside}` in {}", answer.text());
    }
}

#[tokio::test]
async fn every_layer_refuses_in_json_rpc() {
    let world = World::with(|options| options.policy.limits.requests_in_flight_per_principal = 1).await;
    let client = &world.gateway.client;
    let discover = || Message::modern("server/discover", json!({}));
    let large = "x".repeat(4 * 1024 * 1024);
    let held = Message::call(Era::Modern, "wait", json!({})).with("/params/_meta/progressToken", json!(1));
    let mut holding = client.stream(&held, &world.token).await;
    holding.message().await;
    // A place is looked for before anything of the body is read.
    let overloaded = client.send(&discover(), Some(&world.token)).await;
    assert_eq!((overloaded.status.as_u16(), overloaded.code()), (429, -32603), "{}", overloaded.text());
    assert!(overloaded.header("retry-after").is_some());
    world.fixtures.release();
    holding.rest().await;
    let rows = [
        ("a head that is too large", discover().header("x-large", &"x".repeat(40 * 1024)), 431),
        ("a media type", discover().with_header("content-type", "text/plain"), 415),
        ("an answer that cannot be read", discover().with_header("accept", "text/html"), 406),
        ("a body that is too large", discover().with("/params/_meta/large", json!(large)), 413),
    ];
    for (row, message, status) in rows {
        // The schema check wants a JSON-RPC error.
        let answer = client.send(&message, Some(&world.token)).await;
        assert_eq!(answer.status.as_u16(), status, "{row}: {}", answer.text());
        answer.code();
        assert_discreet(&answer);
    }
}

#[tokio::test]
async fn a_tool_that_breaks_says_nothing_but_the_correlation_id() {
    let world = World::new().await;
    for era in Era::BOTH {
        let answer = world.gateway.client.call(era, "panic", json!({}), &world.token).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (200, -32603));
        let id = answer.header("x-correlation-id").unwrap();
        assert_eq!(answer.json()["error"]["data"], json!({ "correlation_id": id }));
        assert_discreet(&answer);
    }
}

#[tokio::test]
async fn a_tool_that_does_not_answer_in_time_is_a_result_that_says_so() {
    let world = World::new().await;
    for era in Era::BOTH {
        let result = world.gateway.client.call(era, "late", json!({}), &world.token).await.result();
        assert_eq!(result["isError"], true);
        assert!(result["content"][0]["text"].as_str().unwrap().contains("within"), "{result}");
    }
}
