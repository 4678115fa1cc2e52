//! Which era serves a request. Pure, and asked anew for each request.
//!
//! First match wins; the order is the specification's compatibility matrix (Versioning) and the spec digest's
//! section 4.

use std::fmt;

use super::{
    error::McpError,
    headers::{Single, names, single},
};
use crate::protocol::{Era, ProtocolVersion};

/// What a POST tells about its era.
pub(super) struct Marks<'a> {
    /// `params._meta` names a protocol version.
    pub(super) meta_version: bool,
    /// The request's method.
    pub(super) method: &'a str,
    /// The request's headers.
    pub(super) headers: &'a http::HeaderMap,
}

/// Who is to serve a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// It describes itself.
    Modern,
    /// It opens a session.
    Initialize,
    /// It belongs to the session with this id.
    Session(&'a str),
}

impl fmt::Debug for Way<'_> {
    /// Without the session's id, which opens it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Modern => "Modern",
            Self::Initialize => "Initialize",
            Self::Session(_) => "Session",
        })
    }
}

/// Decides, or says why nobody can serve it.
pub(super) fn decide<'a>(marks: &Marks<'a>) -> Result<Way<'a>, McpError> {
    let header = single(marks.headers, &names::PROTOCOL_VERSION);
    if marks.meta_version {
        return Ok(Way::Modern);
    }
    let named = match header {
        Single::Value(text) => ProtocolVersion::from_wire(text),
        Single::Absent | Single::Malformed => None,
    };
    match (named.map(ProtocolVersion::era), header) {
        (Some(Era::Modern), _) => Ok(Way::Modern),
        (_, Single::Malformed) => Err(McpError::malformed_header(&names::PROTOCOL_VERSION)),
        // `initialize` opens a session, so a stale session id beside it decides nothing.
        (Some(Era::Legacy), _) | (None, Single::Absent) if marks.method == "initialize" => Ok(Way::Initialize),
        (_, _) if marks.method != "initialize" => {
            session(marks.headers)?.map(Way::Session).ok_or_else(|| match header {
                Single::Value(text) if named.is_none() => McpError::unsupported_version(text),
                Single::Value(_) => McpError::no_session(),
                Single::Absent | Single::Malformed => McpError::no_version(),
            })
        }
        (_, Single::Value(text)) => Err(McpError::unsupported_version(text)),
        (_, Single::Absent) => Err(McpError::no_version()),
    }
}

/// Whether the header says so: for what has no `_meta` of its own.
pub(super) fn is_modern(headers: &http::HeaderMap) -> bool {
    matches!(single(headers, &names::PROTOCOL_VERSION), Single::Value(text)
        if ProtocolVersion::from_wire(text).is_some_and(ProtocolVersion::is_modern))
}

/// The session id of any request.
pub(super) fn session(headers: &http::HeaderMap) -> Result<Option<&str>, McpError> {
    match single(headers, &names::SESSION_ID) {
        Single::Absent => Ok(None),
        Single::Value(id) => Ok(Some(id)),
        // It cannot be one of ours.
        Single::Malformed => Err(McpError::unknown_session()),
    }
}

/// Inside a session the header may be left out; what it names must be served. Source: MCP 2025-06-18,
/// basic/transports, "Protocol Version Header".
pub(super) fn check_version_header(headers: &http::HeaderMap) -> Result<(), McpError> {
    match single(headers, &names::PROTOCOL_VERSION) {
        Single::Absent => Ok(()),
        Single::Value(text) if ProtocolVersion::from_wire(text).is_some() => Ok(()),
        Single::Value(text) => Err(McpError::unsupported_version(text)),
        Single::Malformed => Err(McpError::malformed_header(&names::PROTOCOL_VERSION)),
    }
}
