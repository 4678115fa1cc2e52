//! An upstream as it was met: which revision it speaks, in which session, and what it says of itself.

use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderValue};

use super::{headers, text::bounded};
use crate::protocol::ProtocolVersion;

/// Who answers. Immutable but for the one bit that says that the session is gone.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) version: ProtocolVersion,
    /// Only in the older era, and only if the upstream wants one.
    pub(super) session: Option<HeaderValue>,
    /// Whether it tells of changes of its tool list.
    pub(super) announces_changes: bool,
    /// For people: what it calls itself. Bounded.
    pub(super) server_name: Option<String>,
    pub(super) server_version: Option<String>,
    is_lost: AtomicBool,
}

impl Peer {
    /// A peer that has said nothing of itself.
    pub(super) fn new(version: ProtocolVersion) -> Self {
        Self {
            version,
            session: None,
            announces_changes: false,
            server_name: None,
            server_version: None,
            is_lost: AtomicBool::new(false),
        }
    }

    /// With what it says of itself: `Implementation` and `ServerCapabilities`, as far as they can be read.
    pub(super) fn described(mut self, server: Option<&serde_json::Value>, tools_capability: bool) -> Self {
        let text = |name| server.and_then(|server| server.get(name)?.as_str()).map(bounded);
        self.server_name = text("name");
        self.server_version = text("version");
        self.announces_changes = tools_capability;
        self
    }

    /// What each POST to it has.
    pub(super) fn post_headers(&self) -> HeaderMap {
        headers::of_post(Some(self.version), self.session.as_ref())
    }

    /// What each GET and DELETE has.
    pub(super) fn session_headers(&self) -> HeaderMap {
        headers::of_session(Some(self.version), self.session.as_ref())
    }

    /// It must be met anew.
    pub(super) fn lose(&self) {
        self.is_lost.store(true, Ordering::Release);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }
}
