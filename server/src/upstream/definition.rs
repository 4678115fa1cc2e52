//! One tool of an upstream as it is offered: the same bytes, under a public name.

use std::ops::RangeInclusive;

use serde_json::value::RawValue;

use crate::{
    features::{self, ParamHeader},
    json::{Object, is_object, range_of, string},
    protocol::ProtocolVersion,
};

/// How long a public name may be. Source: MCP 2026-07-28, server/tools, "Tool Names".
const NAME_BYTES: RangeInclusive<usize> = 1..=128;

/// What stands between the upstream's name and the tool's.
const SEPARATOR: &str = "__";

/// A tool that can be offered.
#[derive(Debug)]
pub(super) struct Definition {
    /// `<upstream>__<tool>`.
    pub(super) public_name: String,
    /// As the upstream names it.
    pub(super) name: String,
    /// The upstream's own bytes but for the name.
    pub(super) text: Box<RawValue>,
    /// What a modern upstream wants to see in headers.
    pub(super) param_headers: Vec<ParamHeader>,
}

/// Why a tool is not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DefinitionError {
    /// No object, or a member twice.
    #[error("it is no JSON object")]
    NoObject,
    /// No name, or one that no client could call.
    #[error("its name does not fit: with the upstream's it must be 1 to 128 of A-Za-z0-9_.-")]
    Name,
    /// No schema for its arguments.
    #[error("its inputSchema is no schema of type object")]
    InputSchema,
    /// A member of another type than the specification's; clients would refuse the whole list.
    #[error("its {0} has the wrong type")]
    Member(&'static str),
    /// It works as a task only.
    #[error("it can only be called as a task")]
    TaskOnly,
    /// `x-mcp-header` against the rules.
    #[error("its x-mcp-header annotations break the rules")]
    ParamHeaders,
}

/// Members that may be absent, and the first character of what they must be.
const MEMBERS: [(&str, char); 8] = [
    ("title", '"'),
    ("description", '"'),
    ("outputSchema", '{'),
    ("annotations", '{'),
    ("icons", '['),
    ("execution", '{'),
    ("_meta", '{'),
    ("inputSchema", '{'),
];

impl Definition {
    /// What `tool` of the upstream `upstream` becomes.
    pub(super) fn new(upstream: &str, tool: &RawValue, version: ProtocolVersion) -> Result<Self, DefinitionError> {
        let text = tool.get();
        let object = Object::parse(text).ok_or(DefinitionError::NoObject)?;
        let written = object.get("name").ok_or(DefinitionError::Name)?;
        let name = string(written).ok_or(DefinitionError::Name)?.into_owned();
        let public_name = public_name(upstream, &name).ok_or(DefinitionError::Name)?;
        let schema = object.get("inputSchema").filter(|schema| is_object_schema(schema));
        let schema = schema.ok_or(DefinitionError::InputSchema)?;
        check_members(&object)?;
        let param_headers = if version.is_modern() {
            features::param_headers(schema).map_err(|_| DefinitionError::ParamHeaders)?
        } else {
            Vec::new()
        };
        let place = range_of(written, text);
        let text = format!("{}\"{public_name}\"{}", &text[..place.start], &text[place.end..]);
        let text = RawValue::from_string(text).expect("a string in place of a string leaves it JSON");
        Ok(Self { public_name, name, text, param_headers })
    }
}

/// The name that clients see. An upstream's name has no underscore, so the first `__` always ends it.
fn public_name(upstream: &str, tool: &str) -> Option<String> {
    let name = format!("{upstream}{SEPARATOR}{tool}");
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    (!tool.is_empty() && is_plain && NAME_BYTES.contains(&name.len())).then_some(name)
}

fn is_object_schema(schema: &RawValue) -> bool {
    let kind = Object::parse(schema.get()).and_then(|schema| schema.get("type"));
    kind.and_then(string).is_some_and(|kind| kind == "object")
}

fn check_members(object: &Object<'_>) -> Result<(), DefinitionError> {
    for (name, first) in MEMBERS {
        if object.get(name).is_some_and(|value| !value.get().starts_with(first)) {
            return Err(DefinitionError::Member(name));
        }
    }
    let execution = object.get("execution").filter(|value| is_object(value));
    let support = execution.and_then(|execution| Object::parse(execution.get())?.get("taskSupport"));
    if support.and_then(string).is_some_and(|support| support == "required") {
        return Err(DefinitionError::TaskOnly);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(text: &str) -> Result<Definition, DefinitionError> {
        Definition::new("files", &RawValue::from_string(text.to_owned()).unwrap(), ProtocolVersion::LATEST_MODERN)
    }

    #[test]
    fn nothing_but_the_name_is_changed() {
        let text =
            r#"{ "inputSchema":{"type" : "object","x":1.0e0}, "name" :"re\u0061d","zz":[ 1 ],"title":"\u00e4\/"}"#;
        let definition = definition(text).unwrap();
        assert_eq!(definition.text.get(), text.replace(r#""re\u0061d""#, r#""files__read""#));
        assert_eq!((&*definition.public_name, &*definition.name), ("files__read", "read"));
    }

    #[test]
    fn a_tool_that_clients_could_not_use_is_not_offered() {
        let named = |name: &str| format!(r#"{{"name":{name},"inputSchema":{{"type":"object"}}}}"#);
        let with = |member: &str| format!(r#"{{"name":"a","inputSchema":{{"type":"object"}},{member}}}"#);
        let rows = [
            ("[]".to_owned(), DefinitionError::NoObject),
            (r#"{"name":"a","name":"b"}"#.to_owned(), DefinitionError::NoObject),
            (r#"{"inputSchema":{"type":"object"}}"#.to_owned(), DefinitionError::Name),
            (named("7"), DefinitionError::Name),
            (named(r#""""#), DefinitionError::Name),
            (named(r#""a/b""#), DefinitionError::Name),
            (named(r#""a\r\nb""#), DefinitionError::Name),
            (named(r#""раypal""#), DefinitionError::Name),
            (named(&format!("\"{}\"", "a".repeat(122))), DefinitionError::Name),
            (r#"{"name":"a"}"#.to_owned(), DefinitionError::InputSchema),
            (r#"{"name":"a","inputSchema":{}}"#.to_owned(), DefinitionError::InputSchema),
            (r#"{"name":"a","inputSchema":{"type":["object"]}}"#.to_owned(), DefinitionError::InputSchema),
            (r#"{"name":"a","inputSchema":true}"#.to_owned(), DefinitionError::InputSchema),
            (with(r#""description":1"#), DefinitionError::Member("description")),
            (with(r#""outputSchema":null"#), DefinitionError::Member("outputSchema")),
            (with(r#""execution":{"taskSupport":"required"}"#), DefinitionError::TaskOnly),
        ];
        for (text, expected) in rows {
            assert_eq!(definition(&text).map(|_| ()), Err(expected), "{text}");
        }
        assert!(definition(&named(&format!("\"{}\"", "a".repeat(121)))).is_ok());
        assert!(definition(&with(r#""execution":{"taskSupport":"optional"},"unknown":null"#)).is_ok());
    }
}
