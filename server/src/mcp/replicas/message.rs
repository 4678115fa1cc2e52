//! What replicas tell each other, as it is sealed into a message.

use serde::{Deserialize, Serialize};

use crate::features::Change;

/// Something that another replica may want to know. Names a session by the name in its id, which opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Message {
    /// The state of a session was stored.
    State { session: [u8; 16] },
    /// A client cancels a request.
    Cancel { session: [u8; 16], request: Box<str> },
    /// A request to the client was answered.
    Answered { session: [u8; 16], question: u64 },
    /// Something was written to a stream.
    Wrote { session: [u8; 16], stream: u64 },
    /// A stream is read at the replica that says so. The standalone one it has taken under `number`.
    Reads { session: [u8; 16], stream: u64, number: u64 },
    /// The replica that says so could not tell something before: whatever it may have been is to be looked at.
    Missed,
    /// A list has changed, or a resource.
    Changed(Changed),
    /// The replica that says so answers no more. `lists` tells what could be found in its lists, as [`crate::app::App::lists`]
    /// does: whoever listed there may know of something else.
    Left { lists: Box<str> },
}

/// A [`Change`], as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Changed {
    Tools,
    Prompts,
    Resources,
    Resource(Box<str>),
}

/// A message and the replica that tells it.
#[derive(Serialize, Deserialize)]
struct Told<T> {
    from: u64,
    message: T,
}

impl Message {
    pub(super) fn told_by(&self, replica: u64) -> Vec<u8> {
        serde_json::to_vec(&Told { from: replica, message: self }).expect("names, numbers and texts always serialise")
    }

    /// The replica that told it, and what. `None` for what this build does not know.
    pub(super) fn read(bytes: &[u8]) -> Option<(u64, Self)> {
        let Told { from, message } = serde_json::from_slice(bytes).ok()?;
        Some((from, message))
    }
}

impl From<Change> for Changed {
    fn from(change: Change) -> Self {
        match change {
            Change::Tools => Self::Tools,
            Change::Prompts => Self::Prompts,
            Change::Resources => Self::Resources,
            Change::Resource(uri) => Self::Resource((*uri).into()),
        }
    }
}

impl From<Changed> for Change {
    fn from(changed: Changed) -> Self {
        match changed {
            Changed::Tools => Self::Tools,
            Changed::Prompts => Self::Prompts,
            Changed::Resources => Self::Resources,
            Changed::Resource(uri) => Self::Resource(uri.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_and_what_is_not_known_is_not() {
        let message = Message::Changed(Changed::Resource("test://one".into()));
        assert_eq!(Message::read(&message.told_by(7)), Some((7, message)));
        assert_eq!(Message::read(br#"{"from":7,"message":{"Later":{}}}"#), None);
        assert_eq!(Message::read(b"\xff"), None);
    }
}
