//! A caller that goes away ends the work upstream.

use serde_json::{json, value::RawValue};

use super::{
    fake::{Received, Reply},
    support::{ECHO, HELLO, Running, context, legacy, modern, wanted},
};
use crate::features::{Notes, Provider as _};

type Answering = fn(&Received) -> Reply;

/// Replies that never come to an end: without a head, with half a body, with a note and then nothing.
const ENDLESS: [Answering; 3] = [|_| Reply::silence(), |_| Reply::json("{").then_hangs(), note_and_silence];

fn note_and_silence(received: &Received) -> Reply {
    let params = json!({ "progressToken": received.body["id"], "progress": 1 });
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params });
    Reply::events([note.to_string()]).then_hangs()
}

/// Calls, waits until the call has arrived (and its note, where there is one), and goes away.
async fn call_and_leave(running: &Running, has_note: bool) {
    let (notes, mut receiver) = wanted();
    let context = context(notes);
    let arguments = RawValue::from_string("{}".to_owned()).unwrap();
    let call = running.upstream.call_tool(&context, "up__echo", &arguments);
    let arrived = async {
        running.fake.wait_for("tools/call", 1).await;
        if has_note {
            receiver.recv().await.unwrap();
        }
    };
    tokio::select! {
        outcome = call => panic!("{outcome:?}"),
        () = arrived => {}
    }
}

#[tokio::test]
async fn a_modern_upstream_sees_the_connection_close() {
    for (row, reply) in ENDLESS.into_iter().enumerate() {
        let running = Running::start(modern(ECHO, reply)).await;
        call_and_leave(&running, row == 2).await;
        running.fake.wait_for_abandoned(1).await;
        running.upstream.link.aside.finished().await;
        assert_eq!(running.fake.received("notifications/cancelled").len(), 0);
    }
}

#[tokio::test]
async fn an_older_upstream_is_told() {
    for (row, reply) in ENDLESS.into_iter().enumerate() {
        let running = Running::start(legacy("2025-06-18", ECHO, reply)).await;
        call_and_leave(&running, row == 2).await;
        let cancelled = running.fake.wait_for("notifications/cancelled", 1).await.remove(0);
        assert_eq!(cancelled.body["params"]["requestId"], running.called().body["id"]);
        assert_eq!(cancelled.header("mcp-session-id"), Some("s-1"));
        assert!(cancelled.body.get("id").is_none());
    }
}

#[tokio::test]
async fn an_older_upstream_that_floods_is_told_too_and_one_that_answers_is_not() {
    let running =
        Running::start(legacy("2025-06-18", ECHO, |_| Reply::stream(["data\n\n".to_owned()]).again_and_again())).await;
    running.error().await;
    running.fake.wait_for("notifications/cancelled", 1).await;

    let running = Running::start(legacy("2025-06-18", ECHO, |received: &Received| {
        if received.body["params"]["arguments"]["fail"] == true {
            Reply::error(200, received, -32603)
        } else {
            Reply::result(received, HELLO)
        }
    }))
    .await;
    running.assert_works().await;
    running.call(&context(Notes::default()), "up__echo", r#"{"fail":true}"#).await;
    running.upstream.link.aside.finished().await;
    assert_eq!(running.fake.received("notifications/cancelled").len(), 0);
    assert_eq!(running.fake.abandoned(), 0);
}

#[tokio::test]
async fn calls_that_were_left_make_room_for_others() {
    let running = Running::start(modern(ECHO, |received: &Received| {
        if received.body["params"]["arguments"]["wait"] == true {
            Reply::silence()
        } else {
            Reply::result(received, HELLO)
        }
    }))
    .await;
    let context = context(Notes::default());
    let arguments = RawValue::from_string(r#"{"wait":true}"#.to_owned()).unwrap();
    let calls = (0..32).map(|_| running.upstream.call_tool(&context, "up__echo", &arguments));
    tokio::select! {
        _ = futures::future::join_all(calls) => panic!("nobody answers"),
        _ = running.fake.wait_for("tools/call", 32) => {}
    }
    running.assert_works().await;
}
