use super::*;
use crate::{
    auth::Principal,
    features::{Changes, Features, testing},
    mcp::{CallRecord, audit::Observation, record::MethodLabel},
    places::Places,
};

pub(in crate::mcp) const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// One more than a listener may be behind.
pub(in crate::mcp) const TOO_MANY: usize = 257;

/// An event as method and URI.
pub(in crate::mcp) fn said(event: &[u8]) -> String {
    let text = std::str::from_utf8(event).unwrap();
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or(text);
    let message: Value = serde_json::from_str(data).unwrap_or_else(|_| panic!("{text}"));
    let method = message["method"].as_str().map_or("result", |method| method.trim_start_matches("notifications/"));
    [method, message["params"]["uri"].as_str().unwrap_or_default()].join(" ").trim_end().to_owned()
}

pub(in crate::mcp) fn resource(uri: &str) -> Change {
    Change::Resource(uri.into())
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
