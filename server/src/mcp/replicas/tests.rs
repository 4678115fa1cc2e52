//! Two replicas with one store in memory: what time and a hostile store do. The rest is tested over HTTP and a real Redis
//! (`tests/it/rules/any_replica`).

use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;

mod store;

use self::store::TestStore;
use super::{entry::LogEntry, message::Changed, tail::Tail, *};
use crate::{
    features::LogLevel,
    mcp::session::{EventId, tests::shared as shared_session},
    store::Heard,
};

const KEEP_ALIVE: Duration = Duration::from_secs(25);
const EVENTS: usize = 8;

fn two() -> (Arc<Replicas>, Arc<Replicas>, Arc<TestStore>) {
    let (store, keys) = (Arc::new(TestStore::default()), Arc::new(KeyRing::of_process()));
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
    let mut recorder = Recorder::of_call(&dead, &session, 7, "\"call-1\"", EVENTS);
    recorder.record(0, &event("data: first\n\n")).await;
    recorder.record(1, &event("data: second\n\n")).await;
    let mut reader = tail(&alive, &session, 7).await.events();
    assert_eq!(reader.next().await.unwrap(), "data: second\n\n");
    // While the process counts as alive there is nothing but comments, and then the error.
    let error = loop {
        match reader.next().await.unwrap() {
            comment if comment.starts_with(b":") => {}
            event => break event,
        }
    };
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
    let mut recorder = Recorder::of_call(&writer, &session, 7, "1", EVENTS);
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
    let mut recorder = Recorder::of_call(&writer, &session, 7, "1", EVENTS);
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
    let taken = first.take_standalone(&session, (None, now()), EVENTS).await.unwrap();
    assert!(!taken.moved && taken.events.is_empty());
    let mut before = Recorder::of_standalone(&first, &session, EVENTS, (taken.number, SILENT));
    assert_eq!(before.record(taken.number + 1, &event("data: a\n\n")).await, Recorded::Yes);
    assert!(!first.is_standalone_elsewhere(&session, taken.number).await);
    let moved = second.take_standalone(&session, (Some(taken.number), now()), EVENTS).await.unwrap();
    assert_eq!((moved.number, moved.moved), (taken.number + 2, true), "the numbers have no hole");
    let numbers: Vec<u64> = moved.events.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [taken.number + 1, moved.number]);
    let told =
        format!("id: 0-{}\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"", moved.number);
    assert!(moved.events[1].1.starts_with(told.as_bytes()), "{:?}", moved.events[1].1);
    assert!(first.is_standalone_elsewhere(&session, taken.number).await);
    assert_eq!(before.record(taken.number + 2, &event("data: b\n\n")).await, Recorded::WrittenElsewhere);
    let mut after = Recorder::of_standalone(&second, &session, EVENTS, (moved.number, SILENT));
    assert_eq!(after.record(moved.number + 1, &event("data: c\n\n")).await, Recorded::Yes);
}

#[tokio::test]
async fn a_stream_is_taken_from_a_writer_that_has_something_to_say_all_the_time() {
    let (first, second, _) = two();
    let session = shared_session();
    let taken = first.take_standalone(&session, (None, now()), EVENTS).await.unwrap();
    let mut before = Recorder::of_standalone(&first, &session, EVENTS, (taken.number, SILENT));
    let writing = async {
        let mut number = taken.number;
        while number < taken.number + 1000 {
            number += 1;
            if before.record(number, &event("data: a\n\n")).await == Recorded::WrittenElsewhere {
                break;
            }
        }
        number
    };
    let later = now() + Duration::from_secs(60);
    let taking = second.take_standalone(&session, (Some(taken.number), later), EVENTS);
    // Whoever is named first is first at each number.
    let (refused, moved) = tokio::join!(biased; writing, taking);
    let moved = moved.unwrap();
    assert!(moved.number > taken.number + 1000 && refused < taken.number + 1000, "{} {refused}", moved.number);
}

/// What it gave to its client without the store has numbers beyond those of the next writer.
#[tokio::test(start_paused = true)]
async fn a_writer_that_missed_something_looks_before_it_goes_on() {
    let (first, second, store) = two();
    let session = shared_session();
    let taken = first.take_standalone(&session, (None, now()), EVENTS).await.unwrap();
    let mut before = Recorder::of_standalone(&first, &session, EVENTS, (taken.number, SILENT));
    store.fail(true);
    assert_eq!(before.record(taken.number + 1, &event("data: a\n\n")).await, Recorded::Yes);
    assert_eq!(before.record(taken.number + 2, &event("data: b\n\n")).await, Recorded::Yes);
    store.fail(false);
    tokio::time::sleep(Duration::from_secs(2)).await;
    // It goes on by itself while nobody else has come.
    assert_eq!(before.record(taken.number + 3, &event("data: c\n\n")).await, Recorded::Yes);
    store.fail(true);
    assert_eq!(before.record(taken.number + 4, &event("data: d\n\n")).await, Recorded::Yes);
    store.fail(false);
    let moved = second.take_standalone(&session, (Some(taken.number + 3), now()), EVENTS).await.unwrap();
    assert_eq!(moved.number, taken.number + 4);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(before.record(taken.number + 5, &event("data: e\n\n")).await, Recorded::WrittenElsewhere);
    let mut after = Recorder::of_standalone(&second, &session, EVENTS, (moved.number, SILENT));
    assert_eq!(after.record(moved.number + 1, &event("data: f\n\n")).await, Recorded::Yes);
}

