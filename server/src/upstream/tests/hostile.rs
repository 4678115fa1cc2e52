//! Upstreams that are broken, slow, or out for more than they are given. None of what they say reaches a caller.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{sync::Notify, time::Duration};

use super::{
    super::{Standing, Timing, Upstream, UpstreamSettings},
    fake::{Received, Reply, answer},
    support::{ECHO, HELLO, LOOPBACK, Running, blocks, context, legacy, modern, timing},
};
use crate::features::{Changes, Notes};

async fn check(expected: &str, call: impl Fn(&Received) -> Reply + Clone + Send + Sync + 'static) {
    let running = Running::start(modern(ECHO, call.clone())).await;
    assert_eq!(running.error().await, format!("upstream \"up\" {expected}"));
    let running = Running::start(legacy("2025-06-18", ECHO, call)).await;
    assert_eq!(running.error().await, format!("upstream \"up\" {expected}"));
}

#[tokio::test]
async fn an_error_is_a_fixed_text() {
    check("answered with JSON-RPC error -32602", |received| Reply::error(200, received, -32602)).await;
    check("answered with JSON-RPC error -32603", |received| Reply::error(400, received, -32603)).await;
    check("answered with HTTP status 500", |_| Reply::status(500, "secret stack trace")).await;
    check("answered with HTTP status 401", |_| Reply::status(401, "").with("www-authenticate", "Bearer x=1")).await;
    check("answered with a redirect, which is not followed", |_| {
        Reply::status(307, "").with("location", "http://169.254.169.254/latest")
    })
    .await;
    check("answered with JSON-RPC error -32700", |_| {
        Reply::json(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"secret"}}"#)
    })
    .await;
}

