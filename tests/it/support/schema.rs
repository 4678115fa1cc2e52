//! Every JSON-RPC message of the server, against the published JSON Schema of its revision.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::message::{JUNE, LEGACY, MARCH, MODERN};

static SCHEMAS: LazyLock<HashMap<&'static str, Value>> = LazyLock::new(|| {
    let parse = |text: &str| serde_json::from_str(text).unwrap();
    HashMap::from([
        (MODERN, parse(include_str!("../../fixtures/mcp-schema/2026-07-28.json"))),
        (LEGACY, parse(include_str!("../../fixtures/mcp-schema/2025-11-25.json"))),
        (JUNE, parse(include_str!("../../fixtures/mcp-schema/2025-06-18.json"))),
        (MARCH, parse(include_str!("../../fixtures/mcp-schema/2025-03-26.json"))),
    ])
});

/// Compiled on first use, by revision and definition.
type Validators = Mutex<HashMap<(&'static str, &'static str), Arc<Validator>>>;

static VALIDATORS: LazyLock<Validators> = LazyLock::new(Mutex::default);

/// Panics unless `body` is a response that a server of this revision may give to `method`.
pub(crate) fn assert_response(revision: &'static str, method: &str, body: &Value) {
    let Some(result) = body.get("result") else { return assert_error(revision, body) };
    assert_matches(revision, "JSONRPCResponse", body);
    assert_matches(revision, result_type(revision, method, result), result);
    assert_era_of_result(revision, method, result);
}

/// Panics unless `responses` answer the requests of a batch of the one revision that knows batches: each once.
pub(crate) fn assert_batch(revision: &'static str, requests: &[Value], responses: &[Value]) {
    assert_eq!(revision, MARCH, "a batch in a revision that knows none");
    if responses.iter().all(|response| response.get("id").is_some()) {
        assert_matches(revision, "JSONRPCBatchResponse", &json!(responses));
    }
    for response in responses {
        let answered = |request: &&Value| request.get("id") == response.get("id");
        let method = requests.iter().find(answered).and_then(|request| request["method"].as_str());
        assert_response(revision, method.unwrap_or_default(), response);
    }
    let asked = |request: &&Value| request.get("id").is_some() && request.get("method").is_some();
    for request in requests.iter().filter(asked) {
        let answers = responses.iter().filter(|response| response.get("id") == request.get("id")).count();
        assert_eq!(answers, 1, "answers to {request}");
    }
}

/// Panics unless `body` is a notification that a server of this revision may send.
pub(crate) fn assert_notification(revision: &'static str, body: &Value) {
    assert!(body.get("id").is_none(), "a notification with an id: {body}");
    for definition in ["JSONRPCNotification", "ServerNotification", notification_type(body)] {
        assert_matches(revision, definition, body);
    }
}

/// Panics unless `body` is a request that a server of this revision may send.
pub(crate) fn assert_server_request(revision: &'static str, body: &Value) {
    assert_ne!(revision, MODERN, "a request to a client of the modern era: {body}");
    for definition in ["JSONRPCRequest", "ServerRequest", request_type(body)] {
        assert_matches(revision, definition, body);
    }
}

fn assert_error(revision: &'static str, body: &Value) {
    match revision {
        // Both want an id, also where no id could be read; JSON-RPC's own `null` is against them too.
        JUNE | MARCH if body.get("id").is_none() => {
            let mut body = body.clone();
            body["id"] = 0.into();
            assert_matches(revision, "JSONRPCError", &body);
        }
        JUNE | MARCH => assert_matches(revision, "JSONRPCError", body),
        _ => assert_matches(revision, "JSONRPCResponse", body),
    }
    let code = body["error"]["code"].as_i64().unwrap();
    let name = error_type(revision, code);
    if revision == MODERN {
        let whole = [-32020, -32021, -32022].contains(&code);
        assert_matches(revision, name, if whole { body } else { &body["error"] });
    }
}

/// What the schemas leave open, being extensible: each era keeps to its own members.
fn assert_era_of_result(revision: &str, method: &str, result: &Value) {
    let has = |member: &str| result.get(member).is_some();
    if revision == MODERN {
        let server_info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert!(server_info["name"].is_string(), "no serverInfo in {result}");
        assert!(!has("serverInfo"), "serverInfo in the body of {result}");
        assert!(has("resultType"), "no resultType in {result}");
        let cached = result["resultType"] == "complete" && is_cached(method);
        assert_eq!((has("ttlMs"), has("cacheScope")), (cached, cached), "caching hints of {result}");
        return;
    }
    for member in ["resultType", "ttlMs", "cacheScope", "inputRequests", "requestState"] {
        assert!(!has(member), "{member} in a legacy result: {result}");
    }
    assert!(!result.to_string().contains("io.modelcontextprotocol/"), "a modern `_meta` in a legacy result: {result}");
    if revision == MARCH {
        assert!(!has("structuredContent"), "structuredContent before 2025-06-18: {result}");
        assert!(!result.to_string().contains("\"resource_link\""), "resource_link before 2025-06-18: {result}");
    } else {
        let content = result.get("structuredContent");
        assert!(content.is_none_or(Value::is_object), "structuredContent that is no object: {result}");
    }
}

fn is_cached(method: &str) -> bool {
    matches!(
        method,
        "server/discover"
            | "tools/list"
            | "prompts/list"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
    )
}

