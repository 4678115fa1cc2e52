//! What a provider asks of the client in the middle of a call.
//!
//! One form for both eras: the provider returns [`InputRequired`] and is asked again with the answers. In the modern
//! era the client sends its request again; in the older one the gateway sends requests on the call's own stream.

use std::{collections::BTreeMap, fmt};

use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

/// A wish for input. At least one of the two is there.
#[derive(Clone, Default)]
pub struct InputRequired {
    /// What to ask the client, by keys that the provider chose. The values are `{"method", "params"}` with method
    /// `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub requests: BTreeMap<String, Box<RawValue>>,
    /// What the provider wants to know again at the next call. The client sees it sealed only.
    pub state: Option<Vec<u8>>,
}

impl fmt::Debug for InputRequired {
    /// Without the state, which is sealed for whoever else has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputRequired").field("requests", &self.requests).finish_non_exhaustive()
    }
}

/// What came back: the client's results by the keys of the requests.
pub type InputResponses = BTreeMap<String, Box<RawValue>>;

impl InputRequired {
    /// One more request.
    ///
    /// # Panics
    /// Never: a JSON value always serialises.
    #[must_use]
    pub fn ask(mut self, key: &str, method: &str, params: &Value) -> Self {
        let request = serde_json::json!({ "method": method, "params": params });
        let request = to_raw_value(&request).expect("a JSON value always serialises");
        self.requests.insert(key.to_owned(), request);
        self
    }

    /// To be told again.
    #[must_use]
    pub fn remember(mut self, state: impl Into<Vec<u8>>) -> Self {
        self.state = Some(state.into());
        self
    }
}
