//! What the fixtures answer with: the smallest image and sound, and JSON that goes out as it is.

use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use server::features::{PromptOutcome, ResourceOutcome, ToolOutcome};

/// A red pixel.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

/// A RIFF header (PCM, mono, 8 kHz, 8 bit) without a sample after it.
pub(crate) const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

pub(crate) fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

pub(crate) fn image() -> Value {
    json!({ "type": "image", "data": PNG, "mimeType": "image/png" })
}

pub(crate) fn audio() -> Value {
    json!({ "type": "audio", "data": WAV, "mimeType": "audio/wav" })
}

pub(crate) fn resource(uri: &str, mime_type: &str, text: &str) -> Value {
    json!({ "type": "resource", "resource": text_contents(uri, mime_type, text) })
}

pub(crate) fn text_contents(uri: &str, mime_type: &str, text: &str) -> Value {
    json!({ "uri": uri, "mimeType": mime_type, "text": text })
}

/// A success with these content blocks.
pub(crate) fn blocks(blocks: &[Value]) -> ToolOutcome {
    ToolOutcome::blocks(raw(blocks), None, false, None)
}

/// One content of a resource.
pub(crate) fn contents(contents: Value) -> ResourceOutcome {
    ResourceOutcome { contents: raw(&[contents]) }
}

/// A prompt whose messages, all of the user, have these contents.
pub(crate) fn messages(description: &str, contents: Vec<Value>) -> PromptOutcome {
    let message = |content| json!({ "role": "user", "content": content });
    let messages: Vec<Value> = contents.into_iter().map(message).collect();
    PromptOutcome { description: Some(description.to_owned()), messages: raw(&messages) }
}

fn raw(values: &[Value]) -> Box<RawValue> {
    to_raw_value(values).expect("JSON values always serialise")
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    #[test]
    fn image_and_sound_are_what_they_say() {
        assert!(STANDARD.decode(PNG).unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));
        let wav = STANDARD.decode(WAV).unwrap();
        assert!(wav.starts_with(b"RIFF") && wav[8..].starts_with(b"WAVEfmt "));
    }
}
