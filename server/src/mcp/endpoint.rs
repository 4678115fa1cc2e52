//! The MCP endpoint: the tools, what it says about itself, and the two steps of a request.
//!
//! Built once at start and only read afterwards. The policy comes with each request, since it
//! reloads in place.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    envelope::{Refused, RequestId},
    era::{Era, ProtocolVersion},
    error::McpError,
    operation::Operation,
    parsed::{McpRequest, ParsedCall, Step, parse},
    record::{CallOutcome, CallRecord},
    reply::{CACHE_SCOPE, McpReply, TTL_MS, call_tool_body, list_tools_body, raw_body},
};
use crate::{
    auth::Principal,
    clock::Clock,
    gateway::{Catalog, Policy},
    tools::{CallContext, CallResult, Toolbox},
};

/// What an endpoint is made of.
pub struct EndpointSettings {
    /// `serverInfo.name`: the name of the `McpServer`.
    pub server_name: String,
    /// All tools.
    pub toolbox: Toolbox,
    /// Where the tools have the time from.
    pub clock: Arc<dyn Clock>,
}

/// Who sent a request, and under which id it is written down. Authenticated before it comes here.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Who.
    pub principal: &'a Principal,
    /// The request's correlation id.
    pub correlation_id: &'a str,
}

/// The MCP endpoint.
pub struct Endpoint {
    toolbox: Toolbox,
    clock: Arc<dyn Clock>,
    /// `serverInfo`, for [`Endpoint::capabilities_document`].
    server_info: ServerInfo,
    /// `_meta` of every modern result.
    modern_meta: Box<RawValue>,
    /// Result of `server/discover`.
    discover: Box<RawValue>,
    /// Result of `initialize`.
    initialize: Box<RawValue>,
    /// Arguments of a call that has none.
    no_arguments: Box<RawValue>,
}

#[derive(Clone, Serialize)]
struct ServerInfo {
    name: String,
    version: &'static str,
}

/// What works, and nothing else. The one source for every era and for the capabilities document.
fn capabilities() -> Value {
    json!({ "tools": {} })
}

impl Endpoint {
    /// Serialises once what never changes.
    pub fn new(settings: EndpointSettings) -> Self {
        let EndpointSettings { server_name, toolbox, clock } = settings;
        let server_info = ServerInfo { name: server_name, version: env!("CARGO_PKG_VERSION") };
        let modern_meta = json!({ "io.modelcontextprotocol/serverInfo": server_info });
        let discover = json!({
            "resultType": "complete",
            "supportedVersions": ProtocolVersion::ALL.map(ProtocolVersion::as_str),
            "capabilities": capabilities(),
            "ttlMs": TTL_MS,
            "cacheScope": CACHE_SCOPE,
            "_meta": modern_meta,
        });
        let initialize = json!({
            "protocolVersion": ProtocolVersion::LATEST_LEGACY.as_str(),
            "capabilities": capabilities(),
            "serverInfo": server_info,
        });
        Self {
            toolbox,
            clock,
            server_info,
            modern_meta: raw(&modern_meta),
            discover: raw(&discover),
            initialize: raw(&initialize),
            no_arguments: raw(&json!({})),
        }
    }

    /// The tools that exist.
    pub fn catalog(&self) -> &Catalog {
        self.toolbox.catalog()
    }

    /// `GET <path>/capabilities`: what discovery says, for those who do not speak MCP.
    pub fn capabilities_document(&self) -> Value {
        json!({
            "apiVersion": ProtocolVersion::ALL[0].as_str(),
            "capabilities": capabilities(),
            "serverInfo": self.server_info,
        })
    }

    /// First step: reads and checks a request. Cheap; nothing runs.
    pub fn parse<'a>(&self, request: McpRequest<'a>) -> ParsedCall<'a> {
        parse(self.catalog(), request)
    }

    /// Second step: answers it under the policy in force.
    pub async fn run(&self, policy: &Policy, caller: Caller<'_>, parsed: ParsedCall<'_>) -> McpReply {
        let ParsedCall { mut record, step, .. } = parsed;
        match step {
            Step::Refuse(refused) => {
                record.outcome = Some(CallOutcome::Error(refused.error.code));
                McpReply::error(&refused, record)
            }
            Step::Accept => {
                record.outcome = Some(CallOutcome::Accepted);
                McpReply::accepted(record)
            }
            Step::Serve { era, id, operation } => {
                let serve = Serve { endpoint: self, policy, caller, era, id, record };
                serve.operation(operation).await
            }
        }
    }
}

/// One request while it is served.
struct Serve<'a> {
    endpoint: &'a Endpoint,
    policy: &'a Policy,
    caller: Caller<'a>,
    era: Era,
    id: RequestId<'a>,
    record: CallRecord,
}

impl Serve<'_> {
    async fn operation(self, operation: Operation<'_>) -> McpReply {
        let Self { endpoint, policy, caller, era, id, .. } = self;
        let body = match operation {
            Operation::Discover => raw_body(id, &endpoint.discover),
            Operation::Initialize => raw_body(id, &endpoint.initialize),
            Operation::Ping => raw_body(id, &endpoint.no_arguments),
            Operation::ListTools => {
                let tools = endpoint.catalog().visible(policy, caller.principal);
                list_tools_body(era, id, &tools, &endpoint.modern_meta)
            }
            Operation::CallTool { name, arguments } => return self.call(&name, arguments).await,
        };
        self.result(CallOutcome::Success, body)
    }

    async fn call(self, name: &str, arguments: Option<&RawValue>) -> McpReply {
        let Self { endpoint, policy, caller, .. } = self;
        let context =
            CallContext { principal: caller.principal, correlation_id: caller.correlation_id, clock: &*endpoint.clock };
        let arguments = arguments.unwrap_or(&endpoint.no_arguments);
        match endpoint.toolbox.call(policy, context, name, arguments).await {
            CallResult::Unknown => self.unknown_tool(None),
            CallResult::Hidden => self.unknown_tool(Some(CallOutcome::Hidden)),
            CallResult::MissingScopes(scopes) => {
                let record = self.ended(CallOutcome::MissingScope);
                McpReply::missing_scopes(scopes, caller.correlation_id, record)
            }
            CallResult::Answered(outcome) => {
                let failed = outcome.is_error();
                let ended = if failed { CallOutcome::ToolError } else { CallOutcome::Success };
                let body = call_tool_body(self.era, self.id, &outcome, &endpoint.modern_meta);
                self.result(ended, body)
            }
            CallResult::TimedOut(outcome) => {
                let body = call_tool_body(self.era, self.id, &outcome, &endpoint.modern_meta);
                self.result(CallOutcome::Timeout, body)
            }
            CallResult::Broken => self.error(McpError::internal(caller.correlation_id), None),
        }
    }

    fn result(self, outcome: CallOutcome, body: Vec<u8>) -> McpReply {
        McpReply::json(http::StatusCode::OK, body, self.ended(outcome))
    }

    fn unknown_tool(self, outcome: Option<CallOutcome>) -> McpReply {
        let error = McpError::unknown_tool();
        let error = if self.era == Era::Legacy { error.served() } else { error };
        self.error(error, outcome)
    }

    fn error(self, error: McpError, outcome: Option<CallOutcome>) -> McpReply {
        let refused = Refused { id: Some(self.id), error };
        let outcome = outcome.unwrap_or(CallOutcome::Error(refused.error.code));
        McpReply::error(&refused, self.ended(outcome))
    }

    fn ended(self, outcome: CallOutcome) -> CallRecord {
        CallRecord { outcome: Some(outcome), ..self.record }
    }
}

fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("a JSON value always serialises")
}
