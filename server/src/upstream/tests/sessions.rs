//! Sessions of the older era: lost, found again, and closed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{
    fake::{Fake, Received, Reply},
    support::{ECHO, HELLO, Running, initialized, legacy},
};

/// An upstream that counts its sessions, and knows only those from `oldest` on.
fn sessions(oldest: &Arc<AtomicUsize>) -> impl Fn(&Received) -> Reply + Send + Sync + 'static {
    sessions_refused_by(oldest, |_| Reply::status(404, "Session not found"))
}

/// The same with other words for a session that it does not know.
fn sessions_refused_by(
    oldest: &Arc<AtomicUsize>,
    refusal: impl Fn(&Received) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Received) -> Reply + Send + Sync + 'static {
    let (opened, oldest) = (AtomicUsize::new(0), Arc::clone(oldest));
    let calm = legacy("2025-11-25", ECHO, |received| Reply::result(received, HELLO));
    move |received| {
        if received.method() == "initialize" {
            let session = format!("s-{}", opened.fetch_add(1, Ordering::SeqCst) + 1);
            return Reply::result(received, &initialized("2025-11-25")).with("mcp-session-id", &session);
        }
        let session = received.header("mcp-session-id").and_then(|session| session.strip_prefix("s-")?.parse().ok());
        match session {
            Some(session) if oldest.load(Ordering::SeqCst) > session => refusal(received),
            _ => calm(received),
        }
    }
}

