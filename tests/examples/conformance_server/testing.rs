//! Contexts for unit tests.

use std::sync::Arc;

use serde_json::{Value, value::to_raw_value};
use server::{
    auth::Principal,
    clock::SystemClock,
    features::{CallContext, ClientCapabilities, Notes},
};

/// A call of a client that can do nothing and has answered nothing.
pub(crate) fn context() -> CallContext {
    CallContext {
        principal: Arc::new(Principal::anonymous()),
        correlation_id: "cid".into(),
        clock: Arc::new(SystemClock),
        client: ClientCapabilities::default(),
        responses: None,
        state: None,
        traceparent: None,
        notes: Notes::default(),
    }
}

/// A call of a client that can do everything.
pub(crate) fn able() -> CallContext {
    let client = ClientCapabilities { elicitation: true, sampling: true, roots: true, ..ClientCapabilities::default() };
    CallContext { client, ..context() }
}

/// The same with these answers.
pub(crate) fn answered(answers: &[(&str, Value)]) -> CallContext {
    let raw = |(key, value): &(&str, Value)| ((*key).to_owned(), to_raw_value(value).unwrap());
    CallContext { responses: Some(Arc::new(answers.iter().map(raw).collect())), ..able() }
}
