//! What the process says of an upstream to whoever operates it. Bounded, without secrets, URLs and addresses.

use super::Upstream;

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamStatus {
    /// The configured name.
    pub name: String,
    /// Whether the last look at its tool list has worked.
    pub ready: bool,
    /// Whether any look has.
    pub connected_once: bool,
    /// The revision of MCP that it speaks: `2026-07-28`. `None` until it was met.
    pub era: Option<&'static str>,
    /// What it calls itself; at most 128 characters. For display only.
    pub server_name: Option<String>,
    /// What it calls its version; at most 128 characters. For display only.
    pub server_version: Option<String>,
    /// How many tools are offered.
    pub tools: usize,
    /// How many problems its list has: mostly a tool that is not offered.
    pub problem_count: usize,
    /// The first few of them.
    pub problems: Vec<String>,
    /// Why it is not ready; `None` if it is, or has not been asked so far.
    pub last_error: Option<String>,
}

impl Upstream {
    /// How the upstream is at this moment.
    pub fn report(&self) -> UpstreamStatus {
        let standing = self.standing.borrow().clone();
        let catalog = self.catalog.load();
        let peer = standing.peer.as_deref();
        UpstreamStatus {
            name: self.name.to_string(),
            ready: standing.ready(),
            connected_once: standing.connected_once,
            era: peer.map(|peer| peer.version.as_str()),
            server_name: peer.and_then(|peer| peer.server_name.clone()),
            server_version: peer.and_then(|peer| peer.server_version.clone()),
            tools: catalog.offer.tools.len(),
            problem_count: catalog.problems.count,
            problems: catalog.problems.texts.clone(),
            last_error: standing.failure.map(|failure| failure.to_string()),
        }
    }
}
