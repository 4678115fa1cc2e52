//! The revisions of MCP that are served, and the era that each belongs to.
//!
//! Below everything that writes or reads MCP: what differs between revisions is asked here by name.

/// A revision of the protocol that is served. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolVersion {
    /// Opened by `initialize`; knows batches.
    V2025_03_26,
    /// Opened by `initialize`; structured content, resource links, elicitation.
    V2025_06_18,
    /// Opened by `initialize`; priming events, icons.
    V2025_11_25,
    /// Every request describes itself.
    V2026_07_28,
}

/// The two ways of talking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// Stateless: version and capabilities come with each request.
    Modern,
    /// With a handshake and a session.
    Legacy,
}

impl ProtocolVersion {
    /// Every revision that is served, newest first.
    pub const ALL: [Self; 4] = [Self::V2026_07_28, Self::V2025_11_25, Self::V2025_06_18, Self::V2025_03_26];

    /// The newest revision of the modern era.
    pub const LATEST_MODERN: Self = Self::V2026_07_28;

    /// What `initialize` is answered with when it asks for what is not served in that way.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;

    /// As it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2026_07_28 => "2026-07-28",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_03_26 => "2025-03-26",
        }
    }

    /// The era to which it belongs.
    pub const fn era(self) -> Era {
        match self {
            Self::V2026_07_28 => Era::Modern,
            Self::V2025_11_25 | Self::V2025_06_18 | Self::V2025_03_26 => Era::Legacy,
        }
    }

    /// The revision of that name, if it is served.
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }

    /// Whether requests describe themselves, and there are no sessions.
    pub fn is_modern(self) -> bool {
        self.era() == Era::Modern
    }

    /// Whether requests name the revision in a header: from 2025-06-18 on.
    pub fn is_sent(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether bodies may be arrays of messages.
    pub const fn has_batches(self) -> bool {
        matches!(self, Self::V2025_03_26)
    }

    /// Whether results have `structuredContent`, definitions `title`, `outputSchema` and `_meta`, and content
    /// `resource_link`.
    pub fn has_structured_content(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether a stream begins with an event that has an id and no data, and may end before the answer. Older
    /// clients trip over it, and the modern era has no event ids.
    pub const fn has_priming_events(self) -> bool {
        matches!(self, Self::V2025_11_25)
    }

    /// Whether clients can be asked for input by elicitation.
    pub fn has_elicitation(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether elicitation may send somebody to a URL, and sampling may offer tools.
    pub fn has_url_elicitation_and_sampling_tools(self) -> bool {
        self >= Self::V2025_11_25
    }
}
