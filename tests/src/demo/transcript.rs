//! Real requests through the ingress and their real answers, printed; each answer is checked.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use url::Url;

use crate::mcp_client::{Answer, McpClient, Request};

/// What the demo's token may do.
pub(super) const SCOPES: &str = "tools:ping tools:echo";

/// Where the endpoint's metadata is for a `publicUrl` with the path `/mcp` (RFC 9728, section 3.1).
const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";

/// Lines of a body that are shown; tool lists are long.
const SHOWN_LINES: usize = 32;

/// Headers of answers that a reader wants to see.
const SHOWN_HEADERS: [&str; 3] = ["www-authenticate", "content-type", "x-correlation-id"];

/// `token` has [`SCOPES`]; `limited` lacks `tools:echo`.
pub(super) async fn play(endpoint: &str, token: &str, limited: &str) -> Result<()> {
    let endpoint: Url = endpoint.parse().context("the endpoint is not a URL")?;
    let anonymous = McpClient::new(&endpoint)?;
    let client = anonymous.with_token(token);
    let limited = anonymous.with_token(limited);

    let answer =
        show(&anonymous, "without a token: refused, with a challenge", &anonymous.call("ping", &json!({}))).await?;
    ensure!(answer.status == 401, "expected 401 without a token, got {}", answer.status);
    let challenge = answer.header("www-authenticate").context("the 401 has no challenge")?;
    let metadata_url = endpoint.join(METADATA)?;
    ensure!(challenge.contains(metadata_url.as_str()), "the challenge does not name {metadata_url}: {challenge}");

    let answer =
        show(&anonymous, "the metadata that the challenge names: where tokens come from", &anonymous.get(METADATA)?)
            .await?;
    ensure!(answer.body["resource"] == endpoint.as_str(), "the metadata's resource is not {endpoint}: {}", answer.body);

    let answer = show(&client, "what the server is", &client.rpc("server/discover", json!({}))).await?;
    answer.result()?;

    let answer = show(&client, "which tools this token may see", &client.rpc("tools/list", json!({}))).await?;
    let names = tool_names(answer.result()?);
    println!("  (its tools: {})", names.join(", "));
    ensure!(names.iter().any(|name| name == "ping"), "ping is not among the tools: {names:?}");

    let answer = show(&client, "ping", &client.call("ping", &json!({}))).await?;
    let message = &answer.result()?["structuredContent"]["message"];
    ensure!(message == "pong", "expected pong, got {message}");

    let answer = show(&client, "echo", &client.call("echo", &json!({ "message": "hello from cargo demo" }))).await?;
    let result = answer.result()?;
    ensure!(
        result["isError"] != true && result.to_string().contains("hello from cargo demo"),
        "echo did not answer its message: {result}"
    );

    let what = "echo with a token that lacks tools:echo: refused, with what is missing";
    let answer = show(&limited, what, &limited.call("echo", &json!({ "message": "hello" }))).await?;
    ensure!(answer.status == 403, "expected 403 without the scope, got {}", answer.status);
    let challenge = answer.header("www-authenticate").context("the 403 has no challenge")?;
    ensure!(
        challenge.contains("insufficient_scope") && challenge.contains("tools:echo"),
        "the challenge does not name the scope: {challenge}"
    );
    Ok(())
}

async fn show(client: &McpClient, what: &str, request: &Request) -> Result<Answer> {
    println!("\n--- {what}");
    println!("> {} {}", request.method, request.url);
    for (name, value) in request.shown_headers() {
        println!("> {name}: {value}");
    }
    if let Some(body) = &request.body {
        println!("> {body}");
    }
    let answer = client.send(request).await?;
    println!("< {}", answer.status);
    for name in SHOWN_HEADERS {
        if let Some(value) = answer.header(name) {
            println!("< {name}: {value}");
        }
    }
    print_body(&answer.body);
    Ok(answer)
}

fn print_body(body: &Value) {
    if body.is_null() {
        return;
    }
    let text = format!("{body:#}");
    let lines: Vec<&str> = text.lines().collect();
    for line in lines.iter().take(SHOWN_LINES) {
        println!("< {line}");
    }
    if lines.len() > SHOWN_LINES {
        println!("< ... {} more lines", lines.len() - SHOWN_LINES);
    }
}

fn tool_names(result: &Value) -> Vec<String> {
    let tools = result["tools"].as_array().into_iter().flatten();
    tools.filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect()
}
