//! Two replicas with one store in memory: what time and a hostile store do. The rest is tested over HTTP and a real Redis
//! (`tests/it/rules/any_replica`).

use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;

use super::{entry::LogEntry, hearing::Waiters, tail::Tail, *};
use crate::{
    features::LogLevel,
    mcp::session::{EventId, tests::shared as shared_session},
    store::MemoryStore,
};

const KEEP_ALIVE: Duration = Duration::from_secs(25);
const EVENTS: usize = 8;

fn two() -> (Arc<Replicas>, Arc<Replicas>, Arc<MemoryStore>) {
    let (store, keys) = (Arc::new(MemoryStore::default()), Arc::new(KeyRing::of_process()));
    let replica = || Arc::new(Replicas::new(Arc::clone(&store) as Arc<dyn Store>, Arc::clone(&keys)));
    (replica(), replica(), store)
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn event(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

async fn tail(replica: &Arc<Replicas>, session: &Arc<Session>, stream: u64) -> Tail {
    replica.tail(session, EventId { stream, number: 0 }, KEEP_ALIVE).await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_process_is_gone_is_answered_with_an_error_once() {
    let (dead, alive, _) = two();
    let session = shared_session();
    dead.say_alive().await.unwrap();
    let mut recorder = Recorder::new(&dead, &session, 7, "\"call-1\"", EVENTS);
    recorder.record(0, &event("data: first\n\n")).await;
    recorder.record(1, &event("data: second\n\n")).await;
    let mut reader = tail(&alive, &session, 7).await.events();
    assert_eq!(reader.next().await.unwrap(), "data: second\n\n");
    // While the process counts as alive there is nothing, and then the error.
    let error = reader.next().await.unwrap();
    let error = std::str::from_utf8(&error).unwrap();
    assert!(error.starts_with("id: 7-2\ndata: ") && error.contains(r#""id":"call-1""#), "{error}");
    assert!(error.contains("has ended before it had an answer"), "{error}");
    assert_eq!(reader.next().await, None);
    // Whoever comes back to it finds the same, and nothing after it.
    let again: Vec<_> = tail(&alive, &session, 7).await.events().collect().await;
    assert_eq!(again.len(), 2);
    let after = EventId { stream: 7, number: 2 };
    let nothing: Vec<_> = alive.tail(&session, after, KEEP_ALIVE).await.unwrap().unwrap().events().collect().await;
    assert!(nothing.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reader_whose_messages_are_lost_finds_events_by_itself() {
    let (writer, reading, _) = two();
    let session = shared_session();
    writer.say_alive().await.unwrap();
    let mut recorder = Recorder::new(&writer, &session, 7, "1", EVENTS);
    recorder.record(0, &event("data: first\n\n")).await;
    let mut reader = tail(&reading, &session, 7).await.events();
    assert!(reader.next().now_or_never().is_none());
    // Nobody hears at the other replica, so nobody calls the reader.
    recorder.record(1, &event("data: second\n\n")).await;
    assert_eq!(reader.next().await.unwrap(), "data: second\n\n");
    recorder.end(2).await;
    assert_eq!(reader.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_kept_alive() {
    let (writer, reading, _) = two();
    let session = shared_session();
    let mut recorder = Recorder::new(&writer, &session, 7, "1", EVENTS);
    recorder.record(0, &event("data: first\n\n")).await;
    let mut reader = tail(&reading, &session, 7).await.events();
    let live = async {
        loop {
            writer.say_alive().await.unwrap();
            tokio::time::sleep(ALIVE_EVERY).await;
        }
    };
    let first = tokio::select! { first = reader.next() => first.unwrap(), () = live => unreachable!() };
    assert_eq!(first, ": keep-alive\n\n");
}

#[tokio::test]
async fn the_writer_before_learns_that_the_stream_is_written_elsewhere() {
    let (first, second, _) = two();
    let session = shared_session();
    let taken = first.take_standalone(&session, None, EVENTS).await.unwrap();
    assert_eq!((taken.next, taken.moved), (1, false));
    let mut before = Recorder::new(&first, &session, 0, "", EVENTS);
    assert_eq!(before.record(1, &event("data: a\n\n")).await, Recorded::Yes);
    let taken = second.take_standalone(&session, Some(0), EVENTS).await.unwrap();
    assert_eq!((taken.events, taken.next, taken.moved), (vec![(1, event("data: a\n\n"))], 3, true));
    assert_eq!(before.record(2, &event("data: b\n\n")).await, Recorded::WrittenElsewhere);
    assert_eq!(Recorder::new(&second, &session, 0, "", EVENTS).record(3, &event("data: c\n\n")).await, Recorded::Yes);
}

#[tokio::test]
async fn event_ids_go_on_after_what_the_client_has_seen_whatever_a_store_has_lost() {
    let (replica, _, _) = two();
    let taken = replica.take_standalone(&shared_session(), Some(41), EVENTS).await.unwrap();
    assert_eq!((taken.events, taken.next, taken.moved), (Vec::new(), 43, true));
}

#[tokio::test]
async fn of_two_changes_at_once_none_is_lost() {
    let (one, two, _) = two();
    let session = shared_session();
    // As the other replica knows it.
    let same = shared_session();
    one.change(&session, now(), |state| state.subscribe("a:1")).await.unwrap();
    two.change(&same, now(), |state| state.subscribe("a:2")).await.unwrap();
    one.catch_up(&session).await.unwrap();
    for known in [&session, &same] {
        assert_eq!(known.subscriptions(), ["a:1", "a:2"]);
    }
}

#[tokio::test]
async fn after_a_loss_of_data_the_next_change_is_news_everywhere() {
    let (one, two, store) = two();
    let (session, same) = (shared_session(), shared_session());
    let level = |level| {
        move |state: &mut crate::mcp::session::SessionState| {
            state.log_level = Some(level);
            true
        }
    };
    one.change(&session, now(), level(LogLevel::Alert)).await.unwrap();
    store.forget_all();
    let later = now() + Duration::from_secs(1);
    two.change(&same, later, level(LogLevel::Debug)).await.unwrap();
    one.catch_up(&session).await.unwrap();
    assert_eq!(session.log_level(), Some(LogLevel::Debug));
}

/// redis-and-degradation.md, `sealed-values`: altered, moved, or of another key.
#[tokio::test]
async fn what_does_not_open_counts_as_absent() {
    let (replica, _, store) = two();
    let session = shared_session();
    let key = stream_key(&session, 7);
    let mut recorder = Recorder::new(&replica, &session, 7, "1", EVENTS);
    recorder.record(0, &event("data: secret\n\n")).await;
    let sealed = store.read(&key, 0).await.unwrap().remove(0).value;
    assert!(!sealed.windows(6).any(|window| window == b"secret"));
    for (number, value) in [(2, sealed.clone()), (3, Bytes::from_static(b"garbage")), (4, Bytes::new())] {
        store.append(&key, crate::store::Entry { number, value }, EVENTS, ALIVE).await.unwrap();
    }
    let page = replica.read_all(&key, &session, 0).await.unwrap();
    let opened: Vec<u64> = page.entries.iter().map(|(number, _): &(u64, LogEntry)| *number).collect();
    assert_eq!((opened, page.next), (vec![0], Some(4)), "moved to 2, and garbage");
    let others = Arc::new(Replicas::new(Arc::clone(&store) as Arc<dyn Store>, Arc::new(KeyRing::of_process())));
    assert!(others.read_all(&key, &session, 0).await.unwrap().entries.is_empty());
    assert!(others.tail(&session, EventId { stream: 7, number: 0 }, KEEP_ALIVE).await.unwrap().is_none());
    assert_eq!(replica.opened_message(b"garbage"), None);
}

#[tokio::test]
async fn the_answer_of_a_stranger_is_not_passed_on() {
    let (asking, other, _) = two();
    let session = shared_session();
    asking.asks(&session, 5, ALIVE).await;
    let result = serde_json::value::to_raw_value(&1).unwrap();
    assert_eq!(other.pass_on(&session, 6, Some(&result)).await, Ok(Passed::NotAsked));
    assert_eq!(other.pass_on(&crate::mcp::session::tests::one(), 5, Some(&result)).await, Ok(Passed::NotAsked));
    assert_eq!(other.pass_on(&session, 5, Some(&result)).await, Ok(Passed::On));
    assert_eq!(other.pass_on(&session, 5, Some(&result)).await, Ok(Passed::NotAsked), "once");
}

#[tokio::test]
async fn there_is_one_reader_of_a_stream_and_who_goes_leaves_nothing() {
    let waiters = Waiters::default();
    let mut first = waiters.wait_for([1; 16], 7);
    let mut second = waiters.wait_for([1; 16], 7);
    assert!(!first.called().await, "the first one ends");
    drop(first);
    assert!(second.called().now_or_never().is_none());
    assert_eq!(waiters.count(), 1);
    drop(second);
    assert_eq!(waiters.count(), 0);
}
