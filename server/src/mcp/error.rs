//! The errors of the protocol: code, HTTP status, and one sentence for the caller.
//!
//! Messages are fixed text or name what we define; what the caller typed is not repeated, save the
//! protocol version, which the specification wants back.

use std::borrow::Cow;

use http::{HeaderName, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::protocol::{Era, ProtocolVersion};

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
    /// The client lacks a capability that the work needs.
    MissingCapability,
    /// A resource does not exist, in the older era alone.
    ResourceNotFound,
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
            Self::MissingCapability => -32021,
            Self::ResourceNotFound => -32002,
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
            Self::MissingCapability => "-32021",
            Self::ResourceNotFound => "-32002",
        }
    }
}

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct McpError {
    pub(super) status: StatusCode,
    pub(super) code: ErrorCode,
    pub(super) message: Cow<'static, str>,
    pub(super) data: Option<ErrorData>,
}

/// The `data` member.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum ErrorData {
    /// Of [`ErrorCode::UnsupportedProtocolVersion`].
    Versions { supported: Vec<&'static str>, requested: String },
    /// Of [`ErrorCode::InternalError`]: all that a caller learns about a fault of ours.
    #[serde(rename_all = "snake_case")]
    Correlation { correlation_id: String },
    /// Of [`ErrorCode::MissingCapability`]: a `ClientCapabilities` object.
    #[serde(rename_all = "camelCase")]
    Capabilities { required_capabilities: Value },
    /// Of a resource that does not exist.
    Uri { uri: String },
}

/// The longest version that is repeated, in bytes. Real ones have 10.
const MAX_REQUESTED_BYTES: usize = 64;

/// The longest URI that is repeated, in bytes. Chosen: what browsers and servers commonly take.
const MAX_URI_BYTES: usize = 2048;

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

    pub(super) fn unknown_prompt() -> Self {
        Self::invalid_params("unknown prompt: use a name from prompts/list")
    }

    pub(super) fn unknown_cursor() -> Self {
        Self::invalid_params("unknown cursor: ask again without one")
    }

    /// One answer for whatever is wrong with it.
    pub(super) fn unknown_request_state() -> Self {
        Self::invalid_params("unknown or expired requestState: send the request again without it")
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

    pub(super) fn unknown_event() -> Self {
        let message = "header last-event-id: no such event; open a stream without it";
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, message)
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
        let message = "nothing to get or to end here without a session: send JSON-RPC requests by POST";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::InvalidRequest, message)
    }

    /// Whoever comes without a session and without a modern mark learns both ways.
    pub(super) fn no_version() -> Self {
        let message = format!(
            "no protocol version and no session: name {} in params._meta[\"io.modelcontextprotocol/protocolVersion\"] and in header mcp-protocol-version, \
             or begin with initialize for {} and older",
            ProtocolVersion::LATEST_MODERN.as_str(),
            ProtocolVersion::LATEST_LEGACY.as_str()
        );
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, message)
    }

    pub(super) fn no_session() -> Self {
        let message = "no session: send initialize, then its mcp-session-id with every request";
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, message)
    }

    /// The endpoint knows the method, this deployment does not offer it.
    pub(super) fn not_offered(message: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::InvalidRequest, message)
    }

    pub(super) fn too_many_streams() -> Self {
        let message = "too many of your streams are open: close one first";
        Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::InternalError, message)
    }

    /// What this needs only the shared store knows, and it cannot be asked.
    pub(super) fn store_unavailable() -> Self {
        let message = "what this needs cannot be looked up at the moment: try again in a second";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::InternalError, message)
    }

    /// Work has ended without its answer.
    pub(super) fn lost_answer(why: &'static str) -> Self {
        Self::new(StatusCode::OK, ErrorCode::InternalError, why)
    }

    pub(super) fn batch_too_large() -> Self {
        let message = "the answers of this batch are too large together: send this request again in another one";
        Self::new(StatusCode::OK, ErrorCode::InternalError, message)
    }

    pub(super) fn missing_capability(required_capabilities: Value) -> Self {
        let message = "the client lacks a capability that this needs: see data.requiredCapabilities";
        Self {
            data: Some(ErrorData::Capabilities { required_capabilities }),
            ..Self::new(StatusCode::BAD_REQUEST, ErrorCode::MissingCapability, message)
        }
    }

    /// One answer for what does not exist and what this caller may not see.
    pub(super) fn unknown_resource(version: ProtocolVersion, uri: &str) -> Self {
        let code = match version.era() {
            Era::Modern => ErrorCode::InvalidParams,
            Era::Legacy => ErrorCode::ResourceNotFound,
        };
        let uri = crds::text::cut(uri, MAX_URI_BYTES).to_owned();
        Self {
            data: Some(ErrorData::Uri { uri }),
            ..Self::new(StatusCode::BAD_REQUEST, code, "unknown resource: use a URI from resources/list or a template")
        }
    }

    /// Names all versions that are served; not the requested one, which may be served in the other
    /// era's way and would only be sent again.
    pub(super) fn unsupported_version(requested: &str) -> Self {
        let served = ProtocolVersion::ALL.map(ProtocolVersion::as_str);
        let data = ErrorData::Versions {
            supported: served.into_iter().filter(|version| *version != requested).collect(),
            requested: crds::text::cut(requested, MAX_REQUESTED_BYTES).to_owned(),
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