fn used(fake: &Fake, method: &str) -> Vec<String> {
    fake.received(method).iter().map(|one| one.header("mcp-session-id").unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_lost_session_is_opened_anew_and_the_call_made_once_more() {
    let oldest = Arc::new(AtomicUsize::new(0));
    let running = Running::start(sessions(&oldest)).await;
    running.assert_works().await;
    oldest.store(2, Ordering::SeqCst);
    running.assert_works().await;
    assert_eq!(used(&running.fake, "tools/call"), ["s-1", "s-1", "s-2"]);
    assert_eq!(used(&running.fake, "notifications/initialized"), ["s-1", "s-2"]);
    let ids: Vec<_> = running.fake.received("tools/call").iter().map(|call| call.body["id"].as_u64()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
}

/// Not what the specification says, but what servers do.
#[tokio::test]
async fn a_session_may_also_be_lost_by_a_bad_request() {
    for code in [-32000, -32600] {
        let oldest = Arc::new(AtomicUsize::new(0));
        let running = Running::start(sessions_refused_by(&oldest, move |received| match received.verb.as_str() {
            "POST" => Reply::error(400, received, code),
            _ => Reply::status(400, ""),
        }))
        .await;
        oldest.store(2, Ordering::SeqCst);
        running.assert_works().await;
        assert_eq!(used(&running.fake, "tools/call"), ["s-1", "s-2"], "{code}");
    }
    let oldest = Arc::new(AtomicUsize::new(0));
    let running = Running::start(sessions_refused_by(&oldest, |received| Reply::error(400, received, -32602))).await;
    oldest.store(2, Ordering::SeqCst);
    assert_eq!(running.error().await, "upstream \"up\" answered with JSON-RPC error -32602");
}

#[tokio::test]
async fn many_calls_that_lose_a_session_share_the_next_one() {
    let oldest = Arc::new(AtomicUsize::new(0));
    let running = Running::start(sessions(&oldest)).await;
    oldest.store(2, Ordering::SeqCst);
    futures::future::join_all((0..20).map(|_| running.assert_works())).await;
    assert_eq!(running.fake.received("initialize").len(), 2);
}

#[tokio::test]
async fn a_session_that_is_lost_at_once_is_not_tried_for_ever() {
    let oldest = Arc::new(AtomicUsize::new(0));
    let running = Running::start(sessions(&oldest)).await;
    oldest.store(usize::MAX, Ordering::SeqCst);
    assert_eq!(running.error().await, "upstream \"up\" has ended our session");
    assert!(running.fake.received("tools/call").len() <= 2);
}

#[tokio::test]
async fn an_upstream_that_became_modern_is_met_as_such() {
    let is_new = Arc::new(AtomicUsize::new(0));
    let handler = {
        let is_new = Arc::clone(&is_new);
        let old = legacy("2025-06-18", ECHO, |received| Reply::result(received, HELLO));
        let new = super::support::modern(ECHO, |received| Reply::result(received, HELLO));
        move |received: &Received| match (is_new.load(Ordering::SeqCst), received.is_modern()) {
            (0, _) => old(received),
            (_, true) => new(received),
            (_, false) => Reply::status(404, ""),
        }
    };
    let running = Running::start(handler).await;
    running.assert_works().await;
    assert_eq!(running.upstream.report().era, Some("2025-06-18"));
    is_new.store(1, Ordering::SeqCst);
    running.assert_works().await;
    assert_eq!(running.upstream.report().era, Some("2026-07-28"));
}

#[tokio::test]
async fn shutdown_waits_for_calls_and_then_ends_the_session() {
    let release = Arc::new(tokio::sync::Notify::new());
    let handler = {
        let release = Arc::clone(&release);
        legacy("2025-11-25", ECHO, move |received| match received.method() {
            "DELETE" => Reply::status(204, ""),
            _ => Reply::result(received, HELLO).after(&release),
        })
    };
    let running = Running::start(handler).await;
    let end = async {
        running.fake.wait_for("tools/call", 1).await;
        running.shutdown.cancel();
        running.upstream.stopped.cancelled().await;
        assert_eq!(running.fake.received("DELETE").len(), 0);
        release.notify_one();
    };
    tokio::join!(running.assert_works(), end);
    running.tasks.close();
    running.tasks.wait().await;
    assert_eq!(used(&running.fake, "DELETE"), ["s-1"]);
}

#[tokio::test]
async fn shutdown_of_a_modern_upstream_sends_nothing() {
    let running = Running::start(super::support::modern(ECHO, |received| Reply::result(received, HELLO))).await;
    running.shutdown.cancel();
    running.tasks.close();
    running.tasks.wait().await;
    assert_eq!(running.fake.received("DELETE").len(), 0);
}

#[tokio::test]
async fn a_session_id_that_no_header_carries_back_is_refused() {
    let calm = legacy("2025-11-25", ECHO, |received| Reply::result(received, HELLO));
    let running = Running::start_with(super::support::timing(), move |received| match received.method() {
        "initialize" => calm(received).with("mcp-session-id", "a b"),
        _ => calm(received),
    })
    .await;
    running.until_failed().await;
    assert_eq!(running.upstream.report().last_error.as_deref(), Some("gave an answer that is malformed"));
}

#[tokio::test]
async fn a_session_that_is_of_no_use_any_more_is_given_back() {
    let (lists, opened) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let calm = legacy("2025-11-25", ECHO, |_| Reply::status(204, ""));
    let running = Running::start(move |received| match received.method() {
        "tools/list" if lists.fetch_add(1, Ordering::SeqCst) == 1 => Reply::status(400, ""),
        "initialize" => {
            let session = format!("s-{}", opened.fetch_add(1, Ordering::SeqCst) + 1);
            calm(received).with("mcp-session-id", &session)
        }
        _ => calm(received),
    })
    .await;
    running.upstream.link.changed.notify_one();
    running.fake.wait_for("DELETE", 1).await;
    running.fake.wait_for("tools/list", 3).await;
    assert_eq!(used(&running.fake, "tools/list"), ["s-1", "s-1", "s-2"]);
    assert_eq!(used(&running.fake, "DELETE"), ["s-1"]);
}

#[tokio::test]
async fn a_session_that_is_lost_during_a_look_is_opened_anew_by_the_next() {
    let (oldest, lists) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let release = Arc::new(tokio::sync::Notify::new());
    let handler = {
        let (rest, release) = (sessions(&oldest), Arc::clone(&release));
        move |received: &Received| match received.method() {
            "tools/list" if lists.fetch_add(1, Ordering::SeqCst) == 1 => rest(received).after(&release),
            _ => rest(received),
        }
    };
    let running = Running::start(handler).await;
    running.upstream.link.changed.notify_one();
    running.fake.wait_for("tools/list", 2).await;
    oldest.store(2, Ordering::SeqCst);
    let peer = running.upstream.peer().await.unwrap();
    let end_of_look = async {
        while !peer.is_lost() {
            tokio::task::yield_now().await;
        }
        release.notify_one();
    };
    tokio::join!(running.assert_works(), end_of_look);
    assert_eq!(used(&running.fake, "tools/call"), ["s-1", "s-2"]);
}
