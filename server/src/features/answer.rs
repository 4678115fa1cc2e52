//! What a provider answers: a result, a wish for input, or an error. One model for all revisions; `mcp` writes it.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use super::InputRequired;

/// How a call ended.
pub type Outcome<T> = Result<Answer<T>, FeatureError>;

/// An answer that is no error of the protocol.
#[derive(Clone, Debug)]
pub enum Answer<T> {
    /// The result.
    Complete(T),
    /// The provider needs something from the client first, and will be asked again with it. Only
    /// `tools/call`, `prompts/get` and `resources/read` may answer so.
    InputRequired(InputRequired),
}

/// What becomes an error of the protocol. A tool that fails answers with [`ToolOutcome::error`] instead.
#[derive(Clone, Debug, PartialEq)]
pub enum FeatureError {
    /// There is no such resource, prompt or argument.
    NotFound,
    /// The caller's parameters are wrong: one sentence that names what and how to mend it.
    InvalidParams(Cow<'static, str>),
    /// The work cannot be done without something that the client did not say it can do. A `ClientCapabilities`
    /// object of what is missing: `{"sampling": {}}`.
    MissingCapability(Value),
    /// The provider's own fault. The log says more, the caller learns the correlation id alone.
    Broken(&'static str),
}

/// The answer of a tool.
#[derive(Clone, Debug)]
pub struct ToolOutcome {
    content: Content,
    structured: Option<Box<RawValue>>,
    is_error: bool,
    meta: Option<Box<RawValue>>,
}

/// The content blocks.
#[derive(Clone, Debug)]
enum Content {
    /// One text block that repeats the structured content as JSON.
    Mirror,
    /// One text block.
    Text(String),
    /// A JSON array of blocks of the newest revision.
    Blocks(Box<RawValue>),
}

impl ToolOutcome {
    /// A success. The text block repeats the structured content as JSON, for clients that read text
    /// only. Content that cannot be serialised is a fault of the tool, told apart from its errors.
    pub fn structured(content: &impl Serialize) -> Self {
        match to_raw_value(content) {
            Ok(content) => Self { structured: Some(content), ..Self::of(Content::Mirror, false) },
            Err(_) => Self::error("the tool's answer cannot be written as JSON"),
        }
    }

    /// A success that is only text, from a tool without an output schema.
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(Content::Text(text.into()), false)
    }

    /// A failure that the model can act on: `text` names what was wrong and what to do.
    pub fn error(text: impl Into<String>) -> Self {
        Self::of(Content::Text(text.into()), true)
    }

    /// Any blocks: a JSON array, and whatever else a result may have. `structured` and `meta` are passed on as they are.
    pub fn blocks(
        content: Box<RawValue>,
        structured: Option<Box<RawValue>>,
        is_error: bool,
        meta: Option<Box<RawValue>>,
    ) -> Self {
        Self { content: Content::Blocks(content), structured, is_error, meta }
    }

    fn of(content: Content, is_error: bool) -> Self {
        Self { content, structured: None, is_error, meta: None }
    }

    /// True if the tool failed.
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// The structured content, if any.
    pub fn structured_content(&self) -> Option<&RawValue> {
        self.structured.as_deref()
    }

    /// `_meta` of the result, if any.
    pub fn meta(&self) -> Option<&RawValue> {
        self.meta.as_deref()
    }

    /// The single text block; `None` where there are other blocks.
    pub fn text_content(&self) -> Option<&str> {
        match &self.content {
            Content::Mirror => Some(self.structured.as_deref().map_or("", RawValue::get)),
            Content::Text(text) => Some(text),
            Content::Blocks(_) => None,
        }
    }

    /// The blocks as a JSON array; `None` where there is only one text block.
    pub fn block_content(&self) -> Option<&RawValue> {
        match &self.content {
            Content::Blocks(blocks) => Some(blocks),
            Content::Mirror | Content::Text(_) => None,
        }
    }
}

/// What `resources/read` answers.
#[derive(Clone, Debug)]
pub struct ResourceOutcome {
    /// A JSON array of the specification's `ResourceContents`, never empty.
    pub contents: Box<RawValue>,
}

/// What `prompts/get` answers.
#[derive(Clone, Debug)]
pub struct PromptOutcome {
    /// For people.
    pub description: Option<String>,
    /// A JSON array of the specification's `PromptMessage`.
    pub messages: Box<RawValue>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_mirror_is_the_structured_content_as_text() {
        let outcome = ToolOutcome::structured(&json!({ "a": "é" }));
        assert_eq!(outcome.text_content(), Some(r#"{"a":"é"}"#));
        assert_eq!(ToolOutcome::text("plain").text_content(), Some("plain"));
        assert!(ToolOutcome::error("bad").is_error());
    }

    #[test]
    fn content_that_cannot_be_written_is_an_error() {
        let impossible = std::collections::HashMap::from([((1, 2), 3)]);
        assert!(ToolOutcome::structured(&impossible).is_error());
    }
}
