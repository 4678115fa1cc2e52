//! Results as bytes: one model of each, written as each revision reads it.
//!
//! Definitions and what providers wrote pass through as they are, as far as the revision allows it.

use serde::Serialize;
use serde_json::{Value, value::RawValue};

use super::{cursor::Page, envelope::RequestId, error::McpError};
use crate::{
    features::{CallAnswer, CompletionOutcome, InputRequired, Listed, PromptOutcome, ResourceOutcome, ToolOutcome},
    json::Object,
    protocol::ProtocolVersion,
};

/// How long a client may keep a list or the discovery document.
/// Chosen: a tightened policy shows within a minute; a call is checked at once anyway.
pub(super) const TTL_MS: u64 = 60_000;

/// Lists depend on the caller's scopes, so no cache may share them.
pub(super) const CACHE_SCOPE: &str = "private";

/// How long a resource may be kept: whoever offers it does not say, and it may be made of a person's answers.
const RESOURCE_TTL_MS: u64 = 0;

/// The most values that a completion gives. Source: MCP 2026-07-28, server/utilities/completion.
const MAX_COMPLETIONS: usize = 100;

/// What a result is written for.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) version: ProtocolVersion,
    pub(super) id: RequestId<'a>,
    /// `_meta` with `serverInfo`, which the modern era alone sends.
    pub(super) modern_meta: &'a RawValue,
}

#[derive(Serialize)]
struct ResultResponse<'a, R> {
    jsonrpc: &'static str,
    id: RequestId<'a>,
    result: R,
}

#[derive(Serialize)]
struct ErrorResponse<'a> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<RequestId<'a>>,
    error: ErrorObject<'a>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    code: i32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a super::error::ErrorData>,
}

/// What every modern result carries around its own members; nothing in the older era.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Modern<'a> {
    result_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_scope: Option<&'static str>,
    #[serde(rename = "_meta")]
    meta: &'a RawValue,
}

#[derive(Serialize)]
struct Around<'a, R> {
    #[serde(flatten)]
    own: R,
    #[serde(flatten)]
    modern: Option<Modern<'a>>,
}

