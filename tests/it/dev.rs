//! `mcp-server --dev`: what it prints is all that a user needs, and it is authenticated all the same.

use std::process::Stdio;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use url::Url;

use crate::support::client::McpClient;
use crate::support::process::binary;
use crate::support::{Era, Message};

#[tokio::test]
async fn the_printed_configuration_calls_every_tool_and_nothing_less_does() {
    let mut child = tokio::process::Command::new(binary())
        .args(["--dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let entry = printed_entry(child.stdout.take().unwrap()).await;
    let url = Url::parse(entry["url"].as_str().unwrap()).unwrap();
    assert_eq!((url.host_str(), url.path()), (Some("127.0.0.1"), "/mcp"));
    let token = entry["headers"]["Authorization"].as_str().unwrap().strip_prefix("Bearer ").unwrap();

    let address = ([127, 0, 0, 1], url.port().unwrap()).into();
    let client = McpClient::under("127.0.0.1", address, address);
    for era in Era::BOTH {
        for (tool, arguments) in [("ping", json!({})), ("echo", json!({ "message": "a" })), ("health_check", json!({}))]
        {
            let result = client.call(era, tool, arguments, token).await.result();
            assert_ne!(result["isError"], true, "{tool}: {result}");
        }
    }
    let bare = client.send(&Message::call(Era::Modern, "ping", json!({})), None).await;
    assert_eq!(bare.status, StatusCode::UNAUTHORIZED);

    child.start_kill().unwrap();
    let logs = String::from_utf8(child.wait_with_output().await.unwrap().stderr).unwrap();
    assert!(logs.contains("tools/call"), "the logs are there: {logs}");
    for part in token.split('.') {
        assert!(!logs.contains(part), "part of the printed token in {logs}");
    }
}

/// The entry of the client configuration: the JSON document at the end of what is printed.
async fn printed_entry(stdout: impl AsyncRead + Unpin) -> Value {
    let mut lines = BufReader::new(stdout).lines();
    let mut document = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if !document.is_empty() || line == "{" {
            document += &line;
        }
        if line == "}" {
            let document: Value = serde_json::from_str(&document).unwrap();
            return document["mcpServers"]["mcp-foundry-dev"].clone();
        }
    }
    panic!("no client configuration was printed");
}
