//! Every JSON-RPC message of the server, against the published JSON Schema of its revision.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::message::Era;

static SCHEMAS: LazyLock<[Value; 2]> = LazyLock::new(|| {
    let parse = |text: &str| serde_json::from_str(text).unwrap();
    [
        parse(include_str!("../../fixtures/mcp-schema/2026-07-28.json")),
        parse(include_str!("../../fixtures/mcp-schema/2025-11-25.json")),
    ]
});

/// Compiled on first use, by revision and definition.
type Validators = Mutex<HashMap<(&'static str, &'static str), Arc<Validator>>>;

static VALIDATORS: LazyLock<Validators> = LazyLock::new(Mutex::default);

/// Panics unless `body` is a message that a server of this era may send in answer to `method`.
pub(crate) fn assert_valid(era: Era, method: &str, body: &Value) {
    assert_matches(era, "JSONRPCResponse", body);
    let Some(result) = body.get("result") else {
        if let Some(name) = error_type(era, &body["error"]["code"]) {
            let whole = name == "UnsupportedProtocolVersionError"
                || name == "HeaderMismatchError"
                || name == "MissingRequiredClientCapabilityError";
            assert_matches(era, name, if whole { body } else { &body["error"] });
        }
        return;
    };
    assert_matches(era, result_type(era, method), result);
    assert_era_of_result(era, method, result);
}

/// What the schemas leave open, being extensible: each era keeps to its own members.
fn assert_era_of_result(era: Era, method: &str, result: &Value) {
    let has = |member: &str| result.get(member).is_some();
    match era {
        Era::Modern => {
            let server_info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
            assert!(server_info["name"].is_string(), "no serverInfo in {result}");
            assert!(!has("serverInfo"), "serverInfo in the body of {result}");
            let cached = matches!(method, "server/discover" | "tools/list");
            assert_eq!(has("ttlMs") && has("cacheScope"), cached, "caching hints of {result}");
        }
        Era::Legacy => {
            for member in ["resultType", "ttlMs", "cacheScope"] {
                assert!(!has(member), "{member} in a legacy result: {result}");
            }
        }
    }
}

fn result_type(era: Era, method: &str) -> &'static str {
    match (era, method) {
        (_, "tools/list") => "ListToolsResult",
        (_, "tools/call") => "CallToolResult",
        (Era::Modern, "server/discover") => "DiscoverResult",
        (Era::Legacy, "initialize") => "InitializeResult",
        (Era::Legacy, "ping") => "EmptyResult",
        (_, method) => panic!("a result for `{method}`, which this part does not serve"),
    }
}

fn error_type(era: Era, code: &Value) -> Option<&'static str> {
    let modern = match code.as_i64().unwrap() {
        -32700 => "ParseError",
        -32600 => "InvalidRequestError",
        -32601 => "MethodNotFoundError",
        -32602 => "InvalidParamsError",
        -32603 => "InternalError",
        -32020 => "HeaderMismatchError",
        -32021 => "MissingRequiredClientCapabilityError",
        -32022 => "UnsupportedProtocolVersionError",
        other => panic!("code {other} is of no revision"),
    };
    // The older schema has no types of its own for them.
    (era == Era::Modern).then_some(modern)
}

fn assert_matches(era: Era, definition: &'static str, value: &Value) {
    let validator = validator(era, definition);
    let problems: Vec<String> =
        validator.iter_errors(value).map(|problem| format!("{} at {}", problem, problem.instance_path())).collect();
    assert!(problems.is_empty(), "not a {definition} of {}: {problems:?}\n{value}", era.revision());
}

fn validator(era: Era, definition: &'static str) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap();
    let validator = validators.entry((era.revision(), definition)).or_insert_with(|| {
        let schema = &SCHEMAS[usize::from(era == Era::Legacy)];
        let reference = format!("#/$defs/{definition}");
        let document = json!({ "$schema": schema["$schema"], "$defs": schema["$defs"], "$ref": reference });
        Arc::new(jsonschema::validator_for(&document).unwrap())
    });
    Arc::clone(validator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_without_what_its_revision_demands_is_noticed() {
        let result = json!({ "tools": [] });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "result": result });
        assert_valid(Era::Legacy, "tools/list", &body);
        let modern = std::panic::catch_unwind(|| assert_valid(Era::Modern, "tools/list", &body));
        assert!(modern.is_err());
    }
}
