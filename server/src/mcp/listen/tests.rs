use futures::FutureExt as _;

use super::*;
use crate::{
    auth::Principal,
    features::{Changes, Features, testing},
    mcp::{
        CallRecord,
        audit::Observation,
        record::MethodLabel,
        session::tests::{one as one_session, subscribe},
        stream_log::{Reader, Retention},
    },
    places::Places,
};

const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// One more than a listener may be behind.
const TOO_MANY: usize = 257;

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

fn said(event: &[u8]) -> String {
    let text = std::str::from_utf8(event).unwrap();
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or(text);
    let message: Value = serde_json::from_str(data).unwrap_or_else(|_| panic!("{text}"));
    let method = message["method"].as_str().map_or("result", |method| method.trim_start_matches("notifications/"));
    [method, message["params"]["uri"].as_str().unwrap_or_default()].join(" ").trim_end().to_owned()
}

fn resource(uri: &str) -> Change {
    Change::Resource(uri.into())
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

struct Unobserved;

impl Observation for Unobserved {
    fn traceparent(&self) -> Option<Arc<str>> {
        None
    }

    fn ended(self: Box<Self>, _: &CallRecord, _: bool) {}
}

/// A listen stream with this filter, where its changes are told, and how it is stopped.
fn listening(filter: Filter) -> (BoxStream<'static, Bytes>, Changes, CancellationToken) {
    listening_as(&Principal::anonymous(), filter)
}

/// The same for a caller, at the second 0.
fn listening_as(principal: &Principal, filter: Filter) -> (BoxStream<'static, Bytes>, Changes, CancellationToken) {
    let (changes, stop) = (Changes::default(), CancellationToken::new());
    let record = CallRecord {
        method: MethodLabel::SubscriptionsListen,
        tool: None,
        session: None,
        request_id: None,
        protocol_version: None,
        outcome: None,
    };
    let around = Around {
        changes: changes.listen(),
        sight: Sight::new(|| true),
        credential: Credential::of(principal, jiff::Timestamp::UNIX_EPOCH),
        keep_alive: KEEP_ALIVE,
        stop: stop.clone(),
        modern_meta: RawValue::from_string("{}".to_owned()).unwrap().into(),
        ending: Ending::new(Box::new(Unobserved), record),
        place: Places::new(1).take(&Arc::new(Principal::anonymous()), 1).unwrap(),
    };
    (listen(&RawValue::from_string("7".to_owned()).unwrap(), filter, around), changes, stop)
}

#[tokio::test(start_paused = true)]
async fn a_listen_stream_says_what_it_will_tell_tells_it_and_ends_with_a_result() {
    let filter = Filter { tools: true, uris: vec!["a:1".to_owned()], ..Filter::default() };
    let (mut events, changes, stop) = listening(filter);
    let first = events.next().await.unwrap();
    assert_eq!(
        std::str::from_utf8(&first).unwrap().trim_end(),
        r#"data: {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"notifications":{"resourceSubscriptions":["a:1"],"toolsListChanged":true}}}"#
    );
    for change in [Change::Prompts, resource("a:2"), resource("a:1"), Change::Tools] {
        changes.tell(change);
    }
    assert_eq!(said(&events.next().await.unwrap()), "resources/updated a:1");
    assert_eq!(said(&events.next().await.unwrap()), "tools/list_changed");
    assert_eq!(events.next().await.unwrap(), sse::KEEP_ALIVE);
    stop.cancel();
    assert_eq!(said(&events.next().await.unwrap()), "result");
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_listen_stream_ends_with_its_callers_token() {
    let caller = Principal::new("https://issuer.example", "alice").until(KEEP_ALIVE.as_secs().cast_signed() + 1);
    let (mut events, _changes, _stop) = listening_as(&caller, Filter { tools: true, ..Filter::default() });
    events.next().await.unwrap();
    assert_eq!(events.next().await.unwrap(), sse::KEEP_ALIVE);
    assert_eq!(said(&events.next().await.unwrap()), "result");
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_listen_stream_that_fell_behind_takes_all_that_it_asked_for_for_changed() {
    let (mut events, changes, _stop) =
        listening(Filter { prompts: true, uris: vec!["a:1".to_owned()], ..Filter::default() });
    events.next().await.unwrap();
    (0..TOO_MANY).for_each(|_| changes.tell(resource("a:2")));
    let all = events.next().await.unwrap();
    let all: Vec<String> =
        std::str::from_utf8(&all).unwrap().trim_end().split("\n\n").map(|one| said(one.as_bytes())).collect();
    assert_eq!(all, ["prompts/list_changed", "resources/updated a:1"]);
}

#[test]
fn only_what_exists_and_may_be_known_is_honoured() {
    let offer = crate::features::Offer { resource_updates: true, ..testing::others() };
    let features = Features::new(vec![Arc::new(testing::Fake::new(offer))], Changes::default()).unwrap();
    let uris = || vec!["fixed:one".to_owned(), "any:1".to_owned()];
    let all = || Filter { tools: true, prompts: true, resources: true, uris: uris() };
    assert_eq!(honoured(all(), &features.catalog(), true), all());
    let tools = Filter { tools: true, ..Filter::default() };
    assert_eq!(honoured(all(), &features.catalog(), false), tools);
    let nothing = Features::new(Vec::new(), Changes::default()).unwrap();
    assert_eq!(honoured(all(), &nothing.catalog(), true), tools);
}