impl Target<'_> {
    /// A result that was serialised at start.
    pub(super) fn raw(self, result: &RawValue) -> Vec<u8> {
        self.response(result)
    }

    /// A result without members of its own.
    pub(super) fn empty(self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Empty {}
        self.whole(Empty {}, None)
    }

    pub(super) fn tools(self, page: &Page<'_>) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Tools<'a> {
            tools: &'a [&'a RawValue],
            #[serde(skip_serializing_if = "Option::is_none")]
            next_cursor: Option<&'a str>,
        }
        self.cached(Tools { tools: &page.entries, next_cursor: page.next_cursor.as_deref() })
    }

    pub(super) fn list(self, listed: Listed, page: &Page<'_>) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct List<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            resources: Option<&'a [&'a RawValue]>,
            #[serde(skip_serializing_if = "Option::is_none")]
            resource_templates: Option<&'a [&'a RawValue]>,
            #[serde(skip_serializing_if = "Option::is_none")]
            prompts: Option<&'a [&'a RawValue]>,
            #[serde(skip_serializing_if = "Option::is_none")]
            next_cursor: Option<&'a str>,
        }
        let entries = |wanted: Listed| (listed == wanted).then_some(page.entries.as_slice());
        self.cached(List {
            resources: entries(Listed::Resources),
            resource_templates: entries(Listed::Templates),
            prompts: entries(Listed::Prompts),
            next_cursor: page.next_cursor.as_deref(),
        })
    }

    pub(super) fn answer(self, answer: &CallAnswer) -> Vec<u8> {
        match answer {
            CallAnswer::Tool(outcome) => self.tool(outcome),
            CallAnswer::Resource(outcome) => self.resource(outcome),
            CallAnswer::Prompt(outcome) => self.prompt(outcome),
            CallAnswer::Completion(outcome) => self.completion(outcome),
        }
    }

    fn tool(self, outcome: &ToolOutcome) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct CallToolResult<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            result_type: Option<&'static str>,
            content: Content<'a>,
            #[serde(skip_serializing_if = "Option::is_none")]
            structured_content: Option<&'a RawValue>,
            is_error: bool,
            #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
            meta: Option<&'a RawValue>,
        }

        #[derive(Serialize)]
        #[serde(untagged)]
        enum Content<'a> {
            Text([TextContent<'a>; 1]),
            Blocks(&'a RawValue),
        }

        #[derive(Serialize)]
        struct TextContent<'a> {
            r#type: &'static str,
            text: &'a str,
        }

        let modern = self.version.is_modern();
        // Before 2026-07-28 only an object is structured content, and before 2025-06-18 nothing is.
        let fits =
            |content: &&RawValue| modern || (self.version.has_structured_content() && content.get().starts_with('{'));
        let plainer;
        let content = match (outcome.text_content(), outcome.block_content()) {
            (_, Some(blocks)) if !self.version.has_structured_content() => {
                plainer = without_links(blocks);
                Content::Blocks(plainer.as_deref().unwrap_or(blocks))
            }
            (_, Some(blocks)) => Content::Blocks(blocks),
            (text, None) => Content::Text([TextContent { r#type: "text", text: text.unwrap_or_default() }]),
        };
        let merged = outcome.meta().filter(|_| modern).and_then(|meta| merged(meta, self.modern_meta));
        let meta = if modern { Some(merged.as_deref().unwrap_or(self.modern_meta)) } else { outcome.meta() };
        self.response(CallToolResult {
            result_type: modern.then_some("complete"),
            content,
            structured_content: outcome.structured_content().filter(fits),
            is_error: outcome.is_error(),
            meta,
        })
    }

    fn resource(self, outcome: &ResourceOutcome) -> Vec<u8> {
        #[derive(Serialize)]
        struct ReadResourceResult<'a> {
            contents: &'a RawValue,
        }
        self.whole(ReadResourceResult { contents: &outcome.contents }, Some(RESOURCE_TTL_MS))
    }

    fn prompt(self, outcome: &PromptOutcome) -> Vec<u8> {
        #[derive(Serialize)]
        struct GetPromptResult<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            description: Option<&'a str>,
            messages: &'a RawValue,
        }
        let plainer =
            if self.version.has_structured_content() { None } else { messages_without_links(&outcome.messages) };
        let messages = plainer.as_deref().unwrap_or(&outcome.messages);
        self.whole(GetPromptResult { description: outcome.description.as_deref(), messages }, None)
    }

    fn completion(self, outcome: &CompletionOutcome) -> Vec<u8> {
        #[derive(Serialize)]
        struct CompleteResult<'a> {
            completion: Completion<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Completion<'a> {
            values: &'a [String],
            #[serde(skip_serializing_if = "Option::is_none")]
            total: Option<u64>,
            has_more: bool,
        }
        let CompletionOutcome { values, total, has_more } = outcome;
        let shown = &values[..values.len().min(MAX_COMPLETIONS)];
        let has_more = *has_more || shown.len() < values.len();
        self.whole(CompleteResult { completion: Completion { values: shown, total: *total, has_more } }, None)
    }

    /// `input_required`: the modern era alone knows it. `state` is sealed.
    pub(super) fn input_required(self, input: &InputRequired, state: Option<&str>) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct InputRequiredResult<'a> {
            result_type: &'static str,
            #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
            input_requests: &'a std::collections::BTreeMap<String, Box<RawValue>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            request_state: Option<&'a str>,
            #[serde(rename = "_meta")]
            meta: &'a RawValue,
        }
        self.response(InputRequiredResult {
            result_type: "input_required",
            input_requests: &input.requests,
            request_state: state,
            meta: self.modern_meta,
        })
    }

    fn cached(self, own: impl Serialize) -> Vec<u8> {
        self.whole(own, Some(TTL_MS))
    }

    /// `ttl_ms` is of results that carry caching hints.
    fn whole(self, own: impl Serialize, ttl_ms: Option<u64>) -> Vec<u8> {
        let modern = self.version.is_modern().then(|| Modern {
            result_type: "complete",
            ttl_ms,
            cache_scope: ttl_ms.map(|_| CACHE_SCOPE),
            meta: self.modern_meta,
        });
        self.response(Around { own, modern })
    }

    fn response(self, result: impl Serialize) -> Vec<u8> {
        to_bytes(&ResultResponse { jsonrpc: "2.0", id: self.id, result })
    }
}

/// An error, with the id of its request if that could be read.
pub(super) fn error(id: Option<RequestId<'_>>, error: &McpError) -> Vec<u8> {
    to_bytes(&ErrorResponse {
        jsonrpc: "2.0",
        id,
        error: ErrorObject { code: error.code.number(), message: &error.message, data: error.data.as_ref() },
    })
}

pub(super) fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings, numbers and raw JSON always serialise")
}

/// Members of both; `ours` win. `None` where `theirs` is no object.
fn merged(theirs: &RawValue, ours: &RawValue) -> Option<Box<RawValue>> {
    Some(Object::parse(theirs.get())?.with(&Object::parse(ours.get())?))
}

