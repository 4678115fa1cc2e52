//! Lists in pages (digest 2.3, 2.9; section 9, points 5 and 12).

use serde_json::{Value, json};
use server::features::Change;

use crate::support::message::{Era, LEGACY};
use crate::support::provider::offer::resource;
use crate::support::{Message, World};

/// More than two pages of resources.
async fn many() -> World {
    let world = World::new().await;
    world.fixtures.change(Change::Resources, |offer| {
        offer.resources = (0..1100).map(|number| resource(&format!("test://{number}"))).collect();
    });
    world
}

fn uris(list: &Value) -> Vec<String> {
    list["resources"].as_array().unwrap().iter().map(|one| one["uri"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap_in_both_eras() {
    let world = many().await;
    for era in Era::BOTH {
        let (mut all, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let params = cursor.map_or_else(|| json!({}), |cursor: Value| json!({ "cursor": cursor }));
            let list = world.gateway.client.ask(era, "resources/list", params, &world.token).await.result();
            all.extend(uris(&list));
            pages += 1;
            cursor = list.get("nextCursor").cloned();
            if cursor.is_none() {
                break;
            }
        }
        assert!(pages > 2, "{pages}");
        assert_eq!(all, (0..1100).map(|number| format!("test://{number}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn all_pages_of_a_list_have_one_cache_scope_and_it_is_private() {
    let world = many().await;
    let first = world.result(&Message::modern("resources/list", json!({}))).await;
    let next = world.result(&Message::modern("resources/list", json!({ "cursor": first["nextCursor"] }))).await;
    assert_eq!((&first["cacheScope"], &next["cacheScope"]), (&json!("private"), &json!("private")));
    for method in ["tools/list", "prompts/list", "resources/templates/list", "server/discover"] {
        let result = world.result(&Message::modern(method, json!({}))).await;
        assert_eq!(result["cacheScope"], "private", "{method}: what is filtered for the caller is the caller's");
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_its_caller_and_its_list_alone() {
    let world = many().await;
    let first = world.result(&Message::modern("resources/list", json!({}))).await;
    let cursor = first["nextCursor"].as_str().unwrap().to_owned();
    let ask = |method: &str, cursor: &str| Message::modern(method, json!({ "cursor": cursor }));
    let mut refused = vec![(ask("tools/list", &cursor), world.token.clone())];
    refused.push((ask("prompts/list", &cursor), world.token.clone()));
    refused.push((ask("resources/list", &cursor), world.gateway.token_of("somebody-else")));
    for wrong in [String::new(), "500".to_owned(), cursor[1..].to_owned(), format!("{cursor}x"), "x".repeat(1 << 20)] {
        refused.push((ask("resources/list", &wrong), world.token.clone()));
    }
    for (message, token) in refused {
        let answer = world.gateway.client.send(&message, Some(&token)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, -32602), "{}", message.body);
    }
    let session = world.session(LEGACY).await;
    assert_eq!(session.ask("resources/list", json!({ "cursor": "500" })).await.code(), -32602);
    assert_eq!(
        session.ask("resources/list", json!({ "cursor": cursor })).await.result()["resources"][0]["uri"],
        "test://500"
    );
}

#[tokio::test]
async fn a_list_is_the_same_bytes_twice_and_changes_when_it_says_so() {
    let world = World::new().await;
    let list = async || world.result(&Message::modern("tools/list", json!({}))).await.to_string();
    let before = list().await;
    assert_eq!(before, list().await);
    let (mut stream, _) = world.listen(json!(1), json!({ "toolsListChanged": true })).await;
    world.fixtures.change(Change::Tools, |offer| drop(offer.tools.pop()));
    stream.message().await;
    assert_ne!(before, list().await);
}
