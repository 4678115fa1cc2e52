//! The errors of the protocol: code, HTTP status, and one sentence for the caller.
//!
//! Messages are fixed text or name what we define; what the caller typed is not repeated, save the
//! protocol version, which the specification wants back.

use std::borrow::Cow;

use http::{HeaderName, StatusCode};
use serde::Serialize;

use super::era::ProtocolVersion;

/// The JSON-RPC codes that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The body is not JSON.
    ParseError,
    /// The body is not a JSON-RPC request.
    InvalidRequest,
    /// The method is not implemented.
    MethodNotFound,
    /// The parameters are malformed, or name what does not exist.
    InvalidParams,
    /// A fault of ours.
    InternalError,
    /// A header is missing, malformed, or says something else than the body.
    HeaderMismatch,
    /// The protocol version is not served.
    UnsupportedProtocolVersion,
}

impl ErrorCode {
    /// The number on the wire.
    pub const fn number(self) -> i32 {
        match self {
            Self::ParseError => -32700,
            Self::InvalidRequest => -32600,
            Self::MethodNotFound => -32601,
            Self::InvalidParams => -32602,
            Self::InternalError => -32603,
            Self::HeaderMismatch => -32020,
            Self::UnsupportedProtocolVersion => -32022,
        }
    }

    /// The number as text, for `rpc.response.status_code` and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ParseError => "-32700",
            Self::InvalidRequest => "-32600",
            Self::MethodNotFound => "-32601",
            Self::InvalidParams => "-32602",
            Self::InternalError => "-32603",
            Self::HeaderMismatch => "-32020",
            Self::UnsupportedProtocolVersion => "-32022",
        }
    }
}

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct McpError {
    pub(super) status: StatusCode,
    pub(super) code: ErrorCode,
    pub(super) message: Cow<'static, str>,
    pub(super) data: Option<ErrorData>,
}

/// The `data` member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum ErrorData {
    /// Of [`ErrorCode::UnsupportedProtocolVersion`].
    Versions { supported: Vec<&'static str>, requested: String },
    /// Of [`ErrorCode::InternalError`]: all that a caller learns about a fault of ours.
    #[serde(rename_all = "snake_case")]
    Correlation { correlation_id: String },
}

/// The longest version that is repeated, in bytes. Real ones have 10.
const MAX_REQUESTED_BYTES: usize = 64;

impl McpError {
    fn new(status: StatusCode, code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), data: None }
    }

    pub(super) fn parse(message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::ParseError, message)
    }

    pub(super) fn invalid_request(message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, message)
    }

    pub(super) fn invalid_params(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidParams, message)
    }

    /// One answer for what does not exist and what this caller may not see: byte for byte.
    pub(super) fn unknown_tool() -> Self {
        Self::invalid_params("unknown tool: use a name from tools/list")
    }

    pub(super) fn method_not_found() -> Self {
        let message = "method not found: the capabilities say what is served";
        Self::new(StatusCode::NOT_FOUND, ErrorCode::MethodNotFound, message)
    }

    pub(super) fn header_mismatch(name: &HeaderName, problem: &str) -> Self {
        let message = format!("header {name}: {problem}");
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::HeaderMismatch, message)
    }

    pub(super) fn malformed_header(name: &HeaderName) -> Self {
        Self::header_mismatch(name, "send it once, in visible ASCII")
    }

    pub(super) fn unknown_session() -> Self {
        let message = "unknown session: send initialize again, without a session id";
        Self::new(StatusCode::NOT_FOUND, ErrorCode::InvalidRequest, message)
    }

    pub(super) fn unsupported_media_type() -> Self {
        let message = "header content-type: send application/json in UTF-8";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::InvalidRequest, message)
    }

    pub(super) fn not_acceptable(needed: &'static str) -> Self {
        let message = format!("header accept: list {needed}");
        Self::new(StatusCode::NOT_ACCEPTABLE, ErrorCode::InvalidRequest, message)
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "send JSON-RPC requests by POST: no stream is offered here";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::InvalidRequest, message)
    }

    pub(super) fn no_version() -> Self {
        let [modern, legacy] = ProtocolVersion::ALL.map(ProtocolVersion::as_str);
        let message = format!(
            "no protocol version: name {modern} in params._meta and in header \
             mcp-protocol-version, or begin with initialize for {legacy}"
        );
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, message)
    }

    /// Names all versions that are served; not the requested one, which may be served in the other
    /// era's way and would only be sent again.
    pub(super) fn unsupported_version(requested: &str) -> Self {
        let served = ProtocolVersion::ALL.map(ProtocolVersion::as_str);
        let end = (0..=MAX_REQUESTED_BYTES.min(requested.len())).rev().find(|end| requested.is_char_boundary(*end));
        let data = ErrorData::Versions {
            supported: served.into_iter().filter(|version| *version != requested).collect(),
            requested: requested[..end.unwrap_or(0)].to_owned(),
        };
        Self {
            data: Some(data),
            ..Self::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::UnsupportedProtocolVersion,
                "protocol version is not served: use one of data.supported",
            )
        }
    }

    /// A fault of ours. The request was served, as far as HTTP is concerned.
    pub(super) fn internal(correlation_id: &str) -> Self {
        Self {
            data: Some(ErrorData::Correlation { correlation_id: correlation_id.to_owned() }),
            ..Self::new(StatusCode::OK, ErrorCode::InternalError, "internal error: report data.correlation_id")
        }
    }

    /// The same error for the older era, whose clients read a status beyond 2xx as the end of the
    /// connection (a 404 as the end of the session) and never look at the body.
    pub(super) fn served(self) -> Self {
        Self { status: StatusCode::OK, ..self }
    }
}
