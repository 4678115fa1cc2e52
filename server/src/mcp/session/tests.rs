use bytes::Bytes;
use jiff::Timestamp;

use super::*;
use crate::{
    auth::Principal,
    mcp::operation::{MAX_URI_BYTES, MAX_URIS},
    seal::KeyRing,
};

const RETENTION: Retention = Retention { read_events: 8, bytes: 1000 };
const KEEP_ALIVE: Duration = Duration::from_secs(25);

fn principal(subject: &str) -> Principal {
    Principal::new("https://issuer.example", subject)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn sessions() -> Sessions {
    Sessions::new(Arc::new(KeyRing::of_process()), false)
}

fn create(sessions: &Sessions, subject: &str) -> (String, Arc<Session>) {
    let client = ClientCapabilities::default();
    sessions.create(&principal(subject), ProtocolVersion::V2025_11_25, client, (at(0), at(100)), 2)
}

/// A session of its own.
pub(in crate::mcp) fn one() -> Arc<Session> {
    create(&sessions(), "me").1
}

/// As each replica knows one and the same session.
pub(in crate::mcp) fn shared() -> Arc<Session> {
    let record = SessionRecord {
        version: ProtocolVersion::V2025_06_18,
        client: ClientCapabilities::default(),
        expires: 1_800_086_400,
        name: [9; 16],
    };
    Arc::new(Session::new(record, [8; 32], Arc::default(), true))
}

fn open(sessions: &Sessions, subject: &str, id: &str) -> Option<Arc<Session>> {
    sessions.open(&principal(subject), id, at(0), 2)
}

/// Whether the session is told of this resource from now on.
pub(in crate::mcp) fn subscribe(session: &Session, uri: &str) -> bool {
    session.change(|known| known.subscribe(uri))
}

#[test]
fn a_session_is_its_owners_alone_and_over_after_delete() {
    let sessions = sessions();
    let (id, session) = create(&sessions, "me");
    assert!(Arc::ptr_eq(&open(&sessions, "me", &id).unwrap(), &session));
    assert!(open(&sessions, "you", &id).is_none());
    sessions.end(&session, at(0));
    assert!(open(&sessions, "me", &id).is_none());
    assert!(session.ended.is_cancelled());
    assert_eq!(sessions.count(), 0);
}

#[test]
fn a_session_outlives_the_process_that_opened_it() {
    let keys = Arc::new(KeyRing::of_process());
    let (id, first) = create(&Sessions::new(Arc::clone(&keys), false), "me");
    let again = open(&Sessions::new(keys, false), "me", &id).unwrap();
    assert_eq!(again.record, first.record);
}

#[test]
fn one_principal_has_so_many_and_the_one_used_least_recently_is_forgotten() {
    let sessions = sessions();
    let (first_id, first) = create(&sessions, "me");
    let (_, second) = create(&sessions, "me");
    let (_, others) = create(&sessions, "you");
    open(&sessions, "me", &first_id).unwrap();
    create(&sessions, "me");
    assert!(second.ended.is_cancelled());
    assert!(!first.ended.is_cancelled() && !others.ended.is_cancelled());
}

#[test]
fn an_ended_session_is_remembered_until_its_id_expires() {
    let sessions = sessions();
    let (id, session) = create(&sessions, "me");
    sessions.end(&session, at(0));
    let (_, other) = create(&sessions, "me");
    sessions.end(&other, at(99));
    assert!(open(&sessions, "me", &id).is_none());
}

#[test]
fn what_the_client_cancels_is_cancelled_and_nothing_else() {
    let session = create(&sessions(), "me").1;
    let id = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    let (_one, one) = session.begin(&id("1"));
    let (_text, text) = session.begin(&id(r#""1""#));
    session.cancel(&id("1"));
    session.cancel(&id("7"));
    assert!(one.is_cancelled() && !text.is_cancelled());
}

#[test]
fn the_end_of_a_request_leaves_another_with_its_id_to_be_cancelled() {
    let session = create(&sessions(), "me").1;
    let id = RawValue::from_string("1".to_owned()).unwrap();
    let (_first, first) = session.begin(&id);
    let (second, _) = session.begin(&id);
    drop(second);
    session.cancel(&id);
    assert!(first.is_cancelled());
}

#[tokio::test]
async fn an_answer_reaches_the_request_that_asked() {
    let session = create(&sessions(), "me").1;
    let result = RawValue::from_string("{}".to_owned()).unwrap();
    let (first, second) = (session.ask(), session.ask());
    let second_id = second.id;
    assert!(session.answered(second_id, Some(&result)));
    assert!(!session.answered(second_id, Some(&result)));
    assert!(session.answered(first.id, None));
    drop(first);
    let mut second = second;
    assert_eq!((&mut second.answer).await.unwrap().unwrap().get(), "{}");
}

#[tokio::test]
async fn a_finished_stream_can_be_read_again_after_the_event_that_was_seen() {
    let session = create(&sessions(), "me").1;
    let (number, log) = session.open_stream(RETENTION);
    for text in ["a", "b"] {
        log.append(Bytes::from_static(text.as_bytes()));
    }
    session.finish_stream(number);
    let mut reader = session.resume(EventId { stream: number, number: 0 }, KEEP_ALIVE).unwrap();
    assert_eq!(reader.next().await.unwrap(), "b");
    assert_eq!(reader.next().await, None);
    assert!(session.resume(EventId { stream: number + 1, number: 0 }, KEEP_ALIVE).is_none());
    for _ in 0..FINISHED_STREAMS {
        session.finish_stream(session.open_stream(RETENTION).0);
    }
    assert!(session.resume(EventId { stream: number, number: 0 }, KEEP_ALIVE).is_none());
}

#[test]
fn streams_of_one_session_in_two_lives_have_different_numbers() {
    let sessions = sessions();
    let (id, first) = create(&sessions, "me");
    // Two others, and it is forgotten.
    create(&sessions, "me");
    create(&sessions, "me");
    let second = open(&sessions, "me", &id).unwrap();
    assert_ne!(first.standalone, second.standalone);
    assert_ne!(first.open_stream(RETENTION).0, second.open_stream(RETENTION).0);
}

#[test]
fn event_ids_are_read_as_they_are_written() {
    let id = EventId { stream: 3, number: 17 };
    assert_eq!(EventId::parse(&id.to_text()), Some(id));
    for wrong in ["", "3", "3-", "-1", "a-b", "3-17-1", "99999999999999999999-1"] {
        assert_eq!(EventId::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn subscriptions_are_bounded() {
    let session = create(&sessions(), "me").1;
    assert!((0..MAX_URIS).all(|number| subscribe(&session, &number.to_string())));
    assert!(!subscribe(&session, "one more") && subscribe(&session, "0"));
    session.change(|known| known.subscriptions.remove("0"));
    assert!(subscribe(&session, "one more") && !session.is_subscribed("0"));
}

#[test]
fn subscriptions_are_bounded_in_bytes_too() {
    let session = create(&sessions(), "me").1;
    let uri = |number: usize| format!("{number:08192}");
    let fitting = MAX_URI_BYTES / 8192;
    assert!((0..fitting).all(|number| subscribe(&session, &uri(number))));
    assert!(!subscribe(&session, "x") && subscribe(&session, &uri(0)));
}

#[tokio::test]
async fn delete_ends_calls_and_their_streams_and_to_be_forgotten_does_not() {
    let sessions = sessions();
    let id = RawValue::from_string("1".to_owned()).unwrap();
    let begin = |session: &Arc<Session>| (session.begin(&id), session.open_stream(RETENTION).1);
    let (_, forgotten) = create(&sessions, "me");
    let ((_held, cancelled), log) = begin(&forgotten);
    create(&sessions, "me");
    let (_, deleted) = create(&sessions, "me");
    assert!(forgotten.ended.is_cancelled() && !cancelled.is_cancelled());
    log.append(Bytes::from_static(b"answer"));
    assert_eq!(log.read_from(0, KEEP_ALIVE).next().await.unwrap(), "answer");
    let ((_held, cancelled), log) = begin(&deleted);
    sessions.end(&deleted, at(0));
    assert!(cancelled.is_cancelled());
    assert_eq!(log.read_from(0, KEEP_ALIVE).next().await, None);
}

#[test]
fn a_session_that_has_expired_is_forgotten_when_another_one_comes() {
    let sessions = sessions();
    let (_, old) = create(&sessions, "me");
    let client = ClientCapabilities::default();
    let create_at = |second| {
        let times = (at(second), at(200));
        sessions.create(&principal("you"), ProtocolVersion::V2025_11_25, client, times, 2)
    };
    create_at(99);
    assert!(!old.ended.is_cancelled());
    create_at(100);
    assert!(old.ended.is_cancelled());
    assert_eq!(sessions.count(), 2);
}
