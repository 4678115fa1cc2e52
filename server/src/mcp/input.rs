//! A request that is sent again with what was asked for: `inputResponses` and the sealed `requestState`.
//!
//! The state comes back from a client, so it counts as hostile: it is sealed, and bound to principal, method and
//! arguments, and it expires. Source: MCP 2026-07-28, basic/patterns/mrtr; spec digest, section 2.7.

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, value::RawValue};
use sha2::{Digest as _, Sha256};

use super::{
    envelope::{is_object, string},
    error::McpError,
    params::Params,
    session::binding,
};
use crate::{
    auth::Principal,
    features::{CallKind, InputResponses},
    seal::{KeyRing, Purpose},
};

/// How long a person may take to answer. Chosen: the time of an interrupted form, not of a forgotten one.
const LIFETIME_SECONDS: i64 = 30 * 60;

/// How long it must be remembered that a state was used: for as long as it opens.
pub(super) const STATE_LIFETIME: Duration = Duration::from_secs(LIFETIME_SECONDS.unsigned_abs());

/// Answers in one request. Chosen: more than any form asks at once.
const MAX_RESPONSES: usize = 64;

/// What came again with a request. Without `Debug`: what a person answered is in it.
#[derive(Default)]
pub(super) struct Retry<'a> {
    /// By the keys of the requests.
    pub(super) responses: Option<InputResponses>,
    /// Still sealed.
    pub(super) state: Option<Cow<'a, str>>,
}

impl<'a> Retry<'a> {
    pub(super) fn read(params: &Params<'a>) -> Result<Self, McpError> {
        let wrong = || McpError::invalid_params("params.inputResponses must be an object of at most 64 results");
        let responses = match params.input_responses {
            None => None,
            Some(responses) if is_object(responses) => {
                Some(serde_json::from_str::<InputResponses>(responses.get()).map_err(|_| wrong())?)
            }
            Some(_) => return Err(wrong()),
        };
        if responses.as_ref().is_some_and(|responses| responses.len() > MAX_RESPONSES) {
            return Err(wrong());
        }
        let state = match params.request_state {
            None => None,
            Some(state) => Some(string(state).ok_or_else(McpError::unknown_request_state)?),
        };
        Ok(Self { responses, state })
    }
}

/// What a state belongs to.
pub(super) struct StateBinding(Vec<u8>);

impl StateBinding {
    /// The caller and everything that its request asks for. Arguments count by value: a client may write them anew.
    pub(super) fn new(principal: &Principal, kind: &CallKind) -> Self {
        let (method, name, arguments) = match kind {
            CallKind::Tool { name, arguments } => ("tools/call", name, Some(arguments)),
            CallKind::Resource { uri } => ("resources/read", uri, None),
            CallKind::Prompt { name, arguments } => ("prompts/get", name, arguments.as_ref()),
            CallKind::Completion { argument, .. } => ("completion/complete", argument, None),
        };
        let arguments = arguments.map_or_else(|| "{}".to_owned(), |arguments| canonical(arguments));
        let digest = Sha256::new()
            .chain_update(method)
            .chain_update([0])
            .chain_update((name.len() as u64).to_be_bytes())
            .chain_update(&**name)
            .chain_update(arguments)
            .finalize();
        let mut bytes = binding(principal);
        bytes.extend_from_slice(&digest);
        Self(bytes)
    }

    pub(super) fn seal(&self, keys: &KeyRing, state: &[u8], now: Timestamp) -> String {
        let mut content = (now.as_second() + LIFETIME_SECONDS).to_be_bytes().to_vec();
        content.extend_from_slice(state);
        keys.seal(Purpose::RequestState, &self.0, &content)
    }

    /// One error for whatever is wrong with it: tampered, expired, somebody else's, for another request.
    pub(super) fn open(&self, keys: &KeyRing, state: &str, now: Timestamp) -> Result<Vec<u8>, McpError> {
        let content = keys.open(Purpose::RequestState, &self.0, state).ok_or_else(McpError::unknown_request_state)?;
        match content.split_first_chunk::<8>() {
            Some((expires, state)) if now.as_second() < i64::from_be_bytes(*expires) => Ok(state.to_vec()),
            _ => Err(McpError::unknown_request_state()),
        }
    }
}

/// Objects in sorted order, without white space.
fn canonical(arguments: &RawValue) -> String {
    serde_json::from_str::<Value>(arguments.get())
        .map_or_else(|_| arguments.get().to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(subject: &str) -> Principal {
        Principal::new("https://issuer.example", subject)
    }

    fn tool(name: &str, arguments: &str) -> CallKind {
        CallKind::Tool { name: name.into(), arguments: RawValue::from_string(arguments.to_owned()).unwrap() }
    }

    #[test]
    fn a_state_opens_for_the_same_request_of_the_same_caller_until_it_expires() {
        let keys = KeyRing::of_process();
        let at = |second| Timestamp::from_second(second).unwrap();
        let kind = tool("a", r#"{"x":1,"y":[2]}"#);
        let sealed = StateBinding::new(&principal("me"), &kind).seal(&keys, b"round 1", at(0));
        let open = |subject: &str, kind: &CallKind, second| {
            StateBinding::new(&principal(subject), kind).open(&keys, &sealed, at(second)).ok()
        };
        assert_eq!(open("me", &kind, 0).unwrap(), b"round 1");
        assert_eq!(open("me", &tool("a", r#"{ "y": [2], "x": 1 }"#), LIFETIME_SECONDS - 1).unwrap(), b"round 1");
        assert_eq!(open("me", &kind, LIFETIME_SECONDS), None);
        assert_eq!(open("you", &kind, 0), None);
        assert_eq!(open("me", &tool("b", r#"{"x":1,"y":[2]}"#), 0), None);
        assert_eq!(open("me", &tool("a", r#"{"x":2,"y":[2]}"#), 0), None);
        assert_eq!(open("me", &CallKind::Prompt { name: "a".into(), arguments: None }, 0), None);
    }
}
