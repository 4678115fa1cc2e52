//! What a tool answers: structured content with its text mirror, or an error for the model.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// The answer of a tool; both eras serialise it alike.
#[derive(Clone, Debug)]
pub struct ToolOutcome {
    pub(super) structured: Option<Box<RawValue>>,
    pub(super) text: Option<String>,
    pub(super) is_error: bool,
}

impl ToolOutcome {
    /// A success. The text block repeats the structured content as JSON, for clients that read text
    /// only. Content that cannot be serialised is a fault of the tool, told apart from its errors.
    pub fn structured(content: &impl Serialize) -> Self {
        match to_raw_value(content) {
            Ok(content) => Self { structured: Some(content), text: None, is_error: false },
            Err(_) => Self::error("the tool's answer cannot be written as JSON"),
        }
    }

    /// A success that is only text, from a tool without an output schema.
    pub fn text(text: impl Into<String>) -> Self {
        Self { structured: None, text: Some(text.into()), is_error: false }
    }

    /// A failure that the model can act on: `text` names what was wrong and what to do.
    pub fn error(text: impl Into<String>) -> Self {
        Self { structured: None, text: Some(text.into()), is_error: true }
    }

    /// True if the tool failed.
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// The structured content, if any.
    pub fn structured_content(&self) -> Option<&RawValue> {
        self.structured.as_deref()
    }

    /// The text block.
    pub fn text_content(&self) -> &str {
        let mirror = || self.structured.as_deref().map_or("", RawValue::get);
        self.text.as_deref().unwrap_or_else(mirror)
    }
}
