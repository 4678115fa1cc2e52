//! `subscriptions/listen`: what is acknowledged, what is told, to whom, and how long (digest 2.6; section 9, point 7).

use crds::gateway_config::{AuthorizationDefault, Versioned as _};
use serde_json::{Value, json};
use server::features::Change;

use crate::support::files::policy;
use crate::support::message::Era;
use crate::support::provider::{LISTED, OTHER};
use crate::support::world::{call, listen};
use crate::support::{Message, World, eventually};

const TOOLS: &str = "notifications/tools/list_changed";
const PROMPTS: &str = "notifications/prompts/list_changed";
const RESOURCES: &str = "notifications/resources/list_changed";
const UPDATED: &str = "notifications/resources/updated";

fn everything() -> Value {
    json!({
        "toolsListChanged": true,
        "promptsListChanged": true,
        "resourcesListChanged": true,
        "resourceSubscriptions": [LISTED, "other://unknown", "test://item/1"],
    })
}

#[tokio::test]
async fn the_acknowledgement_comes_first_and_repeats_what_will_be_honoured() {
    let world = World::new().await;
    let (_stream, acknowledged) = world.listen(json!(7), everything()).await;
    assert_eq!(acknowledged["params"]["notifications"], everything(), "whoever has templates may know any URI");
    let (_stream, acknowledged) = world.listen(json!(8), json!({ "promptsListChanged": true })).await;
    assert_eq!(acknowledged["params"]["notifications"], json!({ "promptsListChanged": true }));
}

#[tokio::test]
async fn the_acknowledgement_leaves_out_what_is_not_offered() {
    let world = World::new().await;
    world.fixtures.change(Change::Resources, |offer| {
        offer.templates.clear();
        offer.prompts.clear();
    });
    let (_stream, acknowledged) = world.listen(json!(1), everything()).await;
    let honoured = json!({ "toolsListChanged": true, "resourcesListChanged": true, "resourceSubscriptions": [LISTED] });
    assert_eq!(acknowledged["params"]["notifications"], honoured);
    world.fixtures.change(Change::Resources, |offer| offer.resource_updates = false);
    let (_stream, acknowledged) = world.listen(json!(1), everything()).await;
    assert_eq!(acknowledged["params"]["notifications"].get("resourceSubscriptions"), None);
}

#[tokio::test]
async fn the_acknowledgement_leaves_out_what_the_caller_may_not_see() {
    let world = World::with(|options| {
        options.policy = policy(&[]);
        options.policy.authorization.default = AuthorizationDefault::Deny;
    })
    .await;
    let (mut stream, acknowledged) = world.listen(json!(1), everything()).await;
    assert_eq!(acknowledged["params"]["notifications"], json!({ "toolsListChanged": true }));
    world.fixtures.touch(LISTED);
    world.fixtures.tell(Change::Prompts);
    world.fixtures.tell(Change::Tools);
    assert_eq!(stream.method().await, TOOLS, "nothing of what is hidden came before");
}

#[tokio::test]
async fn every_message_names_its_subscription_in_the_type_of_the_request_id() {
    let world = World::new().await;
    for id in [json!(7), json!("seven"), json!(0), json!("")] {
        let (mut stream, acknowledged) = world.listen(id.clone(), everything()).await;
        world.fixtures.touch(LISTED);
        for change in [Change::Tools, Change::Prompts, Change::Resources] {
            world.fixtures.tell(change);
        }
        let mut messages = vec![acknowledged];
        for method in [UPDATED, TOOLS, PROMPTS, RESOURCES] {
            messages.push(stream.message().await);
            assert_eq!(messages.last().unwrap()["method"], method);
        }
        for message in messages {
            assert_eq!(message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id, "{message}");
        }
    }
}

#[tokio::test]
async fn a_type_that_was_not_asked_for_is_never_told() {
    let world = World::new().await;
    let kinds = [
        ("toolsListChanged", TOOLS, Change::Tools),
        ("promptsListChanged", PROMPTS, Change::Prompts),
        ("resourcesListChanged", RESOURCES, Change::Resources),
    ];
    for (member, method, change) in kinds.clone() {
        let (mut stream, _) = world.listen(json!(1), json!({ member: true })).await;
        world.fixtures.touch(LISTED);
        for (_, _, other) in kinds.clone().into_iter().filter(|(_, _, other)| *other != change) {
            world.fixtures.tell(other);
        }
        world.fixtures.tell(change);
        assert_eq!(stream.method().await, method, "the first message is the one that was asked for");
    }
}

