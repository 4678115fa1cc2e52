//! Which era an upstream is met in, and what requests look like in each.

use serde_json::json;

use super::{
    fake::{Received, Reply},
    support::{ECHO, HELLO, Running, initialized, legacy, meta, modern, timing},
};

const OLD: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

#[tokio::test]
async fn a_modern_upstream_is_met_by_discover_and_called_without_a_session() {
    let running = Running::start(modern(ECHO, |received| Reply::result(received, HELLO))).await;
    running.assert_works().await;
    let discover = running.fake.received("server/discover").remove(0);
    assert_eq!(
        meta(&discover),
        &json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "mcp-foundry", "version": env!("CARGO_PKG_VERSION") },
        })
    );
    for (method, name) in [("server/discover", None), ("tools/list", None), ("tools/call", Some("echo"))] {
        let received = running.fake.received(method).remove(0);
        assert!(received.is_modern(), "{method}");
        assert_eq!(received.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(received.header("mcp-method"), Some(method));
        assert_eq!(received.header("mcp-name"), name);
        assert_eq!(received.header("accept"), Some("application/json, text/event-stream"));
        assert_eq!(received.header("content-type"), Some("application/json"));
        assert_eq!(received.header("authorization"), None);
        assert_eq!(received.header("mcp-session-id"), None);
    }
    let report = running.upstream.report();
    assert_eq!((report.name.as_str(), report.ready, report.connected_once), ("up", true, true));
    assert_eq!((report.era, report.tools), (Some("2026-07-28"), 1));
    assert_eq!((report.server_name.as_deref(), report.server_version.as_deref()), (Some("fake"), Some("1")));
    assert_eq!(report.last_error, None);
}

#[tokio::test]
async fn an_older_upstream_is_initialized_and_called_in_its_session() {
    for version in OLD {
        let running = Running::start(legacy(version, ECHO, |received| Reply::result(received, HELLO))).await;
        running.assert_works().await;
        let initialize = running.fake.received("initialize").remove(0);
        assert_eq!(
            initialize.body["params"],
            json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": { "name": "mcp-foundry", "version": env!("CARGO_PKG_VERSION") },
            })
        );
        assert_eq!(initialize.header("mcp-protocol-version"), None);
        for method in ["notifications/initialized", "tools/list", "tools/call"] {
            let received = running.fake.received(method).remove(0);
            assert_eq!(received.header("mcp-session-id"), Some("s-1"));
            let expected = Some(version).filter(|version| *version != "2025-03-26");
            assert_eq!(received.header("mcp-protocol-version"), expected, "{method}");
            assert_eq!(received.header("mcp-method"), None);
            assert!(received.body["params"].get("_meta").is_none(), "{method}");
        }
        assert_eq!(running.upstream.report().era, Some(version));
        assert_eq!(running.upstream.report().server_name.as_deref(), Some("old"));
    }
}

/// Answers `server/discover` with `discover`, and the rest as an upstream of the older era without sessions.
fn discovered(
    discover: impl Fn(&Received) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Received) -> Reply + Send + Sync {
    let rest = legacy("2025-06-18", ECHO, |received| Reply::result(received, HELLO));
    move |received| match received.method() {
        "server/discover" => discover(received),
        "initialize" => Reply::result(received, &initialized("2025-06-18")),
        _ => rest(received),
    }
}

#[tokio::test]
async fn whatever_is_no_modern_refusal_is_asked_to_initialize() {
    let answers: [fn(&Received) -> Reply; 9] = [
        |_| Reply::status(404, "nothing here"),
        |_| Reply::status(422, "Unexpected message, expect initialize request"),
        |_| Reply::json("<html>"),
        |_| Reply::status(202, "").with("content-type", "text/plain"),
        |received| Reply::error(200, received, -32601),
        |received| Reply::error(400, received, -32000),
        |received| Reply::result(received, "{}"),
        |received| Reply::result(received, r#"{"supportedVersions":["2025-06-18"]}"#),
        |received| {
            let error = json!({ "code": -32022, "message": "", "data": { "supported": ["2025-11-25"] } });
            Reply::status(400, &json!({ "jsonrpc": "2.0", "id": received.body["id"], "error": error }).to_string())
        },
    ];
    for (row, answer) in answers.into_iter().enumerate() {
        let running = Running::start(discovered(answer)).await;
        running.assert_works().await;
        assert_eq!(running.upstream.report().era, Some("2025-06-18"), "row {row}");
        assert_eq!(running.called().header("mcp-session-id"), None);
    }
}

#[tokio::test]
async fn a_modern_refusal_is_not_taken_for_the_older_era() {
    for (code, expected) in [
        (-32020, "answered with JSON-RPC error -32020"),
        (-32021, "answered with JSON-RPC error -32021"),
        (-32022, "supports no protocol version that is supported here"),
    ] {
        let handler = discovered(move |received| Reply::error(400, received, code));
        let running = Running::start_with(timing(), handler).await;
        running.until_failed().await;
        let report = running.upstream.report();
        assert_eq!((report.ready, report.connected_once, report.era), (false, false, None));
        assert_eq!(report.last_error.as_deref(), Some(expected));
        assert_eq!(running.fake.received("initialize").len(), 0);
    }
}

#[tokio::test]
async fn an_upstream_without_discover_is_modern_if_its_list_is() {
    let rest = modern(ECHO, |received| Reply::result(received, HELLO));
    let running = Running::start(move |received| match received.method() {
        "server/discover" => Reply::error(404, received, -32601),
        _ => rest(received),
    })
    .await;
    running.assert_works().await;
    assert_eq!(running.upstream.report().era, Some("2026-07-28"));

    let rest = discovered(|received| Reply::error(404, received, -32601));
    let running =
        Running::start(
            move |received| {
                if received.is_modern() { Reply::error(404, received, -32601) } else { rest(received) }
            },
        )
        .await;
    running.assert_works().await;
    assert_eq!(running.upstream.report().era, Some("2025-06-18"));
}

#[tokio::test]
async fn a_version_that_nobody_asked_for_is_refused() {
    for version in ["2024-11-05", "2026-07-28", "x"] {
        let running = Running::start_with(timing(), move |received| match received.method() {
            "initialize" => Reply::result(received, &initialized(version)),
            _ => Reply::status(400, ""),
        })
        .await;
        running.until_failed().await;
        let error = running.upstream.report().last_error;
        assert_eq!(error.as_deref(), Some("supports no protocol version that is supported here"));
    }
}

#[tokio::test]
async fn handshake_and_list_may_be_event_streams() {
    let calm = legacy("2025-03-26", ECHO, |received| Reply::result(received, HELLO));
    let running = Running::start(move |received| {
        let id = &received.body["id"];
        match received.method() {
            "initialize" => {
                let result = initialized("2025-03-26");
                // One batch: 2025-03-26 has them.
                let batch = format!(
                    r#"[{{"method":"notifications/message"}},{{"jsonrpc":"2.0","id":{id},"result":{result}}}]"#
                );
                Reply::events([batch])
            }
            "tools/list" => Reply::events([format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tools":{ECHO}}}}}"#)]),
            _ => calm(received),
        }
    })
    .await;
    running.assert_works().await;
}
