//! Arguments that a tool wants to see in headers too, so that a proxy can route on them: `x-mcp-header` in its input
//! schema.
//!
//! Pure. Source: MCP 2026-07-28, server/tools and Streamable HTTP; spec digest, sections 2.2 and 2.8. Clients must drop a
//! tool that breaks the rules.

use std::collections::HashSet;

use http::HeaderName;
use serde_json::{Map, Value, value::RawValue};

const ANNOTATION: &str = "x-mcp-header";

/// Headers that one tool may ask for, and the depth at which they are looked for. Chosen: requests have 64 fields.
const MAX_HEADERS: usize = 32;
const MAX_PATH: usize = 16;

/// One argument that goes into a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamHeader {
    /// `Mcp-Param-<Name>`.
    pub header: HeaderName,
    /// The names that lead to the argument.
    pub path: Vec<String>,
}

/// The tool breaks the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenAnnotation;

/// What an input schema asks for.
pub fn param_headers(schema: &RawValue) -> Result<Vec<ParamHeader>, BrokenAnnotation> {
    if !schema.get().contains(ANNOTATION) {
        return Ok(Vec::new());
    }
    let Ok(Value::Object(schema)) = serde_json::from_str(schema.get()) else { return Err(BrokenAnnotation) };
    let mut found = Search::default();
    found.schema(&schema, Some(&[]))?;
    Ok(found.headers)
}

#[derive(Default)]
struct Search {
    headers: Vec<ParamHeader>,
    names: HashSet<HeaderName>,
}

impl Search {
    /// `path` leads here through `properties` alone; `None` where something else does.
    fn schema(&mut self, schema: &Map<String, Value>, path: Option<&[String]>) -> Result<(), BrokenAnnotation> {
        for (keyword, value) in schema {
            match (keyword.as_str(), value) {
                (ANNOTATION, name) => self.annotation(schema, name, path)?,
                // Values, not schemas.
                ("const" | "enum" | "default" | "examples", _) => {}
                ("properties", Value::Object(properties)) => {
                    for (name, property) in properties {
                        let path = path.filter(|path| path.len() < MAX_PATH);
                        let path = path.map(|path| [path, std::slice::from_ref(name)].concat());
                        self.anything(property, path.as_deref())?;
                    }
                }
                // Schemas by names that are no keywords.
                ("patternProperties" | "$defs" | "definitions" | "dependentSchemas", Value::Object(schemas)) => {
                    schemas.values().try_for_each(|schema| self.anything(schema, None))?;
                }
                (_, Value::Array(schemas)) => schemas.iter().try_for_each(|schema| self.anything(schema, None))?,
                (_, schema) => self.anything(schema, None)?,
            }
        }
        Ok(())
    }

    fn anything(&mut self, value: &Value, path: Option<&[String]>) -> Result<(), BrokenAnnotation> {
        value.as_object().map_or(Ok(()), |schema| self.schema(schema, path))
    }

    fn annotation(
        &mut self,
        schema: &Map<String, Value>,
        name: &Value,
        path: Option<&[String]>,
    ) -> Result<(), BrokenAnnotation> {
        let is_simple = matches!(schema.get("type").and_then(Value::as_str), Some("string" | "integer" | "boolean"));
        let path = path.filter(|path| is_simple && !path.is_empty()).ok_or(BrokenAnnotation)?;
        let name = name.as_str().filter(|name| !name.is_empty()).ok_or(BrokenAnnotation)?;
        let header = HeaderName::try_from(format!("mcp-param-{name}")).map_err(|_| BrokenAnnotation)?;
        if self.headers.len() == MAX_HEADERS || !self.names.insert(header.clone()) {
            return Err(BrokenAnnotation);
        }
        self.headers.push(ParamHeader { header, path: path.to_vec() });
        Ok(())
    }
}

impl ParamHeader {
    /// The value in `arguments` that the header repeats; `None` where it is absent or null, and no header is needed.
    pub fn argument<'a>(&self, arguments: &'a Value) -> Option<&'a Value> {
        self.path.iter().try_fold(arguments, |value, name| value.get(name)).filter(|value| !value.is_null())
    }
}

/// Whether a header's text, unwrapped, says what the argument says.
pub fn repeats(argument: &Value, text: &str) -> bool {
    match argument {
        Value::String(argument) => argument == text,
        Value::Bool(argument) => text == if *argument { "true" } else { "false" },
        // Compared as numbers: `42.0` equals `42`.
        Value::Number(argument) => match (argument.as_f64(), text.trim().parse::<f64>()) {
            (Some(argument), Ok(text)) => argument.total_cmp(&text).is_eq(),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, value::to_raw_value};

    use super::*;

    fn found(schema: &Value) -> Result<Vec<String>, BrokenAnnotation> {
        let found = param_headers(&to_raw_value(schema).unwrap())?;
        Ok(found.iter().map(|one| format!("{} {}", one.header, one.path.join("/"))).collect())
    }

    #[test]
    fn arguments_are_found_at_any_depth_of_properties() {
        let schema = json!({ "type": "object", "properties": {
            "a": { "type": "string", "x-mcp-header": "Region" },
            "b": { "type": "object", "properties": { "c": { "type": "integer", "x-mcp-header": "Count" } } },
            "x-mcp-header": { "type": "string" }
        } });
        assert_eq!(found(&schema).unwrap(), ["mcp-param-region a", "mcp-param-count b/c"]);
    }

    #[test]
    fn an_annotation_that_breaks_the_rules_is_found() {
        let of = |property: Value| json!({ "type": "object", "properties": { "a": property } });
        let broken = [
            of(json!({ "type": "number", "x-mcp-header": "A" })),
            of(json!({ "type": "string", "x-mcp-header": "a b" })),
            of(json!({ "type": "string", "x-mcp-header": "" })),
            of(json!({ "type": "string", "x-mcp-header": 1 })),
            of(json!({ "type": "array", "items": { "type": "string", "x-mcp-header": "A" } })),
            of(json!({ "anyOf": [{ "type": "string", "x-mcp-header": "A" }] })),
            json!({ "type": "object", "$defs": { "b": { "type": "string", "x-mcp-header": "A" } } }),
            json!({ "type": "object", "x-mcp-header": "A" }),
            json!({ "type": "object", "properties": {
                "a": { "type": "string", "x-mcp-header": "A" }, "b": { "type": "string", "x-mcp-header": "a" } } }),
        ];
        for schema in broken {
            assert_eq!(found(&schema), Err(BrokenAnnotation), "{schema}");
        }
    }

    #[test]
    fn integers_compare_as_numbers_and_the_rest_as_text() {
        for (argument, text, equal) in [
            (json!("a"), "a", true),
            (json!("a"), "A", false),
            (json!(""), "", true),
            (json!(42), "42.0", true),
            (json!(42), "43", false),
            (json!(9_007_199_254_740_991_i64), "9007199254740991", true),
            (json!(42), "x", false),
            (json!(true), "true", true),
            (json!(true), "True", false),
        ] {
            assert_eq!(repeats(&argument, text), equal, "{argument} {text}");
        }
    }
}
