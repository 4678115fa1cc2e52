//! Headers that repeat values of the body (digest 2.2; section 9, point 9).

use serde_json::{Value, json};

use crate::support::message::{Era, LEGACY};
use crate::support::{Message, World};

fn base64(text: &str) -> String {
    use base64::Engine as _;
    format!("=?base64?{}?=", base64::engine::general_purpose::STANDARD.encode(text))
}

async fn code(world: &World, message: &Message) -> Option<i64> {
    let answer = world.gateway.client.send(message, Some(&world.token)).await;
    let code = answer.json()["error"]["code"].as_i64();
    assert_eq!(answer.status.as_u16(), if code.is_some() { 400 } else { 200 }, "{}", answer.text());
    code
}

const REFUSED: Option<i64> = Some(-32020);

#[tokio::test]
async fn the_name_header_repeats_the_uri_of_a_resource_also_in_base64() {
    let world = World::new().await;
    let read = |uri: &str| Message::modern("resources/read", json!({ "uri": uri })).without_header("mcp-name");
    let rows: [(&str, &[&str], Option<i64>); 7] = [
        ("test://listed", &["test://listed"], None),
        ("test://listed", &[&base64("test://listed")], None),
        ("test://item/größe", &[&base64("test://item/größe")], None),
        ("test://listed", &[], REFUSED),
        ("test://listed", &["test://other"], REFUSED),
        ("test://listed", &["=?base64?dGVzdDovL2xpc3RlZA?="], REFUSED),
        ("test://listed", &["test://listed", "test://listed"], REFUSED),
    ];
    for (uri, sent, expected) in rows {
        let message = sent.iter().fold(read(uri), |message, value| message.header("mcp-name", value));
        assert_eq!(code(&world, &message).await, expected, "{uri} {sent:?}");
    }
}

#[tokio::test]
async fn the_name_header_repeats_the_name_of_a_prompt() {
    let world = World::new().await;
    let get = || Message::modern("prompts/get", json!({ "name": "hello" }));
    assert_eq!(code(&world, &get()).await, None);
    assert_eq!(code(&world, &get().with_header("mcp-name", &base64("hello"))).await, None);
    assert_eq!(code(&world, &get().with_header("mcp-name", "linked")).await, REFUSED);
    assert_eq!(code(&world, &get().without_header("mcp-name")).await, REFUSED);
    assert_eq!(code(&world, &get().header("mcp-name", "hello")).await, REFUSED);
}

#[tokio::test]
async fn an_argument_that_is_to_be_repeated_is_compared_at_any_depth_and_by_its_type() {
    let world = World::new().await;
    let route = |arguments: Value, headers: &[(&str, &str)]| {
        let message = Message::call(Era::Modern, "route", arguments);
        headers.iter().fold(message, |message, (name, value)| message.header(name, value))
    };
    let region = || json!({ "region": "eu" });
    let shard = |number: Value| json!({ "place": { "shard": number } });
    let rows = [
        ("text", region(), vec![("mcp-param-region", "eu")], None),
        ("text in base64", region(), vec![("Mcp-Param-Region", "=?base64?ZXU=?=")], None),
        ("white space around it", region(), vec![("mcp-param-region", "  eu ")], None),
        ("no header for a value", region(), vec![], REFUSED),
        ("another value", region(), vec![("mcp-param-region", "us")], REFUSED),
        ("another case", region(), vec![("mcp-param-region", "EU")], REFUSED),
        ("twice", region(), vec![("mcp-param-region", "eu"), ("mcp-param-region", "eu")], REFUSED),
        ("bad base64", region(), vec![("mcp-param-region", "=?base64?ZXU?=")], REFUSED),
        ("no value, no header", json!({}), vec![], None),
        ("an empty value", json!({ "region": "" }), vec![("mcp-param-region", "")], None),
        ("an empty value without a header", json!({ "region": "" }), vec![], REFUSED),
        ("nested", shard(json!(42)), vec![("mcp-param-shard", "42")], None),
        ("an integer as a number", shard(json!(42)), vec![("mcp-param-shard", "42.0")], None),
        ("another integer", shard(json!(42)), vec![("mcp-param-shard", "43")], REFUSED),
        ("no header for a nested value", shard(json!(42)), vec![], REFUSED),
        ("a parent without the value", json!({ "place": {} }), vec![], None),
        ("true", json!({ "dry": true }), vec![("mcp-param-dry", "true")], None),
        ("false for true", json!({ "dry": true }), vec![("mcp-param-dry", "false")], REFUSED),
        ("one that no tool declares", json!({}), vec![("mcp-param-other", "x")], None),
    ];
    for (row, arguments, headers, expected) in rows {
        assert_eq!(code(&world, &route(arguments, &headers)).await, expected, "{row}");
    }
}

#[tokio::test]
async fn headers_of_the_modern_era_decide_nothing_in_a_session() {
    let world = World::new().await;
    let session = world.session(LEGACY).await;
    let call = session.message("tools/call", json!({ "name": "route", "arguments": { "region": "eu" } }));
    let answer = session.send(&call.header("mcp-name", "other").header("mcp-method", "tools/list")).await;
    assert_eq!(answer.result()["content"][0]["text"], r#"route: {"region":"eu"}"#);
}
