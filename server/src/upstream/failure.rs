//! How talking to an upstream fails: a closed set, so that nothing the upstream said reaches anybody.

use crate::net::RequestFault;

/// What went wrong. The text follows the upstream's name, and is what the report shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// No connection, or it broke.
    #[error("cannot be reached: {0}")]
    Unreachable(RequestFault),
    /// A deadline passed.
    #[error("did not answer in time")]
    TimedOut,
    /// A redirect, which is never followed.
    #[error("answered with a redirect, which is not followed")]
    Redirect,
    /// A status without a JSON-RPC error.
    #[error("answered with HTTP status {0}")]
    Status(u16),
    /// The session is gone.
    #[error("has ended our session")]
    SessionLost,
    /// A JSON-RPC error.
    #[error("answered with JSON-RPC error {0}")]
    Rpc(i64),
    /// More bytes or messages than the bound.
    #[error("gave an answer that is too large")]
    TooLarge,
    /// Not what the protocol says.
    #[error("gave an answer that is malformed")]
    Malformed,
    /// It answers, and speaks no revision that we speak.
    #[error("supports no protocol version that is supported here")]
    NoCommonVersion,
    /// It wants input from the client in the middle of a call.
    #[error("asks for input, which is not supported for upstream tools")]
    AsksForInput,
    /// The tool has left the list.
    #[error("does not offer this tool any more; list the tools again")]
    UnknownTool,
    /// As many calls as there may be are in flight.
    #[error("has too many calls in flight; try again later")]
    Busy,
}

impl Failure {
    /// What the caller of a tool of the upstream `name` reads.
    pub(super) fn to_client(self, name: &str) -> String {
        match self {
            // How the network is built is nobody's business.
            Self::Unreachable(_) => format!("upstream {name:?} cannot be reached"),
            other => format!("upstream {name:?} {other}"),
        }
    }

    /// Whether the upstream may be what it was as soon as it can be reached again. Otherwise it is met anew.
    pub(super) fn is_passing(self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut => true,
            Self::Status(status) => status >= 500 || status == 429,
            Self::Redirect
            | Self::SessionLost
            | Self::Rpc(_)
            | Self::TooLarge
            | Self::Malformed
            | Self::NoCommonVersion
            | Self::AsksForInput
            | Self::UnknownTool
            | Self::Busy => false,
        }
    }

    /// Whether the upstream may still be working on the call.
    pub(super) fn leaves_work_behind(self) -> bool {
        let is_broken_off = self == Self::Unreachable(RequestFault::Interrupted);
        is_broken_off || matches!(self, Self::TooLarge | Self::Malformed | Self::TimedOut)
    }
}

impl From<&reqwest::Error> for Failure {
    fn from(problem: &reqwest::Error) -> Self {
        match RequestFault::of(problem) {
            RequestFault::Timeout => Self::TimedOut,
            fault => Self::Unreachable(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_learns_no_more_of_the_network_than_that_it_failed() {
        for fault in [RequestFault::AddressRefused, RequestFault::NameNotResolved, RequestFault::Tls] {
            let text = Failure::Unreachable(fault).to_client("files");
            assert_eq!(text, "upstream \"files\" cannot be reached");
        }
        assert_eq!(Failure::Rpc(-32602).to_client("files"), "upstream \"files\" answered with JSON-RPC error -32602");
    }
}