#[tokio::test]
async fn what_is_no_answer_is_malformed() {
    let malformed = "gave an answer that is malformed";
    check(malformed, |_| Reply::json("secret")).await;
    check(malformed, |_| Reply::json("")).await;
    check(malformed, |received| Reply::result(received, HELLO).with("content-type", "text/html")).await;
    check(malformed, |_| Reply::status(202, "")).await;
    check(malformed, |received| Reply::result(received, r#"{"content":"secret"}"#)).await;
    check(malformed, |_| Reply::events([r#"{"jsonrpc":"2.0","#])).await;
    check(malformed, |received| Reply::result(received, &format!("{}{}", "[".repeat(200), "]".repeat(200)))).await;
    // The stream ends before the answer.
    check(malformed, |_| Reply::events([r#"{"jsonrpc":"2.0","method":"notifications/message"}"#])).await;
}

#[tokio::test]
async fn answers_to_others_are_dropped() {
    let wrong = |received: &Received| {
        let id = received.body["id"].as_u64().unwrap();
        [format!("{}", id + 1), format!("\"{id}\""), format!("{id}.0"), "0".to_owned()]
            .map(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#))
    };
    let running = Running::start(modern(ECHO, move |received| {
        Reply::events(wrong(received).into_iter().chain([answer(received, HELLO)]))
    }))
    .await;
    running.assert_works().await;
    check("gave an answer that is malformed", move |received| Reply::events(wrong(received))).await;
    check("gave an answer that is malformed", move |received| Reply::json(&wrong(received)[0])).await;
}

#[tokio::test]
async fn a_flood_ends_at_a_bound() {
    let too_large = "gave an answer that is too large";
    let note = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#;
    check(too_large, move |_| Reply::events([note]).again_and_again()).await;
    check(too_large, |_| Reply::stream(["data\n\n".to_owned()]).again_and_again()).await;
    check(too_large, |_| Reply::stream([format!("data: {}\n", "x".repeat(60_000))]).again_and_again()).await;
    check(too_large, |_| Reply::stream([format!(":{}", "x".repeat(60_000))]).again_and_again()).await;
    check(too_large, |_| Reply::json(&" ".repeat(100_000)).again_and_again()).await;
    check(too_large, |_| Reply::json(" ").with("content-length", "9000000000").again_and_again()).await;
}

#[tokio::test]
async fn a_wish_for_input_is_an_error() {
    let running = Running::start(modern(ECHO, |received| {
        Reply::result(received, r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}}}"#)
    }))
    .await;
    assert_eq!(running.error().await, "upstream \"up\" asks for input, which is not supported for upstream tools");
}

/// The same of an upstream that looks at our capabilities first.
#[tokio::test]
async fn a_call_that_needs_what_no_client_of_ours_can_do_ends_the_same_way() {
    let running = Running::start(modern(ECHO, |received| Reply::error(400, received, -32021))).await;
    assert_eq!(running.error().await, "upstream \"up\" asks for input, which is not supported for upstream tools");
}

#[tokio::test]
async fn an_older_upstream_that_asks_its_client_is_refused_and_a_ping_is_answered() {
    let handler = |received: &Received| match received.method() {
        "POST" => Reply::status(202, ""),
        _ => Reply::events([
            r#"{"jsonrpc":"2.0","id":"e-1","method":"elicitation/create","params":{"message":"your password?"}}"#,
            r#"{"jsonrpc":"2.0","id":1e999,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#,
            answer(received, HELLO).as_str(),
        ]),
    };
    let running = Running::start(legacy("2025-11-25", ECHO, handler)).await;
    running.assert_works().await;
    let answers = running.fake.wait_for("POST", 3).await;
    let mut texts: Vec<_> = answers.iter().map(|answer| answer.text.as_str()).collect();
    texts.sort_unstable();
    assert_eq!(
        texts,
        [
            r#"{"jsonrpc":"2.0","id":"e-1","error":{"code":-32601,"message":"this client has no such method"}}"#,
            r#"{"jsonrpc":"2.0","id":1e999,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
        ]
    );
    assert!(answers.iter().all(|answer| answer.header("mcp-session-id") == Some("s-1")));
}

#[tokio::test]
async fn a_modern_upstream_that_asks_its_client_gets_no_answer() {
    let running = Running::start(modern(ECHO, |received| {
        Reply::events([r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, answer(received, HELLO).as_str()])
    }))
    .await;
    running.assert_works().await;
    // Whatever were sent aside has been sent by the time that it is over.
    running.upstream.link.aside.finished().await;
    assert_eq!(running.fake.received("POST").len(), 0);
}

#[tokio::test]
async fn calls_beyond_the_bulkhead_fail_at_once_and_the_others_end() {
    let release = Arc::new(Notify::new());
    let handler = {
        let release = Arc::clone(&release);
        move |received: &Received| Reply::result(received, HELLO).after(&release)
    };
    let running = Running::start(modern(ECHO, handler)).await;
    let others = async {
        running.fake.wait_for("tools/call", 32).await;
        let refused = running.error().await;
        (0..32).for_each(|_| release.notify_one());
        release.notify_waiters();
        refused
    };
    let (calls, refused) = tokio::join!(futures::future::join_all((0..32).map(|_| running.echo())), others);
    assert_eq!(refused, "upstream \"up\" has too many calls in flight; try again later");
    assert!(calls.iter().all(|outcome| blocks(outcome).contains("hello")));
}

#[tokio::test]
async fn an_upstream_that_is_away_keeps_its_tools_and_comes_back() {
    let is_away = Arc::new(AtomicBool::new(false));
    let handler = {
        let is_away = Arc::clone(&is_away);
        let calm = modern(ECHO, |received| Reply::result(received, HELLO));
        move |received: &Received| {
            if is_away.load(Ordering::SeqCst) { Reply::status(503, "secret") } else { calm(received) }
        }
    };
    let running = Running::start_with(Timing { poll: Duration::from_millis(5), ..timing() }, handler).await;
    running.until(Standing::ready).await;
    is_away.store(true, Ordering::SeqCst);
    running.until_failed().await;
    assert_eq!(running.tools().len(), 1);
    assert_eq!(running.error().await, "upstream \"up\" answered with HTTP status 503");
    let report = running.upstream.report();
    assert_eq!((report.ready, report.connected_once), (false, true));
    assert_eq!(report.last_error.as_deref(), Some("answered with HTTP status 503"));
    is_away.store(false, Ordering::SeqCst);
    running.until(Standing::ready).await;
    running.assert_works().await;
}

#[tokio::test]
async fn an_upstream_that_nobody_listens_for_cannot_be_reached() {
    let running = Running::start_with(timing(), |_| Reply::silence()).await;
    let settings = UpstreamSettings {
        name: "gone".to_owned(),
        url: "http://127.0.0.1:9/mcp".to_owned(),
        deadline: Duration::from_secs(1),
    };
    let changes = Changes::default();
    let gone = Upstream::with_timing(settings, LOOPBACK, changes, timing()).unwrap();
    running.tasks.spawn(Arc::clone(&gone).run(running.shutdown.clone()));
    let mut standing = gone.standing.subscribe();
    standing.wait_for(|standing| standing.failure.is_some()).await.unwrap();
    let error = gone.report().last_error;
    assert_eq!(error.as_deref(), Some("cannot be reached: its host cannot be connected to"));
}

#[tokio::test]
async fn a_tool_that_is_not_offered_is_not_called() {
    let running = Running::start(modern(ECHO, |received| Reply::result(received, HELLO))).await;
    let outcome = running.call(&context(Notes::default()), "up__gone", "{}").await;
    assert_eq!(outcome.text_content(), Some("upstream \"up\" does not offer this tool any more; list the tools again"));
    assert_eq!(running.fake.received("tools/call").len(), 0);
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_by_its_deadline() {
    for reply in [Reply::silence(), Reply::json("{").then_hangs(), Reply::stream([": hello\n".to_owned()]).then_hangs()]
    {
        let timing = Timing { exchange: Duration::from_millis(50), ..timing() };
        let running = Running::start_with(timing, move |_| reply.clone()).await;
        running.until_failed().await;
        assert_eq!(running.upstream.report().last_error.as_deref(), Some("did not answer in time"));
        running.fake.wait_for_abandoned(1).await;
    }
}
