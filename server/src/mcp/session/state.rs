//! What a session remembers besides its streams: small, and the same at every replica.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    features::LogLevel,
    mcp::operation::{MAX_URI_BYTES, MAX_URIS},
};

/// What a session remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::mcp) struct SessionState {
    /// DELETE has ended it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::mcp) ended: bool,
    /// The least level of log messages that the client wants.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "level")]
    pub(in crate::mcp) log_level: Option<LogLevel>,
    /// URIs of the resources whose changes it is told.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(in crate::mcp) subscriptions: BTreeSet<Box<str>>,
}

impl SessionState {
    /// False when there are too many, or they take too much.
    pub(in crate::mcp) fn subscribe(&mut self, uri: &str) -> bool {
        if self.subscriptions.contains(uri) {
            return true;
        }
        let bytes: usize = self.subscriptions.iter().map(|uri| uri.len()).sum();
        let fits = self.subscriptions.len() < MAX_URIS && bytes + uri.len() <= MAX_URI_BYTES;
        if fits {
            self.subscriptions.insert(uri.into());
        }
        fits
    }
}

/// A level by its name on the wire; one that is not known counts as none.
mod level {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::features::LogLevel;

    #[expect(clippy::trivially_copy_pass_by_ref, clippy::ref_option, reason = "serde gives it like this")]
    pub(super) fn serialize<S: Serializer>(level: &Option<LogLevel>, serializer: S) -> Result<S::Ok, S::Error> {
        match level {
            Some(level) => serializer.serialize_str(level.as_str()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<LogLevel>, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?;
        Ok(name.as_deref().and_then(LogLevel::from_wire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_takes_no_room() {
        assert_eq!(serde_json::to_string(&SessionState::default()).unwrap(), "{}");
        let state =
            SessionState { ended: true, log_level: Some(LogLevel::Notice), subscriptions: ["a:1".into()].into() };
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(text, r#"{"ended":true,"log_level":"notice","subscriptions":["a:1"]}"#);
        assert_eq!(serde_json::from_str::<SessionState>(&text).unwrap(), state);
        assert_eq!(serde_json::from_str::<SessionState>("{}").unwrap(), SessionState::default());
    }
}
