//! The list follows the upstream's, and says when it really changed.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use super::{
    fake::{Received, Reply, SOON},
    support::{ECHO, HELLO, Running, legacy, modern, timing},
};
use crate::{
    features::Change,
    upstream::{Standing, Timing},
};

const OTHER: &str = r#"[{"name":"other","inputSchema":{"type":"object"}}]"#;

async fn told(running: &mut Running) {
    let change = timeout(SOON, running.changes.recv()).await.expect("no change was told").unwrap();
    assert_eq!(change, Change::Tools);
}

fn names(running: &Running) -> Vec<String> {
    running.tools().into_iter().map(|(name, _)| name).collect()
}

/// An upstream that announces changes, and whose tools are in the mutex.
fn announcing(
    rest: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    tools: &Arc<Mutex<&'static str>>,
    watch: impl Fn(&Received) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Received) -> Reply + Send + Sync + 'static {
    let tools = Arc::clone(tools);
    move |received| match received.method() {
        "tools/list" => Reply::result(received, &format!(r#"{{"tools":{}}}"#, tools.lock().unwrap())),
        "subscriptions/listen" | "GET" => watch(received),
        _ => rest(received),
    }
}

fn modern_that_announces() -> impl Fn(&Received) -> Reply + Send + Sync + 'static {
    let calm = modern("[]", |received| Reply::result(received, HELLO));
    move |received| match received.method() {
        "server/discover" => Reply::result(
            received,
            r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true}}}"#,
        ),
        _ => calm(received),
    }
}

fn legacy_that_announces() -> impl Fn(&Received) -> Reply + Send + Sync + 'static {
    let calm = legacy("2025-11-25", "[]", |received| Reply::result(received, HELLO));
    move |received| match received.method() {
        "initialize" => Reply::result(
            received,
            r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{}}"#,
        )
        .with("mcp-session-id", "s-1"),
        _ => calm(received),
    }
}

const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

#[tokio::test]
async fn a_change_that_is_announced_is_seen_in_both_eras() {
    for rest in [
        Box::new(modern_that_announces()) as Box<dyn Fn(&Received) -> Reply + Send + Sync>,
        Box::new(legacy_that_announces()),
    ] {
        let tools = Arc::new(Mutex::new(ECHO));
        let release = Arc::new(Notify::new());
        let watched = AtomicUsize::new(0);
        let watch = {
            let release = Arc::clone(&release);
            move |_: &Received| match watched.fetch_add(1, Ordering::SeqCst) {
                // The first stream ends without a word: the next one must be opened.
                0 => Reply::events([": nothing"; 0]),
                1 => Reply::events([CHANGED]).then_hangs().after(&release),
                _ => Reply::silence(),
            }
        };
        let mut running = Running::start(announcing(rest, &tools, watch)).await;
        told(&mut running).await;
        assert_eq!(names(&running), ["up__echo"]);
        *tools.lock().unwrap() = OTHER;
        release.notify_one();
        told(&mut running).await;
        assert_eq!(names(&running), ["up__other"]);
        let report = running.upstream.report();
        assert!(report.ready, "{report:?}");
    }
}

#[tokio::test]
async fn a_watch_asks_for_tools_alone() {
    let tools = Arc::new(Mutex::new(ECHO));
    let handler = announcing(modern_that_announces(), &tools, |_| Reply::silence());
    let running = Running::start(handler).await;
    let listen = running.fake.wait_for("subscriptions/listen", 1).await.remove(0);
    assert_eq!(listen.body["params"]["notifications"], serde_json::json!({ "toolsListChanged": true }));
    assert_eq!(listen.header("mcp-method"), Some("subscriptions/listen"));

    let handler = announcing(legacy_that_announces(), &tools, |_| Reply::silence());
    let running = Running::start(handler).await;
    let get = running.fake.wait_for("GET", 1).await.remove(0);
    assert_eq!(get.header("accept"), Some("text/event-stream"));
    assert_eq!(get.header("mcp-session-id"), Some("s-1"));
    running.shutdown.cancel();
    running.fake.wait_for_abandoned(1).await;
}

#[tokio::test]
async fn an_upstream_that_announces_nothing_is_polled_and_the_same_list_is_no_change() {
    let tools = Arc::new(Mutex::new(ECHO));
    let handler = announcing(modern("[]", |_| Reply::status(404, "")), &tools, |_| Reply::status(404, ""));
    let timing = Timing { poll: Duration::from_millis(5), ..timing() };
    let mut running = Running::start_with(timing, handler).await;
    told(&mut running).await;
    running.fake.wait_for("tools/list", 5).await;
    assert!(running.changes.try_recv().is_err());
    *tools.lock().unwrap() = OTHER;
    told(&mut running).await;
    assert_eq!(names(&running), ["up__other"]);
    assert_eq!(running.fake.received("server/discover").len(), 1);
    assert_eq!(running.fake.received("subscriptions/listen").len(), 0);
}

#[tokio::test]
async fn a_change_on_the_stream_of_a_call_counts_too() {
    let tools = Arc::new(Mutex::new(ECHO));
    let calm = legacy("2025-11-25", "[]", |received| {
        Reply::events([CHANGED.to_owned(), super::fake::answer(received, HELLO)])
    });
    let mut running = Running::start(announcing(calm, &tools, |_| Reply::status(405, ""))).await;
    told(&mut running).await;
    *tools.lock().unwrap() = OTHER;
    running.assert_works().await;
    told(&mut running).await;
    assert_eq!(running.error().await, "upstream \"up\" does not offer this tool any more; list the tools again");
}

#[tokio::test]
async fn a_stream_that_is_refused_is_not_asked_for_again() {
    let tools = Arc::new(Mutex::new(ECHO));
    let handler = announcing(legacy_that_announces(), &tools, |_| Reply::status(405, ""));
    let timing = Timing { poll: Duration::from_millis(5), ..timing() };
    let running = Running::start_with(timing, handler).await;
    running.fake.wait_for("GET", 1).await;
    running.fake.wait_for("tools/list", 10).await;
    assert_eq!(running.fake.received("GET").len(), 1);
}

#[tokio::test]
async fn a_flood_of_changes_is_coalesced() {
    let tools = Arc::new(Mutex::new(ECHO));
    let handler = announcing(modern_that_announces(), &tools, |_| Reply::events([CHANGED; 500]).then_hangs());
    let timing = Timing { gap: Duration::from_millis(50), ..timing() };
    let running = Running::start_with(timing, handler).await;
    running.fake.wait_for("tools/list", 2).await;
    running.until(Standing::ready).await;
    assert!(running.fake.received("tools/list").len() <= 4);
}