fn result_type(revision: &str, method: &str, result: &Value) -> &'static str {
    match (revision, method) {
        (MODERN, "tools/call" | "prompts/get" | "resources/read") if result["resultType"] == "input_required" => {
            "InputRequiredResult"
        }
        (_, "tools/list") => "ListToolsResult",
        (_, "tools/call") => "CallToolResult",
        (_, "resources/list") => "ListResourcesResult",
        (_, "resources/templates/list") => "ListResourceTemplatesResult",
        (_, "resources/read") => "ReadResourceResult",
        (_, "prompts/list") => "ListPromptsResult",
        (_, "prompts/get") => "GetPromptResult",
        (_, "completion/complete") => "CompleteResult",
        (MODERN, "server/discover") => "DiscoverResult",
        (MODERN, "subscriptions/listen") => "SubscriptionsListenResult",
        (LEGACY | JUNE | MARCH, "initialize") => "InitializeResult",
        (LEGACY | JUNE | MARCH, "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe") => {
            assert_eq!(*result, json!({}), "an empty result of {method}");
            "EmptyResult"
        }
        (revision, method) => panic!("a result for `{method}`, which {revision} does not have"),
    }
}

fn notification_type(body: &Value) -> &'static str {
    match body["method"].as_str().unwrap_or_default() {
        "notifications/progress" => "ProgressNotification",
        "notifications/message" => "LoggingMessageNotification",
        "notifications/tools/list_changed" => "ToolListChangedNotification",
        "notifications/prompts/list_changed" => "PromptListChangedNotification",
        "notifications/resources/list_changed" => "ResourceListChangedNotification",
        "notifications/resources/updated" => "ResourceUpdatedNotification",
        "notifications/subscriptions/acknowledged" => "SubscriptionsAcknowledgedNotification",
        other => panic!("a notification `{other}`, which nobody sends"),
    }
}

fn request_type(body: &Value) -> &'static str {
    match body["method"].as_str().unwrap_or_default() {
        "elicitation/create" => "ElicitRequest",
        "sampling/createMessage" => "CreateMessageRequest",
        "roots/list" => "ListRootsRequest",
        other => panic!("a request `{other}`, which nobody sends"),
    }
}

fn error_type(revision: &str, code: i64) -> &'static str {
    match (code, revision == MODERN) {
        (-32700, _) => "ParseError",
        (-32600, _) => "InvalidRequestError",
        (-32601, _) => "MethodNotFoundError",
        (-32602, _) => "InvalidParamsError",
        (-32603, _) => "InternalError",
        (-32020, _) => "HeaderMismatchError",
        (-32021, true) => "MissingRequiredClientCapabilityError",
        // Also told to who names an unknown revision, whose era nobody knows.
        (-32022, _) => "UnsupportedProtocolVersionError",
        (-32002, false) => "(a missing resource, which no older schema has a type for)",
        (other, _) => panic!("code {other} is not of {revision}"),
    }
}

fn assert_matches(revision: &'static str, definition: &'static str, value: &Value) {
    let validator = validator(revision, definition);
    let problems: Vec<String> =
        validator.iter_errors(value).map(|problem| format!("{} at {}", problem, problem.instance_path())).collect();
    assert!(problems.is_empty(), "not a {definition} of {revision}: {problems:?}\n{value}");
}

fn validator(revision: &'static str, definition: &'static str) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap();
    let validator = validators.entry((revision, definition)).or_insert_with(|| {
        let schema = &SCHEMAS[revision];
        // The older two are of draft-07, which keeps its definitions elsewhere.
        let place = if schema.get("$defs").is_some() { "$defs" } else { "definitions" };
        assert!(schema[place].get(definition).is_some(), "{revision} has no {definition}");
        let reference = format!("#/{place}/{definition}");
        // In draft-07 nothing beside a `$ref` counts, so it stands inside.
        let document = json!({ "$schema": schema["$schema"], place: schema[place], "allOf": [{ "$ref": reference }] });
        Arc::new(jsonschema::validator_for(&document).unwrap())
    });
    Arc::clone(validator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuses(check: impl FnOnce() + std::panic::UnwindSafe) -> bool {
        std::panic::catch_unwind(check).is_err()
    }

    #[test]
    fn a_result_without_what_its_revision_demands_is_noticed() {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "result": { "tools": [] } });
        for revision in [LEGACY, JUNE, MARCH] {
            assert_response(revision, "tools/list", &body);
            assert!(refuses(|| assert_response(revision, "prompts/list", &body)), "{revision}");
        }
        assert!(refuses(|| assert_response(MODERN, "tools/list", &body)));
    }

    #[test]
    fn a_message_of_another_revision_is_noticed() {
        let link = json!({ "type": "resource_link", "uri": "test://a", "name": "a" });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [link] } });
        assert_response(JUNE, "tools/call", &body);
        assert!(refuses(|| assert_response(MARCH, "tools/call", &body)));
        let form = json!({ "message": "m", "requestedSchema": { "type": "object", "properties": {} } });
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": form });
        assert_server_request(JUNE, &request);
        assert!(refuses(|| assert_server_request(MARCH, &request)));
        assert!(refuses(|| assert_server_request(MODERN, &request)));
        let note = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progress": 1 } });
        assert!(refuses(|| assert_notification(MARCH, &note)));
    }
}
