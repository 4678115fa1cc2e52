//! A client of the endpoint, requests that it sends, and the schemas that every answer is held to.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use crds::gateway_config::{
    AuthMode, AuthorizationDefault, AuthorizationPolicy, AuthorizationRule, Builtins, GatewayPolicy,
};
use expect_test::Expect;
use futures::{
    StreamExt as _,
    future::{BoxFuture, FutureExt, pending, ready},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use jsonschema::Validator;
use serde_json::{Value, json, value::RawValue};
use tokio::runtime::Runtime;

use super::super::{
    Audit, CallRecord, Caller, Endpoint, EndpointSettings, Forbidden, McpRequest, Observation, ReplyBody, TraceContext,
};
use crate::{
    auth::{Principal, ScopeSet},
    clock::Clock,
    features::{
        Answer as FeatureAnswer, CallContext, Change, Changes, Features, InputRequired, Offer, OfferedTool, Outcome,
        Provider, ToolOutcome,
    },
    gateway::Policy,
    places::Places,
    protocol::{Era, ProtocolVersion},
    seal::KeyRing,
    store::MemoryStore,
    tools::{BuiltinTools, HealthInputs, HealthProbe, MemoryHealth},
};

pub(super) const CORRELATION_ID: &str = "cid-1";

struct NoonClock;

impl Clock for NoonClock {
    fn now(&self) -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

struct Healthy;

impl HealthProbe for Healthy {
    fn health(&self) -> HealthInputs {
        let memory = MemoryHealth { used_bytes: Some(10), limit_bytes: Some(100) };
        HealthInputs { issuers: None, memory, telemetry: None, redis: None }
    }
}

/// What a test's own tool does when it is called.
#[derive(Clone, Copy)]
enum Behaviour {
    Counts,
    Panics,
    NeverEnds,
    TakesLong,
    Asks,
    SaysMuch,
    BreaksItsSchema,
    ForgetsItsContent,
    Fails,
}

/// The tests' own tools.
struct TestTools {
    tools: Vec<(&'static str, Behaviour)>,
    calls: Arc<AtomicUsize>,
}

impl Provider for TestTools {
    fn offer(&self) -> Arc<Offer> {
        let offered = self.tools.iter().map(|(name, behaviour)| {
            let definition = json!({
                "name": name,
                "title": name,
                "description": "A tool of the tests.",
                "inputSchema": { "type": "object" },
                "outputSchema": {
                    "type": "object",
                    "properties": { "calls": { "type": "integer" } },
                    "required": ["calls"]
                },
            });
            let tool = OfferedTool::own(name, &definition);
            match behaviour {
                Behaviour::NeverEnds => OfferedTool { deadline: Duration::ZERO, ..tool },
                _ => tool,
            }
        });
        Arc::new(Offer { tools: offered.collect(), ..Offer::default() })
    }

    fn call_tool<'a>(
        &'a self,
        _: &'a CallContext,
        name: &'a str,
        _: &'a RawValue,
    ) -> BoxFuture<'a, Outcome<ToolOutcome>> {
        let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let (_, behaviour) = self.tools.iter().find(|(tool, _)| *tool == name).unwrap();
        let outcome = match behaviour {
            Behaviour::Counts => ToolOutcome::structured(&json!({ "calls": calls })),
            Behaviour::Panics => panic!("insides of the tool"),
            Behaviour::NeverEnds | Behaviour::TakesLong => return pending().boxed(),
            Behaviour::Asks => {
                let input = InputRequired::default().ask("name", "elicitation/create", &json!({}));
                return ready(Ok(FeatureAnswer::InputRequired(input))).boxed();
            }
            Behaviour::SaysMuch => ToolOutcome::error("x".repeat(1 << 20)),
            Behaviour::BreaksItsSchema => ToolOutcome::structured(&json!({ "calls": "many" })),
            Behaviour::ForgetsItsContent => ToolOutcome::text("done"),
            Behaviour::Fails => ToolOutcome::error("no ink: fill it up"),
        };
        ready(Ok(FeatureAnswer::Complete(outcome))).boxed()
    }
}

/// The endpoint and one caller of it.
pub(super) struct Client {
    runtime: Runtime,
    pub(super) endpoint: Endpoint,
    policy: Policy,
    principal: Arc<Principal>,
    /// How often the tests' own tools ran.
    pub(super) calls: Arc<AtomicUsize>,
}

/// An answer, whole, and what was written down about it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) forbidden: Option<Forbidden>,
    pub(super) record: CallRecord,
    /// What was known before anything ran.
    begun: (CallRecord, TraceContext<'static>),
}

/// Keeps what it is told of the first message.
#[derive(Default)]
struct TestAudit {
    begun: Mutex<Option<(CallRecord, TraceContext<'static>)>>,
    ended: Arc<Mutex<Option<CallRecord>>>,
}

impl Audit for TestAudit {
    fn begin(&self, record: &CallRecord, trace_context: &TraceContext<'_>) -> Box<dyn Observation> {
        let TraceContext { traceparent, tracestate, baggage } = trace_context.clone();
        let owned = |text: Option<std::borrow::Cow<'_, str>>| text.map(|text| text.into_owned().into());
        let trace_context =
            TraceContext { traceparent: owned(traceparent), tracestate: owned(tracestate), baggage: owned(baggage) };
        self.begun.lock().unwrap().get_or_insert_with(|| (record.clone(), trace_context));
        Box::new(TestObservation(Arc::clone(&self.ended)))
    }
}

struct TestObservation(Arc<Mutex<Option<CallRecord>>>);

impl Observation for TestObservation {
    fn traceparent(&self) -> Option<Arc<str>> {
        None
    }

    fn ended(self: Box<Self>, record: &CallRecord, _: bool) {
        *self.0.lock().unwrap() = Some(record.clone());
    }
}

impl Client {
    /// The built-ins alone, and a token with all their scopes.
    pub(super) fn new() -> Self {
        Self::with(&[], AuthMode::OAuth, Vec::new())
    }

    /// The built-ins and all of the tests' own tools, which any token may use.
    pub(super) fn with_test_tools() -> Self {
        let tools = [
            ("counts", Behaviour::Counts),
            ("panics", Behaviour::Panics),
            ("never_ends", Behaviour::NeverEnds),
            ("takes_so_long", Behaviour::TakesLong),
            ("asks", Behaviour::Asks),
            ("says_much", Behaviour::SaysMuch),
            ("breaks_its_schema", Behaviour::BreaksItsSchema),
            ("forgets_its_content", Behaviour::ForgetsItsContent),
            ("fails", Behaviour::Fails),
        ];
        Self::with(&tools, AuthMode::OAuth, vec![rule("*s*", &[])])
    }

    /// One more tool, `counts`, under the given rules.
    pub(super) fn with_rules(mode: AuthMode, rules: Vec<AuthorizationRule>) -> Self {
        Self::with(&[("counts", Behaviour::Counts)], mode, rules)
    }

    fn with(tests: &[(&'static str, Behaviour)], mode: AuthMode, rules: Vec<AuthorizationRule>) -> Self {
        let builtins = Builtins { ping: true, echo: true, health_check: true };
        let calls = Arc::new(AtomicUsize::new(0));
        let providers: Vec<Arc<dyn Provider>> = vec![
            Arc::new(BuiltinTools::new(builtins, Arc::new(Healthy))),
            Arc::new(TestTools { tools: tests.to_vec(), calls: Arc::clone(&calls) }),
        ];
        let policy = GatewayPolicy::of(AuthorizationPolicy::new(AuthorizationDefault::Deny, rules));
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap(),
            endpoint: Endpoint::new(EndpointSettings {
                server_name: "tools".to_owned(),
                features: Features::new(providers, Changes::default()).unwrap(),
                keys: KeyRing::of_process(),
                clock: Arc::new(NoonClock),
                store: Arc::new(MemoryStore::default()),
                shares_store: false,
            }),
            policy: Policy::compile(&policy, &builtins, mode).unwrap(),
            principal: principal(&["tools:ping", "tools:echo"]).into(),
            calls,
        }
    }

    /// So many pods instead of one.
    pub(super) fn with_replicas(self, replicas: u32) -> Self {
        let authorization = AuthorizationPolicy::new(AuthorizationDefault::Deny, Vec::new());
        let policy = GatewayPolicy { replicas, ..GatewayPolicy::of(authorization) };
        let builtins = Builtins { ping: true, echo: true, health_check: true };
        Self { policy: Policy::compile(&policy, &builtins, AuthMode::OAuth).unwrap(), ..self }
    }

    pub(super) fn with_scopes(self, scopes: &[&str]) -> Self {
        Self { principal: principal(scopes).into(), ..self }
    }

    /// Another person of the same issuer.
    pub(super) fn with_other_subject(self) -> Self {
        let principal = Principal::new("https://issuer.example", "user-8");
        Self { principal: principal.into(), ..self }
    }

    pub(super) fn anonymous(self) -> Self {
        Self { principal: Principal::anonymous().into(), ..self }
    }

    /// Sends a request, and holds the answer to the schema. One of the older era goes into a session of its own.
    pub(super) fn send(&self, request: &Request) -> Answer {
        let answer = if request.in_session {
            let id =
                self.session(request.headers.get("mcp-protocol-version").and_then(|version| version.to_str().ok()));
            self.send_once(&request.clone().with("mcp-session-id", &id))
        } else {
            self.send_once(request)
        };
        conforms(request, &answer);
        answer
    }

    /// The id of a new session of this revision.
    pub(super) fn session(&self, version: Option<&str>) -> String {
        let version = version.unwrap_or("2025-11-25");
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":"i","method":"initialize","params":{{"protocolVersion":"{version}","capabilities":{{}},"clientInfo":{{"name":"c","version":"1"}}}}}}"#
        );
        let answer = self.send_once(&Request::post(body));
        answer.headers["mcp-session-id"].to_str().unwrap().to_owned()
    }

    fn send_once(&self, request: &Request) -> Answer {
        let audit = TestAudit::default();
        let correlation_id: Arc<str> = CORRELATION_ID.into();
        let reply = self.runtime.block_on(async {
            let caller = Caller { principal: &self.principal, correlation_id: &correlation_id, policy: &self.policy };
            let reply = self.endpoint.handle(request.as_mcp(), caller, None, &audit).await;
            let body = match reply.body {
                ReplyBody::Whole(body) => body,
                ReplyBody::Stream(events) => events.collect::<Vec<_>>().await.concat().into(),
            };
            (reply.status, reply.headers, body, reply.forbidden)
        });
        let (status, headers, body, forbidden) = reply;
        let record = audit.ended.lock().unwrap().take().expect("every request comes to an end");
        let begun = audit.begun.lock().unwrap().take().unwrap();
        Answer { status, headers, body, forbidden, record, begun }
    }

    /// Sends a request that takes long, and goes. How many places of requests are taken afterwards, and of streams.
    pub(super) fn abandon(&self, request: &Request) -> (usize, usize) {
        let (audit, places) = (TestAudit::default(), Places::new(8));
        let correlation_id: Arc<str> = CORRELATION_ID.into();
        let _runtime = self.runtime.enter();
        let caller = Caller { principal: &self.principal, correlation_id: &correlation_id, policy: &self.policy };
        let place = places.take(&self.principal, 8).unwrap();
        let answer = self.endpoint.handle(request.as_mcp(), caller, Some(Arc::new(place)), &audit).now_or_never();
        let is_whole = answer.is_some_and(|answer| matches!(answer.body, ReplyBody::Whole(_)));
        assert!(!is_whole, "it did not take long");
        (places.taken(), self.endpoint.open().0)
    }

    /// Opens the stream of a session, and says under each default whether it tells that the prompts have changed.
    pub(super) fn hears_of_prompts(&self, defaults: &[AuthorizationDefault]) -> Vec<bool> {
        let request = Request::new(Method::GET, "").with("mcp-session-id", &self.session(None));
        let (audit, correlation_id) = (TestAudit::default(), CORRELATION_ID.into());
        self.runtime.block_on(async {
            let caller = Caller { principal: &self.principal, correlation_id: &correlation_id, policy: &self.policy };
            let reply = self.endpoint.handle(request.as_mcp(), caller, None, &audit).await;
            let ReplyBody::Stream(mut events) = reply.body else { panic!("no stream") };
            events.next().await.expect("the first event primes");
            let mut heard = Vec::new();
            for default in defaults {
                let policy = GatewayPolicy::of(AuthorizationPolicy::new(*default, Vec::new()));
                let builtins = Builtins { ping: true, echo: true, health_check: true };
                let policy = Policy::compile(&policy, &builtins, AuthMode::OAuth).unwrap();
                self.endpoint.judge_streams_by(policy.into());
                // The tools are for everyone to hear of: what comes before them is of the prompts.
                self.endpoint.changes().tell(Change::Prompts);
                self.endpoint.changes().tell(Change::Tools);
                let first = events.next().await.unwrap();
                let is_of_prompts = first.windows(7).any(|window| window == b"prompts");
                heard.push(is_of_prompts);
                if is_of_prompts {
                    events.next().await.unwrap();
                }
            }
            heard
        })
    }

    /// What is known before the request runs.
    pub(super) fn parse_only(&self, request: &Request) -> (CallRecord, TraceContext<'static>) {
        self.send(request).begun
    }

    /// Sends a request and compares the bytes on the wire.
    #[expect(clippy::needless_pass_by_value, reason = "reads as a table row")]
    pub(super) fn check(&self, request: Request, expected: Expect) {
        expected.assert_eq(&wire(&self.send(&request)));
    }
}

pub(super) fn check(request: Request, expected: Expect) {
    Client::new().check(request, expected);
}

pub(super) fn rule(tools: &str, scopes: &[&str]) -> AuthorizationRule {
    AuthorizationRule::scopes([tools], scopes.iter().copied())
}

fn principal(scopes: &[&str]) -> Principal {
    let scopes: ScopeSet = scopes.iter().copied().collect();
    Principal::new("https://issuer.example", "user-7").granted(scopes)
}

/// Status, headers and body, as a client sees them.
pub(super) fn wire(reply: &Answer) -> String {
    let mut text = reply.status.as_u16().to_string();
    for (name, value) in &reply.headers {
        write!(text, "\n{name}: {}", value.to_str().unwrap()).unwrap();
    }
    if !reply.body.is_empty() {
        write!(text, "\n\n{}", std::str::from_utf8(&reply.body).unwrap()).unwrap();
    }
    text
}

pub(super) fn body(reply: &Answer) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

/// A request to the endpoint.
#[derive(Clone)]
pub(super) struct Request {
    method: Method,
    headers: HeaderMap,
    body: Vec<u8>,
    /// To be sent in a session.
    in_session: bool,
}

impl Request {
    pub(super) fn new(method: Method, body: impl Into<Vec<u8>>) -> Self {
        let headers = HeaderMap::new();
        let request = Self { method, headers, body: body.into(), in_session: false };
        request.with("content-type", "application/json").with("accept", "application/json, text/event-stream")
    }

    pub(super) fn post(body: impl Into<Vec<u8>>) -> Self {
        Self::new(Method::POST, body)
    }

    /// A correct request of 2026-07-28; `params` is an object without `_meta`.
    pub(super) fn modern(method: &str, params: &str) -> Self {
        let mut params: Value = serde_json::from_str(params).unwrap();
        let name = params.get("name").and_then(Value::as_str).map(str::to_owned);
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request =
            Self::post(body.to_string()).with("mcp-protocol-version", "2026-07-28").with("mcp-method", method);
        match name {
            Some(name) => request.with("mcp-name", &name),
            None => request,
        }
    }

    /// A correct request of 2025-11-25, in a session of its own.
    pub(super) fn legacy(method: &str, params: &str) -> Self {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        Self { in_session: true, ..Self::post(body).with("mcp-protocol-version", "2025-11-25") }
    }

    /// The same outside of any session.
    pub(super) fn without_session(self) -> Self {
        Self { in_session: false, ..self }
    }

    /// `tools/call` in either era.
    pub(super) fn call(era: Era, tool: &str, arguments: &str) -> Self {
        let params = format!(r#"{{"name":"{tool}","arguments":{arguments}}}"#);
        match era {
            Era::Modern => Self::modern("tools/call", &params),
            Era::Legacy => Self::legacy("tools/call", &params),
        }
    }

    /// Adds a header line.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    /// Replaces a header.
    pub(super) fn set(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    /// Removes a header.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Replaces part of the body.
    pub(super) fn edited(mut self, from: &str, to: &str) -> Self {
        let body = String::from_utf8(self.body).unwrap();
        assert!(body.contains(from), "{from} is not in {body}");
        self.body = body.replacen(from, to, 1).into_bytes();
        self
    }

    fn as_mcp(&self) -> McpRequest<'_> {
        McpRequest { method: &self.method, headers: &self.headers, body: &self.body }
    }
}

type Schemas = HashMap<(Era, &'static str), Validator>;

/// The definitions of both revisions that an answer of ours can have.
static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let modern = ["DiscoverResult", "ListToolsResult", "CallToolResult"];
    let legacy = ["InitializeResult", "EmptyResult", "ListToolsResult", "CallToolResult"];
    let both = ["JSONRPCResultResponse", "JSONRPCErrorResponse"];
    let mut schemas = Schemas::new();
    for (era, file, own) in
        [(Era::Modern, "2026-07-28.json", modern.as_slice()), (Era::Legacy, "2025-11-25.json", legacy.as_slice())]
    {
        let path = format!("{}/../tests/fixtures/mcp-schema/{file}", env!("CARGO_MANIFEST_DIR"));
        let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for name in own.iter().chain(&both) {
            let mut schema = document.clone();
            schema["$ref"] = json!(format!("#/$defs/{name}"));
            schemas.insert((era, name), jsonschema::validator_for(&schema).unwrap());
        }
    }
    schemas
});

/// Panics if a JSON-RPC answer is not what the specification's schema says.
fn conforms(request: &Request, reply: &Answer) {
    let is_json_rpc = !reply.body.is_empty() && reply.forbidden.is_none();
    if !is_json_rpc {
        return;
    }
    let Ok(Value::Object(_)) = serde_json::from_slice(&reply.body) else { return };
    let message = body(reply);
    let era = reply.record.protocol_version.map_or(Era::Modern, ProtocolVersion::era);
    let Some(result) = message.get("result") else {
        return assert_valid(era, "JSONRPCErrorResponse", &message);
    };
    assert_valid(era, "JSONRPCResultResponse", &message);
    let sent: Value = serde_json::from_slice(&request.body).unwrap();
    let definition = match sent["method"].as_str().unwrap() {
        "server/discover" => "DiscoverResult",
        "tools/list" => "ListToolsResult",
        "tools/call" => "CallToolResult",
        "initialize" => "InitializeResult",
        "ping" => "EmptyResult",
        other => panic!("{other} has a result"),
    };
    assert_valid(era, definition, result);
}

fn assert_valid(era: Era, definition: &'static str, instance: &Value) {
    let problems: Vec<String> = SCHEMAS[&(era, definition)].iter_errors(instance).map(|e| e.to_string()).collect();
    assert!(problems.is_empty(), "{definition} ({era:?}): {problems:?} in {instance}");
}
