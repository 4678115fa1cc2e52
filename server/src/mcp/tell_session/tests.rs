use futures::FutureExt as _;

use super::*;
use crate::{
    features::Changes,
    mcp::{
        listen::tests::{KEEP_ALIVE, TOO_MANY, resource, said},
        session::tests::{one as one_session, subscribe},
        stream_log::{Reader, Retention},
    },
};

/// What is told to a session about `told`, up to the moment at which nothing more is there to be told.
fn told_to(session: &Arc<Session>, sees_others: bool, told: &[Change]) -> Vec<String> {
    let changes = Changes::default();
    let (log, _) = session.standalone(Retention { read_events: 0, bytes: 100_000 });
    let ends = Ends { writing: CancellationToken::new(), stop: CancellationToken::new() };
    let writer = StandaloneWriter::new(session, &log, None);
    let tell = tell_session(writer, changes.listen(), Sight::new(move || sees_others), ends, false);
    for change in told {
        changes.tell(change.clone());
    }
    assert!(tell.now_or_never().is_none(), "the session goes on");
    there(&mut log.read_from(0, KEEP_ALIVE))
}

/// The messages that a reader finds at once, each as method and URI.
fn there(reader: &mut Reader) -> Vec<String> {
    std::iter::from_fn(|| reader.next().now_or_never().flatten()).map(|event| said(&event)).collect()
}

#[tokio::test]
async fn a_session_hears_of_lists_and_of_what_it_subscribed_to() {
    let session = one_session();
    subscribe(&session, "a:1");
    let all = [Change::Tools, Change::Prompts, Change::Resources, resource("a:1"), resource("a:2")];
    assert_eq!(
        told_to(&session, true, &all),
        ["tools/list_changed", "prompts/list_changed", "resources/list_changed", "resources/updated a:1"]
    );
}

#[tokio::test]
async fn who_may_know_of_tools_alone_hears_of_tools_alone() {
    let session = one_session();
    subscribe(&session, "a:1");
    let all = [Change::Tools, Change::Prompts, Change::Resources, resource("a:1")];
    assert_eq!(told_to(&session, false, &all), ["tools/list_changed"]);
    assert_eq!(told_to(&one_session(), false, &vec![resource("a:2"); TOO_MANY]), ["tools/list_changed"]);
}

#[tokio::test]
async fn a_session_that_fell_behind_takes_all_that_it_subscribed_to_for_changed() {
    let session = one_session();
    subscribe(&session, "a:1");
    assert_eq!(
        told_to(&session, true, &vec![resource("a:2"); TOO_MANY]),
        ["tools/list_changed", "prompts/list_changed", "resources/list_changed", "resources/updated a:1"]
    );
}
