//! A client of the endpoint, requests that it sends, and the schemas that every answer is held to.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crds::gateway_config::{
    AuthMode, AuthorizationDefault, AuthorizationPolicy, AuthorizationRule, Builtins, GatewayPolicy,
};
use expect_test::Expect;
use futures::future::{BoxFuture, FutureExt, pending, ready};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use jsonschema::Validator;
use serde_json::{Value, json, value::RawValue};

use super::super::{
    CallRecord, Caller, Endpoint, EndpointSettings, Era, McpReply, McpRequest, ProtocolVersion, TraceContext,
};
use crate::{
    auth::{Principal, ScopeSet},
    clock::Clock,
    gateway::{Policy, ToolAnnotations, ToolDefinition},
    tools::{CallContext, HealthInputs, HealthProbe, MemoryHealth, Tool, ToolOutcome, Toolbox, builtin_tools},
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
        HealthInputs { issuers: None, memory, telemetry: None }
    }
}

/// What a test's own tool does when it is called.
#[derive(Clone, Copy)]
enum Behaviour {
    Counts,
    Panics,
    NeverEnds,
    BreaksItsSchema,
    ForgetsItsContent,
    Fails,
}

struct TestTool {
    name: &'static str,
    behaviour: Behaviour,
    calls: Arc<AtomicUsize>,
}

impl Tool for TestTool {
    fn definition(&self) -> ToolDefinition {
        ToolDefinition {
            name: self.name.to_owned(),
            title: self.name.to_owned(),
            description: "A tool of the tests.".to_owned(),
            input_schema: json!({ "type": "object" }),
            output_schema: Some(json!({
                "type": "object",
                "properties": { "calls": { "type": "integer" } },
                "required": ["calls"]
            })),
            annotations: ToolAnnotations {
                read_only_hint: false,
                destructive_hint: true,
                idempotent_hint: false,
                open_world_hint: false,
            },
        }
    }

    fn deadline(&self) -> Duration {
        match self.behaviour {
            Behaviour::NeverEnds => Duration::ZERO,
            _ => Duration::from_secs(30),
        }
    }

    fn call<'a>(&'a self, _: CallContext<'a>, _: &'a RawValue) -> BoxFuture<'a, ToolOutcome> {
        let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let outcome = match self.behaviour {
            Behaviour::Counts => ToolOutcome::structured(&json!({ "calls": calls })),
            Behaviour::Panics => panic!("insides of the tool"),
            Behaviour::NeverEnds => return pending().boxed(),
            Behaviour::BreaksItsSchema => ToolOutcome::structured(&json!({ "calls": "many" })),
            Behaviour::ForgetsItsContent => ToolOutcome::text("done"),
            Behaviour::Fails => ToolOutcome::error("no ink: fill it up"),
        };
        ready(outcome).boxed()
    }
}

/// The endpoint and one caller of it.
pub(super) struct Client {
    pub(super) endpoint: Endpoint,
    policy: Policy,
    principal: Principal,
    /// How often the tests' own tools ran.
    pub(super) calls: Arc<AtomicUsize>,
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
        let mut tools = builtin_tools(builtins, Arc::new(Healthy));
        for (name, behaviour) in tests.iter().copied() {
            tools.push(Box::new(TestTool { name, behaviour, calls: Arc::clone(&calls) }));
        }
        let authorization = AuthorizationPolicy { default: AuthorizationDefault::Deny, rules };
        let policy = GatewayPolicy { version: 1, authorization };
        Self {
            endpoint: Endpoint::new(EndpointSettings {
                server_name: "tools".to_owned(),
                toolbox: Toolbox::new(tools).unwrap(),
                clock: Arc::new(NoonClock),
            }),
            policy: Policy::compile(&policy, &builtins, mode).unwrap(),
            principal: principal(&["tools:ping", "tools:echo"]),
            calls,
        }
    }

    pub(super) fn with_scopes(self, scopes: &[&str]) -> Self {
        Self { principal: principal(scopes), ..self }
    }

    pub(super) fn anonymous(self) -> Self {
        Self { principal: Principal::anonymous(), ..self }
    }

    /// Sends a request, and holds the answer to the schema.
    pub(super) fn send(&self, request: &Request) -> McpReply {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let parsed = self.endpoint.parse(request.as_mcp());
        let caller = Caller { principal: &self.principal, correlation_id: CORRELATION_ID };
        let reply = runtime.block_on(self.endpoint.run(&self.policy, caller, parsed));
        conforms(request, &reply);
        reply
    }

    /// What is known before the request runs.
    pub(super) fn parse_only(&self, request: &Request) -> (CallRecord, TraceContext<'static>) {
        let parsed = self.endpoint.parse(request.as_mcp());
        let TraceContext { traceparent, tracestate, baggage } = parsed.trace_context().clone();
        let owned = |text: Option<std::borrow::Cow<'_, str>>| text.map(|text| text.into_owned().into());
        let trace_context =
            TraceContext { traceparent: owned(traceparent), tracestate: owned(tracestate), baggage: owned(baggage) };
        (parsed.record().clone(), trace_context)
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
    AuthorizationRule {
        tools: vec![tools.to_owned()],
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    }
}

fn principal(scopes: &[&str]) -> Principal {
    let scopes: ScopeSet = scopes.iter().copied().collect();
    Principal::new("https://issuer.example", "user-7", None, scopes)
}

/// Status, headers and body, as a client sees them.
pub(super) fn wire(reply: &McpReply) -> String {
    let mut text = reply.status.as_u16().to_string();
    for (name, value) in &reply.headers {
        write!(text, "\n{name}: {}", value.to_str().unwrap()).unwrap();
    }
    if !reply.body.is_empty() {
        write!(text, "\n\n{}", std::str::from_utf8(&reply.body).unwrap()).unwrap();
    }
    text
}

pub(super) fn body(reply: &McpReply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

/// A request to the endpoint.
#[derive(Clone)]
pub(super) struct Request {
    method: Method,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    pub(super) fn new(method: Method, body: impl Into<Vec<u8>>) -> Self {
        let headers = HeaderMap::new();
        let request = Self { method, headers, body: body.into() };
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

    /// A correct request of 2025-11-25, after `initialize`.
    pub(super) fn legacy(method: &str, params: &str) -> Self {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        Self::post(body).with("mcp-protocol-version", "2025-11-25")
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
fn conforms(request: &Request, reply: &McpReply) {
    let is_json_rpc = !reply.body.is_empty() && reply.missing_scopes.is_none();
    if !is_json_rpc {
        return;
    }
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