#[tokio::test]
async fn event_ids_go_on_after_all_that_were_given_whatever_a_store_has_lost() {
    let (one, two, store) = two();
    let session = shared_session();
    let first = one.take_standalone(&session, (None, now()), EVENTS).await.unwrap();
    store.forget_all();
    let later = now() + Duration::from_secs(1);
    let second = two.take_standalone(&session, (None, later), EVENTS).await.unwrap();
    assert!(second.number > first.number, "the writer before is not the later one");
    let seen = second.number + 1_000_000;
    let third = one.take_standalone(&session, (Some(seen), later), EVENTS).await.unwrap();
    assert!(third.number > seen && third.moved && third.events.len() == 1);
    let again = two.take_standalone(&session, (None, later + Duration::from_secs(3600)), EVENTS).await.unwrap();
    assert!(again.number > third.number + 1, "a client that begins anew does not say what it has seen");
}

#[tokio::test]
async fn what_could_not_be_told_is_made_up_for_once_the_store_is_back() {
    let (one, two, store) = two();
    let mut heard = store.hear();
    store.fail(true);
    one.tell(&Message::Changed(Changed::Tools)).await;
    one.make_up_for_the_untold().await;
    store.fail(false);
    one.make_up_for_the_untold().await;
    one.make_up_for_the_untold().await;
    let Ok(Heard::Message(sealed)) = heard.try_recv() else { panic!("nothing was told") };
    assert_eq!(two.opened_message(&sealed), Some(Message::Missed));
    assert!(heard.try_recv().is_err(), "once");
}

/// Both read before either writes.
#[tokio::test]
async fn of_changes_at_the_same_time_none_is_lost() {
    let (one, two, _) = two();
    let (session, same) = (shared_session(), shared_session());
    for round in 0..20 {
        let uri = |replica: &str| format!("{replica}:{round}");
        let (ones, twos) = (uri("one"), uri("two"));
        let first = one.change(&session, now(), |state| state.subscribe(&ones));
        let second = two.change(&same, now() + Duration::from_millis(5), |state| state.subscribe(&twos));
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first, second), (Ok(true), Ok(true)));
    }
    one.catch_up(&session).await.unwrap();
    two.catch_up(&same).await.unwrap();
    assert_eq!((session.subscriptions().len(), same.subscriptions().len()), (40, 40));
    let ended = one.change(&session, now(), |state| {
        state.ended = true;
        true
    });
    let level = two.change(&same, now(), |state| {
        state.log_level = Some(LogLevel::Alert);
        true
    });
    let (ended, level) = tokio::join!(ended, level);
    assert_eq!((ended, level), (Ok(true), Ok(true)));
    assert_eq!(two.catch_up(&same).await, Ok(CaughtUp::Ended));
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
    two.change(&same, now(), level(LogLevel::Debug)).await.unwrap();
    one.catch_up(&session).await.unwrap();
    assert_eq!(session.log_level(), Some(LogLevel::Debug), "also where both have one number");
}

/// redis-and-degradation.md, `sealed-values`: altered, moved, or of another key.
#[tokio::test]
async fn what_does_not_open_counts_as_absent() {
    let (replica, _, store) = two();
    let session = shared_session();
    let key = stream_key(&session, 7);
    let mut recorder = Recorder::of_call(&replica, &session, 7, "1", EVENTS);
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
    let (mut first, mut second) = (waiters.wait_for(([1; 16], 7)), waiters.wait_for(([1; 16], 7)));
    first.take_over();
    assert!(first.called().now_or_never().is_none());
    second.take_over();
    assert!(!first.called().await, "the first one ends");
    waiters.wrote(([1; 16], 7));
    assert!(second.called().await);
    waiters.displace(([1; 16], 7));
    assert!(!second.called().await, "read at another replica");
    drop(first);
    assert_eq!(waiters.count(), 1);
    drop(second);
    assert_eq!(waiters.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_could_not_be_kept_is_kept_later() {
    let (writer, reading, store) = two();
    let session = shared_session();
    let mut recorder = Recorder::of_call(&writer, &session, 7, "1", EVENTS);
    recorder.record(0, &event("data: first\n\n")).await;
    let mut reader = tail(&reading, &session, 7).await.events();
    store.fail(true);
    recorder.record_answer(1, &event("data: answer\n\n")).await;
    let end = async {
        tokio::join!(recorder.end(2), async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            store.fail(false);
        });
    };
    let read = async { (reader.next().await, reader.next().await) };
    let (read, ()) = tokio::join!(read, end);
    assert_eq!(read, (Some(event("data: answer\n\n")), None));
}

#[tokio::test]
async fn an_event_that_was_seen_and_not_kept_is_no_unknown_one() {
    let (writer, reading, store) = two();
    let session = shared_session();
    let mut recorder = Recorder::of_call(&writer, &session, 7, "1", EVENTS);
    recorder.record(0, &event("data: first\n\n")).await;
    store.fail(true);
    recorder.record(1, &event("data: second\n\n")).await;
    store.fail(false);
    let after = EventId { stream: 7, number: 1 };
    let mut reader = reading.tail(&session, after, KEEP_ALIVE).await.unwrap().unwrap().events();
    recorder.record_answer(2, &event("data: answer\n\n")).await;
    assert_eq!(reader.next().await.unwrap(), "data: answer\n\n");
}

#[tokio::test]
async fn of_an_answer_that_is_too_large_it_is_kept_that_it_is() {
    let (writer, reading, _) = two();
    let session = shared_session();
    let mut recorder = Recorder::of_call(&writer, &session, 7, "1", EVENTS);
    recorder.record(0, &event("data: first\n\n")).await;
    recorder.record_answer(1, &Bytes::from(vec![b'x'; 1 << 20])).await;
    recorder.end(2).await;
    let events: Vec<_> = tail(&reading, &session, 7).await.events().collect().await;
    let text = std::str::from_utf8(&events[0]).unwrap();
    assert!(events.len() == 1 && text.contains("too large to be kept"), "{text}");
}
