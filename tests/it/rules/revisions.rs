//! What each of the older revisions reads: the official runner asks for the newest of them only (digest 3.2; section 9,
//! points 3, 10 and 11).

use serde_json::{Value, json};

use crate::support::message::{JUNE, LEGACY, MARCH, WITH_SESSIONS};
use crate::support::provider::LISTED;
use crate::support::{Message, Session, World};

/// The definition of this name or URI in a list.
async fn defined(session: &Session, method: &str, member: &str, named: &str) -> Value {
    let list = session.ask(method, json!({})).await.result();
    let entries = list[member].as_array().unwrap();
    let is_named = |entry: &&Value| ["name", "uri"].iter().any(|key| entry[*key] == *named);
    entries.iter().find(is_named).unwrap_or_else(|| panic!("no {named} in {list}")).clone()
}

#[tokio::test]
async fn initialize_negotiates_each_revision_and_says_what_works() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let answer = world.gateway.client.send(&Message::initialize(revision), Some(&world.token)).await;
        let result = answer.result();
        assert_eq!(result["protocolVersion"], revision);
        let expected = json!({
            "tools": { "listChanged": true },
            "resources": { "listChanged": true, "subscribe": true },
            "prompts": { "listChanged": true },
            "completions": {},
            "logging": {},
        });
        assert_eq!(result["capabilities"], expected);
        assert_eq!(result["serverInfo"]["name"], "tools");
    }
}

#[tokio::test]
async fn initialize_never_echoes_a_revision_that_has_no_handshake() {
    let world = World::new().await;
    for asked in ["1999-01-01", "2026-07-28", "2099-01-01", ""] {
        let answer = world.gateway.client.send(&Message::initialize(asked), Some(&world.token)).await;
        assert_eq!(answer.result()["protocolVersion"], LEGACY, "{asked}");
    }
}

#[tokio::test]
async fn a_definition_has_the_members_that_its_revision_knows() {
    let world = World::new().await;
    for (revision, title, icons, output) in
        [(LEGACY, true, true, true), (JUNE, true, false, true), (MARCH, false, false, false)]
    {
        let session = world.session(revision).await;
        let tool = defined(&session, "tools/list", "tools", "object").await;
        let has = |definition: &Value, member: &str| definition.get(member).is_some();
        assert_eq!(
            (has(&tool, "title"), has(&tool, "icons"), has(&tool, "outputSchema")),
            (title, icons, output),
            "{revision}: {tool}"
        );
        let number = defined(&session, "tools/list", "tools", "number").await;
        assert!(!has(&number, "outputSchema"), "{revision}: an output that is no object");
        let resource = defined(&session, "resources/list", "resources", LISTED).await;
        assert_eq!((has(&resource, "title"), has(&resource, "icons")), (title, icons), "{revision}: {resource}");
        let prompt = defined(&session, "prompts/list", "prompts", "hello").await;
        assert_eq!(has(&prompt, "title"), title, "{revision}: {prompt}");
        let template = defined(&session, "resources/templates/list", "resourceTemplates", "item").await;
        assert_eq!(has(&template, "title"), title, "{revision}: {template}");
    }
}

#[tokio::test]
async fn structured_content_is_sent_from_2025_06_18_on() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let session = world.session(revision).await;
        let result = session.ask("tools/call", json!({ "name": "object" })).await.result();
        let expected = (revision != MARCH).then(|| json!({ "a": 1 }));
        assert_eq!(result.get("structuredContent"), expected.as_ref(), "{revision}");
        assert_eq!(result["content"][0]["text"], r#"{"a":1}"#, "{revision}");
    }
}

#[tokio::test]
async fn a_resource_link_is_text_in_2025_03_26() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let session = world.session(revision).await;
        let called = session.ask("tools/call", json!({ "name": "link" })).await.result();
        let prompted = session.ask("prompts/get", json!({ "name": "linked" })).await.result();
        for block in [&called["content"][1], &prompted["messages"][1]["content"]] {
            if revision == MARCH {
                assert_eq!(*block, json!({ "type": "text", "text": "the listed one: test://listed" }));
            } else {
                assert_eq!(block["type"], "resource_link", "{revision}");
            }
        }
    }
}

/// Each answer is checked against the schema of its revision, and has nothing of the modern era.
#[tokio::test]
async fn every_method_answers_in_every_revision() {
    let world = World::new().await;
    let completion =
        json!({ "ref": { "type": "ref/prompt", "name": "hello" }, "argument": { "name": "who", "value": "a" } });
    for revision in WITH_SESSIONS {
        let session = world.session(revision).await;
        for (method, params) in [
            ("ping", json!({})),
            ("tools/list", json!({})),
            ("tools/call", json!({ "name": "say", "arguments": { "text": "a" } })),
            ("resources/list", json!({})),
            ("resources/templates/list", json!({})),
            ("resources/read", json!({ "uri": LISTED })),
            ("resources/subscribe", json!({ "uri": LISTED })),
            ("resources/unsubscribe", json!({ "uri": LISTED })),
            ("prompts/list", json!({})),
            ("prompts/get", json!({ "name": "hello" })),
            ("completion/complete", completion.clone()),
            ("logging/setLevel", json!({ "level": "debug" })),
        ] {
            session.ask(method, params).await.result();
        }
        for method in ["server/discover", "subscriptions/listen", "tasks/list", "no/such"] {
            assert_eq!(session.ask(method, json!({})).await.code(), -32601, "{revision} {method}");
        }
    }
}

#[tokio::test]
async fn bad_arguments_are_a_result_and_an_unknown_tool_an_error_in_every_revision() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let session = world.session(revision).await;
        let bad = session.ask("tools/call", json!({ "name": "say", "arguments": { "text": 7 } })).await.result();
        assert_eq!(bad["isError"], true);
        assert_eq!(session.ask("tools/call", json!({ "name": "no_such" })).await.code(), -32602);
        assert_eq!(session.ask("prompts/get", json!({ "name": "no_such" })).await.code(), -32602);
        assert_eq!(session.ask("resources/read", json!({ "uri": "other://x" })).await.code(), -32002);
    }
}

#[tokio::test]
async fn progress_comes_in_every_revision_under_the_token_of_its_request() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let session = world.session(revision).await;
        let mut stream = session.stream(&session.call_message("steps", json!({}))).await;
        let messages = stream.rest().await;
        let told: Vec<_> = messages.iter().filter_map(|message| message["params"]["progress"].as_i64()).collect();
        assert_eq!(told, [1, 2, 3], "{revision}");
        assert!(messages[..3].iter().all(|message| message["params"]["progressToken"] == "progress"));
    }
}

#[tokio::test]
async fn inside_a_session_another_revision_may_be_named_but_none_that_is_not_served() {
    let world = World::new().await;
    for revision in WITH_SESSIONS {
        let session = world.session(revision).await;
        let ping = session.message("ping", json!({})).without_header("mcp-protocol-version");
        session.send(&ping).await.result();
        for unserved in ["1999-01-01", "2024-11-05", "x"] {
            let refused = session.send(&ping.clone().header("mcp-protocol-version", unserved)).await;
            assert_eq!((refused.status.as_u16(), refused.code()), (400, -32022), "{revision} {unserved}");
        }
    }
}
