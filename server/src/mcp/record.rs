//! What is known about a request for span, metrics and audit: closed sets, and nothing of arguments.
//!
//! Filled in while the request is parsed and run; the edge reads it. Text from the caller appears in
//! [`CallRecord::request_id`] alone, cut to a bound.

use std::{borrow::Cow, sync::Arc};

use serde_json::value::RawValue;

use super::{envelope::string, era::ProtocolVersion, error::ErrorCode};

/// What one request was and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// Always one of a closed set.
    pub method: MethodLabel,
    /// The tool of a `tools/call`, only if it exists. It may be one that the caller cannot see.
    pub tool: Option<Arc<str>>,
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
    pub(super) fn of(method: &str) -> Self {
        match method {
            "server/discover" => Self::ServerDiscover,
            "tools/list" => Self::ToolsList,
            "tools/call" => Self::ToolsCall,
            "initialize" => Self::Initialize,
            "ping" => Self::Ping,
            "notifications/initialized" => Self::NotificationsInitialized,
            "notifications/cancelled" => Self::NotificationsCancelled,
            _ => Self::Other,
        }
    }

    /// The method's name, or `_OTHER`, the conventions' word for what is not known.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerDiscover => "server/discover",
            Self::ToolsList => "tools/list",
            Self::ToolsCall => "tools/call",
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
    /// The policy hides the tool: answered as unknown, told apart here alone.
    Hidden,
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
            Self::Hidden => "hidden",
            Self::Error(code) => code.as_str(),
        }
    }

    /// The JSON-RPC code that the client was sent, if any.
    pub const fn error_code(self) -> Option<ErrorCode> {
        match self {
            Self::Error(code) => Some(code),
            Self::Hidden => Some(ErrorCode::InvalidParams),
            Self::Success | Self::Accepted | Self::ToolError | Self::Timeout | Self::MissingScope => None,
        }
    }

    /// `error.type` of the span, if the request failed. A caller's mistake (-32700, -32600, -32601,
    /// -32602) is not a failure of ours; source: OpenTelemetry conventions for MCP, newer drafts.
    pub const fn error_type(self) -> Option<&'static str> {
        match self {
            Self::Success
            | Self::Accepted
            | Self::Hidden
            | Self::Error(
                ErrorCode::ParseError
                | ErrorCode::InvalidRequest
                | ErrorCode::MethodNotFound
                | ErrorCode::InvalidParams,
            ) => None,
            Self::ToolError | Self::Timeout | Self::MissingScope | Self::Error(_) => Some(self.as_str()),
        }
    }
}

/// The longest id that goes into a span, in bytes. Chosen: a UUID has 36, prefixes are common.
const MAX_ID_BYTES: usize = 128;

/// The id as text, cut to the bound.
pub(super) fn request_id(id: &RawValue) -> Box<str> {
    let text = string(id).unwrap_or(Cow::Borrowed(id.get()));
    let end = (0..=MAX_ID_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].into()
}
