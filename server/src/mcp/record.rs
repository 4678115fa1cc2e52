//! What is known about a request for span, metrics and audit: closed sets, and nothing of arguments.
//!
//! Filled in while the request is parsed and run; the edge reads it. Text from the caller appears in
//! [`CallRecord::request_id`] alone, cut to a bound.

use std::{borrow::Cow, fmt::Write as _, sync::Arc};

use serde_json::value::RawValue;

use super::{envelope::string, error::ErrorCode};
use crate::protocol::ProtocolVersion;

/// What one request was and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// Always one of a closed set.
    pub method: MethodLabel,
    /// The tool of a `tools/call`, only if it exists. It may be one that the caller cannot see.
    pub tool: Option<Arc<str>>,
    /// The session of the older era, as a name that opens nothing: 16 hexadecimal digits.
    pub session: Option<Box<str>>,
    /// As text; `None` for notifications and for what has no readable id.
    pub request_id: Option<Box<str>>,
    /// The revision that served the request; `None` if none could be chosen.
    pub protocol_version: Option<ProtocolVersion>,
    /// How it ended; `None` until it did.
    pub outcome: Option<CallOutcome>,
}

/// The method of a request, as a label: what the caller typed never becomes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MethodLabel {
    /// `server/discover`
    ServerDiscover,
    /// `tools/list`
    ToolsList,
    /// `tools/call`
    ToolsCall,
    /// `resources/list`
    ResourcesList,
    /// `resources/templates/list`
    ResourcesTemplatesList,
    /// `resources/read`
    ResourcesRead,
    /// `resources/subscribe`
    ResourcesSubscribe,
    /// `resources/unsubscribe`
    ResourcesUnsubscribe,
    /// `prompts/list`
    PromptsList,
    /// `prompts/get`
    PromptsGet,
    /// `completion/complete`
    CompletionComplete,
    /// `subscriptions/listen`
    SubscriptionsListen,
    /// `logging/setLevel`
    LoggingSetLevel,
    /// `initialize`
    Initialize,
    /// `ping`
    Ping,
    /// `notifications/initialized`
    NotificationsInitialized,
    /// `notifications/cancelled`
    NotificationsCancelled,
    /// Any other method, and bodies without one.
    Other,
}

impl MethodLabel {
    const KNOWN: [Self; 17] = [
        Self::ServerDiscover,
        Self::ToolsList,
        Self::ToolsCall,
        Self::ResourcesList,
        Self::ResourcesTemplatesList,
        Self::ResourcesRead,
        Self::ResourcesSubscribe,
        Self::ResourcesUnsubscribe,
        Self::PromptsList,
        Self::PromptsGet,
        Self::CompletionComplete,
        Self::SubscriptionsListen,
        Self::LoggingSetLevel,
        Self::Initialize,
        Self::Ping,
        Self::NotificationsInitialized,
        Self::NotificationsCancelled,
    ];

    pub(super) fn of(method: &str) -> Self {
        Self::KNOWN.into_iter().find(|known| known.as_str() == method).unwrap_or(Self::Other)
    }

    /// The method's name, or `_OTHER`, the conventions' word for what is not known.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerDiscover => "server/discover",
            Self::ToolsList => "tools/list",
            Self::ToolsCall => "tools/call",
            Self::ResourcesList => "resources/list",
            Self::ResourcesTemplatesList => "resources/templates/list",
            Self::ResourcesRead => "resources/read",
            Self::ResourcesSubscribe => "resources/subscribe",
            Self::ResourcesUnsubscribe => "resources/unsubscribe",
            Self::PromptsList => "prompts/list",
            Self::PromptsGet => "prompts/get",
            Self::CompletionComplete => "completion/complete",
            Self::SubscriptionsListen => "subscriptions/listen",
            Self::LoggingSetLevel => "logging/setLevel",
            Self::Initialize => "initialize",
            Self::Ping => "ping",
            Self::NotificationsInitialized => "notifications/initialized",
            Self::NotificationsCancelled => "notifications/cancelled",
            Self::Other => "_OTHER",
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// With a result.
    Success,
    /// A notification was accepted; it has no result.
    Accepted,
    /// With a result that has `isError`.
    ToolError,
    /// The tool's deadline passed; the result has `isError`.
    Timeout,
    /// With 403 and a challenge.
    MissingScope,
    /// With 403: the tool is for other callers.
    NotForCaller,
    /// The policy hides the tool: answered as unknown, told apart here alone.
    Hidden,
    /// With a wish for input: the client is to ask again.
    InputRequired,
    /// By the client, before there was an answer.
    Cancelled,
    /// A stream that was opened has come to its end.
    StreamEnded,
    /// With a JSON-RPC error.
    Error(ErrorCode),
}

impl CallOutcome {
    /// The outcome as a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Accepted => "accepted",
            Self::ToolError => "tool_error",
            Self::Timeout => "timeout",
            Self::MissingScope => "insufficient_scope",
            Self::NotForCaller => "access_denied",
            Self::Hidden => "hidden",
            Self::InputRequired => "input_required",
            Self::Cancelled => "cancelled",
            Self::StreamEnded => "stream_ended",
            Self::Error(code) => code.as_str(),
        }
    }

    /// The JSON-RPC code that the client was sent, if any.
    pub const fn error_code(self) -> Option<ErrorCode> {
        match self {
            Self::Error(code) => Some(code),
            Self::Hidden => Some(ErrorCode::InvalidParams),
            Self::Success
            | Self::Accepted
            | Self::ToolError
            | Self::Timeout
            | Self::MissingScope
            | Self::NotForCaller
            | Self::InputRequired
            | Self::Cancelled
            | Self::StreamEnded => None,
        }
    }

    /// `error.type` of the span, if the request failed. A caller's mistake (-32700, -32600, -32601,
    /// -32602) is not a failure of ours; source: OpenTelemetry conventions for MCP, newer drafts.
    pub const fn error_type(self) -> Option<&'static str> {
        match self {
            Self::Success
            | Self::Accepted
            | Self::Hidden
            | Self::InputRequired
            | Self::Cancelled
            | Self::StreamEnded
            | Self::Error(
                ErrorCode::ParseError
                | ErrorCode::InvalidRequest
                | ErrorCode::MethodNotFound
                | ErrorCode::InvalidParams
                | ErrorCode::ResourceNotFound,
            ) => None,
            Self::ToolError | Self::Timeout | Self::MissingScope | Self::NotForCaller | Self::Error(_) => {
                Some(self.as_str())
            }
        }
    }
}

/// The longest id that goes into a span, in bytes. Chosen: a UUID has 36, prefixes are common.
const MAX_ID_BYTES: usize = 128;

/// The id as text, cut to the bound.
pub(super) fn request_id(id: &RawValue) -> Box<str> {
    let text = string(id).unwrap_or(Cow::Borrowed(id.get()));
    crds::text::cut(&text, MAX_ID_BYTES).into()
}

/// Tells sessions apart in spans and log lines. The id itself opens the session and is never written down.
pub(super) fn session_name(name: &[u8; 16]) -> Box<str> {
    let mut text = String::with_capacity(16);
    for byte in &name[..8] {
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}