/// 2025-03-26 knows no `resource_link`: it becomes text. `None` where there is none.
fn without_links(blocks: &RawValue) -> Option<Box<RawValue>> {
    let blocks: Vec<&RawValue> = serde_json::from_str(blocks.get()).ok()?;
    let plain: Vec<Box<RawValue>> =
        blocks.iter().map(|block| link_as_text(block).unwrap_or_else(|| (*block).to_owned())).collect();
    serde_json::value::to_raw_value(&plain).ok()
}

/// The same for messages of a prompt, each of which has one block.
fn messages_without_links(messages: &RawValue) -> Option<Box<RawValue>> {
    let mut messages: Vec<Value> = serde_json::from_str(messages.get()).ok()?;
    for message in &mut messages {
        if let Some(text) = text_for_link(&message["content"]) {
            message["content"] = text;
        }
    }
    serde_json::value::to_raw_value(&messages).ok()
}

fn link_as_text(block: &RawValue) -> Option<Box<RawValue>> {
    let text = text_for_link(&serde_json::from_str(block.get()).ok()?)?;
    serde_json::value::to_raw_value(&text).ok()
}

fn text_for_link(block: &Value) -> Option<Value> {
    if block["type"] != "resource_link" {
        return None;
    }
    let (name, uri) = (block["name"].as_str().unwrap_or("resource"), block["uri"].as_str().unwrap_or_default());
    Some(serde_json::json!({ "type": "text", "text": format!("{name}: {uri}") }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw(value: &Value) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).unwrap()
    }

    fn written(version: ProtocolVersion, outcome: &ToolOutcome) -> Value {
        let (id, meta) = (raw(&json!(1)), raw(&json!({ "server": 1 })));
        let target = Target { version, id: &id, modern_meta: &meta };
        let response: Value = serde_json::from_slice(&target.tool(outcome)).unwrap();
        response["result"].clone()
    }

    #[test]
    fn each_revision_gets_the_blocks_and_the_content_that_it_knows() {
        let link = json!({ "type": "resource_link", "uri": "https://example.com/a", "name": "A" });
        let blocks = json!([{ "type": "text", "text": "t" }, link]);
        let outcome =
            ToolOutcome::blocks(raw(&blocks), Some(raw(&json!([1]))), false, Some(raw(&json!({ "theirs": 2 }))));
        let modern = written(ProtocolVersion::V2026_07_28, &outcome);
        assert_eq!(modern["content"], blocks);
        assert_eq!(modern["structuredContent"], json!([1]));
        assert_eq!(modern["_meta"], json!({ "theirs": 2, "server": 1 }));
        let latest = written(ProtocolVersion::V2025_11_25, &outcome);
        assert_eq!(latest, json!({ "content": blocks, "isError": false, "_meta": { "theirs": 2 } }));
        let first = written(ProtocolVersion::V2025_03_26, &outcome);
        assert_eq!(first["content"][1], json!({ "type": "text", "text": "A: https://example.com/a" }));
    }

    #[test]
    fn what_an_upstream_says_beside_its_result_passes_through_byte_for_byte() {
        let theirs = r#"{"huge":123456789012345678901234567890,"server":"not theirs to say","z":[1.0e2]}"#;
        let theirs = RawValue::from_string(theirs.to_owned()).unwrap();
        let outcome = ToolOutcome::blocks(raw(&json!([])), None, false, Some(theirs));
        let (id, ours) = (raw(&json!(1)), raw(&json!({ "server": 1 })));
        let bytes = Target { version: ProtocolVersion::V2026_07_28, id: &id, modern_meta: &ours }.tool(&outcome);
        let text = String::from_utf8(bytes).unwrap();
        let meta = r#""_meta":{"huge":123456789012345678901234567890,"z":[1.0e2],"server":1}"#;
        assert!(text.contains(meta), "{text}");
    }

    #[test]
    fn structured_objects_are_for_revisions_from_2025_06_18_on() {
        let outcome = ToolOutcome::structured(&json!({ "a": 1 }));
        let has = |version| written(version, &outcome).get("structuredContent").is_some();
        assert_eq!(ProtocolVersion::ALL.map(has), [true, true, true, false]);
    }

    #[test]
    fn a_completion_gives_at_most_100_values() {
        let values = (0..101).map(|number| number.to_string()).collect();
        let outcome = CompletionOutcome { values, total: None, has_more: false };
        let (id, meta) = (raw(&json!(1)), raw(&json!({})));
        let target = Target { version: ProtocolVersion::V2026_07_28, id: &id, modern_meta: &meta };
        let response: Value = serde_json::from_slice(&target.completion(&outcome)).unwrap();
        let completion = &response["result"]["completion"];
        assert_eq!(completion["values"].as_array().unwrap().len(), 100);
        assert_eq!(completion["hasMore"], true);
    }
}
