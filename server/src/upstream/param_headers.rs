//! Writes the headers that repeat arguments of a call.

use http::HeaderMap;
use serde_json::value::RawValue;

use super::headers::mirrored;
use crate::{
    features::ParamHeader,
    json::{Object, string},
};

/// The largest integer that all JSON readers agree on. Source: RFC 8259, section 6.
const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

/// Writes the headers of a call. An argument that is absent, `null`, or nothing that a header can say has none.
pub(super) fn write(wanted: &[ParamHeader], arguments: &RawValue, headers: &mut HeaderMap) {
    for ParamHeader { header, path } in wanted {
        if let Some(text) = value_at(arguments, path) {
            headers.insert(header.clone(), mirrored(&text));
        }
    }
}

fn value_at(arguments: &RawValue, path: &[String]) -> Option<String> {
    let mut value = arguments;
    for name in path {
        value = Object::parse(value.get())?.get(name)?;
    }
    match value.get() {
        "null" => None,
        "true" | "false" => Some(value.get().to_owned()),
        text if text.starts_with('"') => string(value).map(std::borrow::Cow::into_owned),
        text => integer(text),
    }
}

/// `42.0` is 42. What is no integer has no header; the upstream's schema refuses it.
fn integer(text: &str) -> Option<String> {
    if let Ok(integer) = text.parse::<i64>() {
        return Some(integer.to_string());
    }
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && number.abs() <= MAX_SAFE).then(|| format!("{number:.0}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, value::to_raw_value};

    use super::*;
    use crate::features::param_headers;

    fn headers(schema: &Value, arguments: &str) -> Vec<(String, String)> {
        let wanted = param_headers(&to_raw_value(schema).unwrap()).unwrap();
        let mut headers = HeaderMap::new();
        write(&wanted, &RawValue::from_string(arguments.to_owned()).unwrap(), &mut headers);
        let mut pairs: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        pairs.sort();
        pairs
    }

    fn schema() -> Value {
        json!({ "type": "object", "properties": {
            "region": { "type": "string", "x-mcp-header": "Region" },
            "where": { "type": "object", "properties": { "shard": { "type": "integer", "x-mcp-header": "Shard" } } },
            "dry": { "type": "boolean", "x-mcp-header": "Dry" },
            // A property of that name is no annotation.
            "x-mcp-header": { "type": "string", "default": { "x-mcp-header": 1 } },
        }})
    }

    #[test]
    fn arguments_are_mirrored_as_text() {
        let found = headers(&schema(), r#"{"region":"eu\u2028","where":{"shard":42.0},"dry":false}"#);
        let expected =
            [("mcp-param-dry", "false"), ("mcp-param-region", "=?base64?ZXXigKg=?="), ("mcp-param-shard", "42")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_absent_null_or_no_plain_value_has_no_header() {
        for arguments in ["{}", r#"{"region":null}"#, r#"{"region":["x"],"where":7,"dry":1.5}"#] {
            assert_eq!(headers(&schema(), arguments), []);
        }
        assert_eq!(headers(&schema(), r#"{"region":""}"#), [("mcp-param-region".to_owned(), String::new())]);
    }
}
