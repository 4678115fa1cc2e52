//! An upstream of the gateway together with the fake that it talks to.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, value::RawValue};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    super::{Timing, Upstream, UpstreamSettings, standing::Standing},
    fake::{Fake, Received, Reply, SOON},
};
use crate::{
    auth::Principal,
    clock::SystemClock,
    features::{
        Answer, CallContext, ChangeReceiver, Changes, ClientCapabilities, Note, Notes, Provider as _, ToolOutcome,
    },
    net::AddressPolicy,
};

/// One tool `echo`.
pub(super) const ECHO: &str = r#"[{"name":"echo","inputSchema":{"type":"object"}}]"#;

/// A result with one text block.
pub(super) const HELLO: &str = r#"{"content":[{"type":"text","text":"hello"}]}"#;

/// Only loopback is special here.
pub(super) const LOOPBACK: AddressPolicy = AddressPolicy { allow_loopback: true, allow_private: false, denied: None };

/// Answers as an upstream of the modern era: `call` answers all but the handshake and the list.
pub(super) fn modern(
    tools: &str,
    call: impl Fn(&Received) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Received) -> Reply + Send + Sync + 'static {
    let list = format!(r#"{{"resultType":"complete","tools":{tools},"ttlMs":0,"cacheScope":"public"}}"#);
    move |received| match received.method() {
        "server/discover" => Reply::result(received, DISCOVER),
        "tools/list" => Reply::result(received, &list),
        _ => call(received),
    }
}

const DISCOVER: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},
    "ttlMs":0,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"fake\n","version":"1"}}}"#;

/// Answers as an upstream of the older era with one session, `s-1`.
pub(super) fn legacy(
    version: &'static str,
    tools: &str,
    call: impl Fn(&Received) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Received) -> Reply + Send + Sync + 'static {
    let list = format!(r#"{{"tools":{tools}}}"#);
    move |received| match received.method() {
        "server/discover" => Reply::status(400, "Bad Request: no session"),
        "initialize" => Reply::result(received, &initialized(version)).with("mcp-session-id", "s-1"),
        "tools/list" => Reply::result(received, &list),
        "notifications/initialized" | "notifications/cancelled" => Reply::status(202, ""),
        _ => call(received),
    }
}

pub(super) fn initialized(version: &str) -> String {
    format!(
        r#"{{"protocolVersion":"{version}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"old","version":"0"}}}}"#
    )
}

/// Short enough for tests; what must not happen by itself within one takes an hour.
pub(super) fn timing() -> Timing {
    let never = Duration::from_secs(3600);
    Timing {
        poll: never,
        backoff_first: Duration::from_millis(1),
        backoff_most: Duration::from_millis(20),
        gap: Duration::ZERO,
        exchange: SOON,
        watch: never,
        aside: SOON,
        ending: SOON,
        resume: Duration::ZERO,
    }
}

/// Both, running.
pub(super) struct Running {
    pub(super) upstream: Arc<Upstream>,
    pub(super) fake: Fake,
    pub(super) changes: ChangeReceiver,
    pub(super) shutdown: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Running {
    /// Started, and met once.
    pub(super) async fn start(handler: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let running = Self::start_with(timing(), handler).await;
        running.until(Standing::ready).await;
        running
    }

    /// Started.
    pub(super) async fn start_with(
        timing: Timing,
        handler: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let fake = Fake::start(handler).await;
        let changes = Changes::default();
        let heard = changes.listen();
        let settings = UpstreamSettings { name: "up".to_owned(), url: fake.url.clone(), deadline: SOON };
        let upstream = Upstream::with_timing(settings, LOOPBACK, changes, timing).unwrap();
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(Arc::clone(&upstream).run(shutdown.clone()));
        Self { upstream, fake, changes: heard, shutdown, tasks }
    }

    /// Waits until it stands so with the upstream.
    pub(super) async fn until(&self, is_so: impl Fn(&Standing) -> bool) {
        let mut standing = self.upstream.standing.subscribe();
        timeout(SOON, standing.wait_for(|standing| is_so(standing))).await.expect("it does not come so far").unwrap();
    }

    /// Waits until the upstream was looked at once more without success.
    pub(super) async fn until_failed(&self) {
        self.until(|standing| standing.failure.is_some()).await;
    }

    pub(super) fn tools(&self) -> Vec<(String, String)> {
        let tools = &self.upstream.offer().tools;
        tools.iter().map(|tool| (tool.name.to_string(), tool.definition.get().to_owned())).collect()
    }

    /// Calls `up__echo` with `{}`.
    pub(super) async fn echo(&self) -> ToolOutcome {
        self.call(&context(Notes::default()), "up__echo", "{}").await
    }

    pub(super) async fn call(&self, context: &CallContext, name: &str, arguments: &str) -> ToolOutcome {
        let arguments = RawValue::from_string(arguments.to_owned()).unwrap();
        let call = self.upstream.call_tool(context, name, &arguments);
        match timeout(SOON, call).await.expect("the call does not end").unwrap() {
            Answer::Complete(outcome) => outcome,
            Answer::InputRequired(wish) => panic!("{wish:?}"),
        }
    }

    /// Calls `up__echo` with `{}`, which fails: what the caller reads.
    pub(super) async fn error(&self) -> String {
        let outcome = self.echo().await;
        assert!(outcome.is_error(), "{outcome:?}");
        outcome.text_content().unwrap().to_owned()
    }

    /// Calls `up__echo` with `{}`, which must work.
    pub(super) async fn assert_works(&self) {
        assert_eq!(blocks(&self.echo().await), r#"[{"type":"text","text":"hello"}]"#);
    }

    /// The one `tools/call` that arrived.
    pub(super) fn called(&self) -> Received {
        let mut calls = self.fake.received("tools/call");
        assert_eq!(calls.len(), 1);
        calls.remove(0)
    }
}

pub(super) fn blocks(outcome: &ToolOutcome) -> &str {
    outcome.block_content().unwrap_or_else(|| panic!("{outcome:?}")).get()
}

pub(super) fn context(notes: Notes) -> CallContext {
    CallContext {
        principal: Arc::new(Principal::anonymous()),
        correlation_id: "c-1".into(),
        clock: Arc::new(SystemClock),
        client: ClientCapabilities::default(),
        responses: None,
        state: None,
        traceparent: None,
        notes,
    }
}

/// Notes of a client that wants progress, and where they arrive.
pub(super) fn wanted() -> (Notes, mpsc::Receiver<Note>) {
    let (sender, receiver) = mpsc::channel(64);
    (Notes::new(sender, true, None), receiver)
}

/// What of the notes has arrived, as `progress/total message`.
pub(super) fn progress(receiver: &mut mpsc::Receiver<Note>) -> Vec<String> {
    let mut found = Vec::new();
    while let Ok(note) = receiver.try_recv() {
        let Note::Progress { progress, total, message } = note else { panic!("{note:?}") };
        let total = total.map_or("?".to_owned(), |total| total.to_string());
        found.push(format!("{progress}/{total} {}", message.unwrap_or_default()));
    }
    found
}

/// `_meta` of a request.
pub(super) fn meta(received: &Received) -> &Value {
    &received.body["params"]["_meta"]
}