#[tokio::test]
async fn a_resource_is_told_to_whoever_subscribed_to_its_uri() {
    let world = World::new().await;
    let (mut one, _) = world.listen(json!(1), json!({ "resourceSubscriptions": [LISTED] })).await;
    let (mut both, _) = world.listen(json!(2), json!({ "resourceSubscriptions": [LISTED, OTHER] })).await;
    world.fixtures.touch(OTHER);
    world.fixtures.touch(LISTED);
    assert_eq!(one.message().await["params"]["uri"], LISTED);
    assert_eq!(both.message().await["params"]["uri"], OTHER);
    assert_eq!(both.message().await["params"]["uri"], LISTED);
}

#[tokio::test]
async fn progress_and_log_messages_stay_on_the_stream_of_their_call() {
    let world = World::new().await;
    let (mut listening, _) = world.listen(json!(1), everything()).await;
    let noisy = call("log", json!({})).logging("debug");
    let mut calling = world.gateway.client.stream(&noisy, &world.token).await;
    assert_eq!(calling.rest().await.len(), 9, "eight messages and the result");
    let mut steps = world.gateway.client.stream(&call("steps", json!({})), &world.token).await;
    steps.rest().await;
    world.fixtures.tell(Change::Tools);
    assert_eq!(listening.method().await, TOOLS);
}

#[tokio::test]
async fn a_silent_stream_gets_a_comment() {
    let world = World::with(|options| options.policy.limits.keep_alive_interval_seconds = 1).await;
    let (mut stream, _) = world.listen(json!(1), json!({ "toolsListChanged": true })).await;
    for _ in 0..2 {
        assert!(stream.next_or_comment().await.unwrap().is_comment());
    }
    world.fixtures.tell(Change::Tools);
    assert_eq!(stream.method().await, TOOLS, "and goes on");
}

#[tokio::test]
async fn a_silent_call_gets_a_stream_with_comments_and_then_its_answer() {
    let world = World::with(|options| options.policy.limits.keep_alive_interval_seconds = 1).await;
    let message = Message::call(Era::Modern, "wait", json!({}));
    let mut stream = world.gateway.client.stream(&message, &world.token).await;
    assert!(stream.next_or_comment().await.unwrap().is_comment());
    world.fixtures.release();
    assert_eq!(stream.rest().await[0]["result"]["content"][0]["text"], "released");
}

/// Other rules, other lists.
#[tokio::test]
async fn a_changed_policy_file_is_told_as_changed_lists() {
    let world = World::new().await;
    let (mut stream, _) = world.listen(json!(1), everything()).await;
    world.gateway.files.replace_policy(&policy(&[(&["w*"], &["never"])]).to_json());
    let mut told = Vec::new();
    while told.len() < 3 {
        told.push(stream.method().await);
    }
    assert_eq!(told, [TOOLS, PROMPTS, RESOURCES]);
}

/// protocol.md, section 5, `many-listens`.
#[tokio::test]
async fn the_thirty_third_stream_of_a_principal_is_refused_and_the_others_go_on() {
    let world = World::new().await;
    let filter = json!({ "toolsListChanged": true });
    let mut streams = Vec::new();
    for id in 0..32 {
        streams.push(world.listen(json!(id), filter.clone()).await.0);
    }
    let one_more = listen(json!("one more"), filter.clone());
    let refused = world.gateway.client.send(&one_more, Some(&world.token)).await;
    assert_eq!((refused.status.as_u16(), refused.json()["id"].as_str()), (429, Some("one more")));
    let somebody_else = world.gateway.token_of("somebody-else");
    let mut theirs = world.gateway.client.stream(&one_more, &somebody_else).await;
    theirs.message().await;
    world.fixtures.tell(Change::Tools);
    for stream in streams.iter_mut().chain([&mut theirs]) {
        assert_eq!(stream.method().await, TOOLS);
    }
    streams.pop();
    let mut opened = eventually("a place is free again", async || {
        let refused = world.gateway.client.stream_or_refusal(&one_more, &world.token).await;
        refused.ok()
    })
    .await;
    opened.message().await;
}
