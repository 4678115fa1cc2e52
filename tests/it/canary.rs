//! One canary token and one canary argument through the real binary, then every sink is searched: 0 hits.

use std::collections::BTreeSet;

use crds::gateway_config::LogLevel;
use serde_json::{Value, json};

use crate::support::client::PUBLIC_URL;
use crate::support::collector::Collector;
use crate::support::message::MODERN;
use crate::support::process::GatewayProcess;
use crate::support::{Answer, Era, GatewayOptions, Message, eventually};

/// In no log line, span, metric or error; in answers only where the tool is there to repeat it.
const ARGUMENT: &str = "canary-argument-0f3b9d";

/// The subject: logs may have a hash of it, the tool `ping` says it to its owner.
const SUBJECT: &str = "canary-subject-77ac1e";

/// auth.md, section 8: the caller's token is never stored, traced, logged, or put into a metric or an error.
#[tokio::test]
async fn no_sink_ever_holds_the_token_or_an_argument() {
    let collector = Collector::start().await;
    let mut options = GatewayOptions::default();
    options.config.observability.otlp_endpoint = Some(collector.endpoint());
    options.config.observability.log_level = LogLevel::Debug;
    let mut process = GatewayProcess::start(options).await;
    let tokens = tokens(&process);
    let mut errors = Vec::new();
    for token in &tokens {
        for message in messages() {
            let answer = process.client.send(&message, Some(token)).await;
            if !answer.status.is_success() {
                errors.push(answer.text());
            }
        }
        errors.push(broken(&process, token).await.text());
        process.client.get("/mcp/capabilities", Some(token)).await;
    }
    assert!(errors.len() > tokens.len());
    let sent = tokens.len() * (messages().len() + 2);
    let admin = ["/metrics", "/report", "/readyz", "/livez"];
    let mut pages = String::new();
    for page in admin {
        pages += &process.client.admin(page).await.text();
    }
    eventually("all requests are exported", async || (collector.spans().len() >= sent).then_some(())).await;

    process.terminate();
    let (_, logs) = process.ended().await;
    let spans = String::from_utf8_lossy(&collector.bytes()).into_owned();
    assert!(logs.contains("tools/call") && spans.contains("tools/call"), "the search finds what is there");
    for (sink, text) in [("logs", logs), ("spans", spans), ("admin pages", pages), ("errors", errors.concat())] {
        for needle in needles(&tokens) {
            assert!(!text.contains(needle), "`{needle}` in {sink}");
        }
    }
}

/// features.md, P1-04 and P1-05: every line parses, its members are a closed set, and a request's lines share its id.
#[tokio::test]
async fn every_log_line_parses_and_a_request_can_be_found_by_its_id() {
    let mut options = GatewayOptions::default();
    options.config.observability.log_level = LogLevel::Debug;
    let mut process = GatewayProcess::start(options).await;
    let token = process.issuer.token(&["tools:ping"], PUBLIC_URL);
    let message = Message::call(Era::Modern, "ping", json!({})).header("x-correlation-id", "find-me");
    assert_eq!(process.client.send(&message, Some(&token)).await.status, 200);
    let refused = message.with_header("x-correlation-id", "refused-me");
    assert_eq!(process.client.send(&refused, None).await.status, 401);
    process.terminate();
    let (_, logs) = process.ended().await;

    let known = [
        "ts",
        "level",
        "target",
        "msg",
        "correlation_id",
        "trace_id",
        "span_id",
        "server",
        "tool",
        "sub",
        "iss",
        "client_id",
        "outcome",
        "duration_ms",
    ];
    let known: BTreeSet<&str> = known.into();
    let lines: Vec<Value> =
        logs.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: `{line}`"))).collect();
    for line in &lines {
        for member in line.as_object().unwrap().keys() {
            assert!(known.contains(member.as_str()), "member {member} in {line}");
        }
        for member in ["ts", "level", "target", "msg"] {
            assert!(line[member].is_string(), "no {member} in {line}");
        }
    }
    let of = |id: &str| lines.iter().find(|line| line["correlation_id"] == id && line["outcome"].is_string());
    let served = of("find-me").expect("a line for the request that was served");
    assert_eq!(served["tool"], "ping");
    assert_eq!(served["iss"], process.issuer.issuer_url());
    assert!(served["duration_ms"].is_number() && served["sub"].is_string());
    assert_ne!(served["sub"], tests::issuer::DEFAULT_SUBJECT, "the subject is hashed");
    assert_eq!(served["trace_id"].as_str().unwrap().len(), 32);
    let refused = of("refused-me").expect("a line for the request that was refused");
    assert!(refused.get("sub").is_none() && refused.get("tool").is_none());
}

/// An honest token, one that is refused late, one that is refused early; all of the canary.
fn tokens(process: &GatewayProcess) -> Vec<String> {
    let mut claims = process.issuer.claims(&["tools:ping", "tools:echo"], PUBLIC_URL);
    claims["sub"] = json!(SUBJECT);
    let honest = process.issuer.mint(&claims);
    let mut scopeless = claims.clone();
    scopeless["scope"] = json!("");
    let mut stranger = claims.clone();
    stranger["aud"] = json!("https://other.example.com");
    let (message, _) = honest.rsplit_once('.').unwrap();
    let unsigned = format!("{message}.{}", "A".repeat(342));
    let opaque = "canary-opaque-token-51d2".to_owned();
    let (scopeless, stranger) = (process.issuer.mint(&scopeless), process.issuer.mint(&stranger));
    vec![honest.clone(), scopeless, stranger, unsigned, opaque]
}

fn messages() -> Vec<Message> {
    let mut messages = Vec::new();
    for era in Era::BOTH {
        let arguments = json!({ "message": ARGUMENT });
        messages.push(Message::call(era, "ping", json!({})));
        messages.push(Message::call(era, "echo", arguments.clone()));
        messages.push(Message::call(era, "echo", json!({ "message": 1, ARGUMENT: ARGUMENT })));
        messages.push(Message::call(era, ARGUMENT, arguments));
        messages.push(Message::new(era, ARGUMENT, json!({ "a": ARGUMENT })));
    }
    messages
}

async fn broken(process: &GatewayProcess, token: &str) -> Answer {
    let body = format!("{{\"{ARGUMENT}");
    let request = process.client.request(reqwest::Method::POST, "/mcp").bearer_auth(token);
    let request = request.header("mcp-protocol-version", MODERN).header("accept", "*/*");
    let request = request.header("content-type", "application/json").body(body);
    Answer::read(request.send().await.unwrap()).await
}

/// What must not be found: whole parts of tokens, the subject, the argument, the header's scheme.
fn needles(tokens: &[String]) -> Vec<&str> {
    let parts = tokens.iter().flat_map(|token| token.split('.'));
    let parts = parts.filter(|part| part.len() > 8 && part.bytes().any(|byte| byte != b'A'));
    parts.chain([ARGUMENT, SUBJECT, "Bearer ey", "bearer ey"]).collect()
}
