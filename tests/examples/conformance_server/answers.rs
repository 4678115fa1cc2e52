//! What clients answered to an earlier question, read as strictly as the suite wants: a malformed answer is refused, a
//! missing one is asked for again, one that nobody asked for is not looked at.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use server::features::{CallContext, FeatureError};

/// Something that only the client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capability {
    Elicitation,
    Sampling,
    Roots,
}

impl Capability {
    fn name(self) -> &'static str {
        match self {
            Self::Elicitation => "elicitation",
            Self::Sampling => "sampling",
            Self::Roots => "roots",
        }
    }

    pub(crate) fn is_declared(self, context: &CallContext) -> bool {
        match self {
            Self::Elicitation => context.client.elicitation,
            Self::Sampling => context.client.sampling,
            Self::Roots => context.client.roots,
        }
    }
}

/// Refuses the call unless the client declared all of these.
pub(crate) fn needs(context: &CallContext, capabilities: &[Capability]) -> Result<(), FeatureError> {
    let missing = capabilities.iter().filter(|capability| !capability.is_declared(context));
    let missing: Map<String, Value> = missing.map(|capability| (capability.name().to_owned(), json!({}))).collect();
    if missing.is_empty() { Ok(()) } else { Err(FeatureError::MissingCapability(missing.into())) }
}

/// An `ElicitResult`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase", tag = "action")]
pub(crate) enum Elicited {
    Accept {
        #[serde(default)]
        content: Map<String, Value>,
    },
    Decline,
    Cancel,
}

impl Elicited {
    /// As the results of the older elicitation tools show it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Accept { content } => format!("action=accept, content={}", Value::Object(content.clone())),
            Self::Decline => "action=decline, content={}".to_owned(),
            Self::Cancel => "action=cancel, content={}".to_owned(),
        }
    }

    /// A field of what the user entered, if the user entered anything.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        match self {
            Self::Accept { content } => content.get(field)?.as_str(),
            Self::Decline | Self::Cancel => None,
        }
    }
}

/// What the user said to the question with this key; `None` if there is no answer to it.
pub(crate) fn elicited(context: &CallContext, key: &str) -> Result<Option<Elicited>, FeatureError> {
    answer(context, key)
}

/// What the model said.
pub(crate) fn sampled(context: &CallContext, key: &str) -> Result<Option<String>, FeatureError> {
    #[derive(Deserialize)]
    struct Message {
        content: Value,
    }
    let Some(Message { content }) = answer(context, key)? else { return Ok(None) };
    // From 2025-11-25 on there may be several blocks.
    let text = content["text"].as_str().or_else(|| content[0]["text"].as_str());
    text.map(|text| Some(text.to_owned())).ok_or_else(|| malformed(key))
}

/// The URIs of the client's roots.
pub(crate) fn roots(context: &CallContext, key: &str) -> Result<Option<Vec<String>>, FeatureError> {
    #[derive(Deserialize)]
    struct Roots {
        roots: Vec<Root>,
    }
    #[derive(Deserialize)]
    struct Root {
        uri: String,
    }
    let roots: Option<Roots> = answer(context, key)?;
    Ok(roots.map(|Roots { roots }| roots.into_iter().map(|root| root.uri).collect()))
}

fn answer<T: DeserializeOwned>(context: &CallContext, key: &str) -> Result<Option<T>, FeatureError> {
    let Some(answer) = context.responses.as_ref().and_then(|responses| responses.get(key)) else { return Ok(None) };
    serde_json::from_str(answer.get()).map(Some).map_err(|_| malformed(key))
}

fn malformed(key: &str) -> FeatureError {
    FeatureError::InvalidParams(
        format!("inputResponses: `{key}` must be the result of the request with this key").into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answered, context};

    #[test]
    fn answers_are_missing_right_or_refused() {
        assert_eq!(elicited(&context(), "name"), Ok(None));
        let context = answered(&[
            ("name", json!({ "action": "accept", "content": { "name": "Alice" } })),
            ("number", json!(12345)),
            ("no", json!({ "action": "decline" })),
            ("model", json!({ "role": "assistant", "content": { "type": "text", "text": "Paris" }, "model": "m" })),
            ("roots", json!({ "roots": [{ "uri": "file:///a", "name": "A" }] })),
        ]);
        assert_eq!(elicited(&context, "other"), Ok(None));
        assert_eq!(elicited(&context, "name").unwrap().unwrap().text("name"), Some("Alice"));
        assert!(matches!(elicited(&context, "number"), Err(FeatureError::InvalidParams(_))));
        assert_eq!(elicited(&context, "no").unwrap().unwrap().shown(), "action=decline, content={}");
        assert_eq!(sampled(&context, "model"), Ok(Some("Paris".to_owned())));
        assert_eq!(roots(&context, "roots"), Ok(Some(vec!["file:///a".to_owned()])));
        assert!(roots(&context, "model").is_err());
    }

    #[test]
    fn a_missing_capability_is_named_as_an_object() {
        let mut context = context();
        context.client.elicitation = true;
        assert_eq!(needs(&context, &[Capability::Elicitation]), Ok(()));
        let missing = FeatureError::MissingCapability(json!({ "sampling": {} }));
        assert_eq!(needs(&context, &[Capability::Elicitation, Capability::Sampling]), Err(missing));
    }
}
