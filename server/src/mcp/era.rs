//! Which revision, and so which era, serves a request. Pure, and asked anew for each request.
//!
//! First match wins; the order is the specification's compatibility matrix (Versioning).

use super::{
    error::McpError,
    headers::{Single, names, single},
};

/// A revision of the protocol that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProtocolVersion {
    /// Every request describes itself.
    V2026_07_28,
    /// Opened by `initialize`.
    V2025_11_25,
}

/// The two ways of talking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// Stateless: version and capabilities come with each request.
    Modern,
    /// With a handshake.
    Legacy,
}

impl ProtocolVersion {
    /// Every revision that is served, newest first.
    pub const ALL: [Self; 2] = [Self::V2026_07_28, Self::V2025_11_25];

    /// What `initialize` is answered with, whatever was asked for.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;

    /// As it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2026_07_28 => "2026-07-28",
            Self::V2025_11_25 => "2025-11-25",
        }
    }

    /// The era to which it belongs.
    pub const fn era(self) -> Era {
        match self {
            Self::V2026_07_28 => Era::Modern,
            Self::V2025_11_25 => Era::Legacy,
        }
    }

    /// The revision of that name, if it is served.
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }
}

/// What a POST tells about its era.
pub(super) struct Marks<'a> {
    /// `params._meta` names a protocol version.
    pub(super) meta_version: bool,
    /// The request's method.
    pub(super) method: &'a str,
    /// A notification gets no answer, so a missing version does no harm there.
    pub(super) is_notification: bool,
    /// The request's headers.
    pub(super) headers: &'a http::HeaderMap,
}

/// Decides, or says why no era can serve it.
pub(super) fn decide(marks: &Marks<'_>) -> Result<Era, McpError> {
    let header = single(marks.headers, &names::PROTOCOL_VERSION);
    if marks.meta_version {
        return Ok(Era::Modern);
    }
    let named = match header {
        Single::Value(text) => ProtocolVersion::from_wire(text),
        Single::Absent | Single::Malformed => None,
    };
    match (named.map(ProtocolVersion::era), header) {
        (Some(Era::Modern), _) => Ok(Era::Modern),
        (_, Single::Malformed) => Err(McpError::malformed_header(&names::PROTOCOL_VERSION)),
        // `initialize` opens an era, so a stale session id beside it decides nothing.
        (Some(Era::Legacy), _) | (None, Single::Absent) if marks.method == "initialize" => Ok(Era::Legacy),
        // No session id was ever issued, so any is unknown. Before the version is looked at: the
        // client must learn that its session is gone, whatever it spoke there.
        _ if marks.method != "initialize" && marks.headers.contains_key(&names::SESSION_ID) => {
            Err(McpError::unknown_session())
        }
        (Some(Era::Legacy), _) => Ok(Era::Legacy),
        (None, Single::Value(text)) => Err(McpError::unsupported_version(text)),
        (None, Single::Absent) if marks.is_notification => Ok(Era::Legacy),
        (None, Single::Absent) => Err(McpError::no_version()),
    }
}
