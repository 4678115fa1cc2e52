//! Many unique secrets, each planted in another place, through the real binary; then every sink is searched for all of
//! them in every form. auth.md, section 8.
//!
//! [`requests`] and [`tokens`] are the tables of places. Each row says where its secret is to be found, mostly nowhere,
//! and the search must find it in exactly these sinks: so each run also shows that it would find a leak.

mod garden;
mod requests;
mod secret;
mod sinks;
mod tokens;
mod upstream;

use std::collections::BTreeSet;

use crds::gateway_config::LogLevel;
use serde_json::{Value, json};

use crate::support::client::PUBLIC_URL;
use crate::support::door::{phrase, reasons};
use crate::support::process::GatewayProcess;
use crate::support::{Era, GatewayOptions, Message};

use garden::Garden;
use secret::{Secret, unique, unique_half};
use sinks::{Sink, Sinks};

/// How many secrets are planted at least. Source: the product's issue on secrets.
const AT_LEAST: usize = 40;

/// Its name is public.
const ISSUER_IS_IN: [Sink; 4] = [Sink::Output, Sink::Metrics, Sink::Report, Sink::Files];

/// What is offered is no secret either.
const TOOL_IS_IN: [Sink; 5] = [Sink::Output, Sink::Spans, Sink::Metrics, Sink::OtherAnswers, Sink::Upstream];

#[tokio::test]
async fn no_sink_holds_a_secret_that_is_not_for_it() {
    let (garden, opened) = Garden::lay_out().await;
    let mut sinks = Sinks::default();
    let mut secrets = planted_beforehand(&garden);
    sinks.catch_answer(SESSION, &opened);
    secrets.push(Secret::new(SESSION, &garden.session).shown(&[Sink::OwnAnswer]));
    secrets.extend(plant_tokens(&garden, &mut sinks).await);
    secrets.extend(plant_requests(&garden, &mut sinks).await);
    secrets.extend(plant_cursor(&garden, &mut sinks).await);
    assert!(secrets.len() >= AT_LEAST, "only {} secrets", secrets.len());
    let different: BTreeSet<_> = secrets.iter().map(|secret| &secret.text).collect();
    assert_eq!(different.len(), secrets.len(), "a secret was planted twice");

    secrets.extend(plant_in_the_surroundings(&garden));
    harvest(garden, &mut sinks).await;
    let complaints = sinks.complaints(&secrets);
    assert!(complaints.is_empty(), "of {} secrets:\n{}", secrets.len(), complaints.join("\n"));
}

const SESSION: &str = "the id of a session";
const CURSOR: &str = "the cursor of a list";

/// In what is configured, and in what the upstream says.
fn planted_beforehand(garden: &Garden) -> Vec<Secret> {
    use upstream::places::{COOKIE, ERROR, ERROR_DATA, HEADER, KEY, NAME, SESSION, TOOL, UNREACHABLE};
    let secret = |place: &str, found_in: &[Sink]| Secret::new(place, unique(place)).shown(found_in);
    let mut secrets = vec![
        secret(garden::places::SEALING_KEY, &[]),
        secret(KEY, &[Sink::Upstream]),
        secret(NAME, &[Sink::Report]),
        secret(TOOL, &TOOL_IS_IN),
        secret(ERROR, &[]),
        secret(ERROR_DATA, &[]),
        secret(COOKIE, &[]),
        secret(HEADER, &[]),
        secret(SESSION, &[Sink::Upstream]),
        secret(UNREACHABLE, &[]),
    ];
    secrets.extend(parts("the good token", &garden.token));
    secrets
}

/// The parts of a token: each is as good as a name for the whole. None may be found.
fn parts(place: &str, token: &str) -> Vec<Secret> {
    let parts = token.split('.').enumerate().filter(|(_, part)| part.len() >= 32);
    // The header of most tokens is the same.
    let parts = parts.filter(|(position, _)| *position > 0 || place == "the good token");
    parts.map(|(position, part)| Secret::new(format!("{place}: part {position}"), part)).collect()
}

async fn plant_tokens(garden: &Garden, sinks: &mut Sinks) -> Vec<Secret> {
    let refused: BTreeSet<_> = tokens::rows().iter().filter_map(|row| row.reason).collect();
    // Two credentials are no matter of what is in them: a row of the requests.
    let all = reasons().filter(|reason| *reason != "several_credentials").collect();
    assert_eq!(refused, all, "one token for each reason to refuse one");
    let mut secrets = Vec::new();
    for row in tokens::rows() {
        let secret = Secret::new(row.place, unique(row.place)).shown(row.found_in);
        let token = (row.token)(garden.mint(), &secret.text);
        let answer = garden.send(&Garden::anonymous().bearing(&token)).await;
        match row.reason {
            None => {
                assert_eq!(answer.status, 200, "{}: {}", row.place, answer.text());
                // Whoever is let in may also reach what is behind.
                let forwarded = garden.send(&Garden::forwarded().bearing(&token)).await;
                assert_eq!(forwarded.status, 200, "{}: {}", row.place, forwarded.text());
                sinks.catch_answer(row.place, &forwarded);
            }
            Some(reason) => {
                assert_eq!(answer.status, 401, "{}: {}", row.place, answer.text());
                assert_eq!(answer.json()["error_description"], phrase(reason), "{}", row.place);
            }
        }
        sinks.catch_answer(row.place, &answer);
        secrets.extend(parts(row.place, &token).into_iter().filter(|part| part.text != secret.text));
        secrets.push(secret);
    }
    secrets
}

async fn plant_requests(garden: &Garden, sinks: &mut Sinks) -> Vec<Secret> {
    let (mut secrets, mut strays) = (Vec::new(), Vec::new());
    for row in requests::rows() {
        let text = if row.is_trace_id { unique_half(row.place) } else { unique(row.place) };
        let answer = garden.send(&(row.request)(garden, &text)).await;
        if answer.status != row.status {
            strays.push(format!("{}: {} {}", row.place, answer.status, answer.text()));
        }
        sinks.catch_answer(row.place, &answer);
        secrets.push(Secret::new(row.place, text).shown(row.found_in));
    }
    assert!(strays.is_empty(), "answered otherwise than meant:\n{}", strays.join("\n"));
    secrets
}

/// One that opens the next page.
async fn plant_cursor(garden: &Garden, sinks: &mut Sinks) -> Vec<Secret> {
    let first = garden.send(&garden.modern("tools/list", json!({}))).await;
    sinks.catch_answer(CURSOR, &first);
    let cursor = first.result()["nextCursor"].as_str().expect("more than one page").to_owned();
    let second = garden.send(&garden.modern("tools/list", json!({ "cursor": cursor }))).await;
    assert!(!second.result()["tools"].as_array().unwrap().is_empty());
    sinks.catch_answer("the second page", &second);
    vec![Secret::new(CURSOR, cursor).shown(&[Sink::OwnAnswer])]
}

/// What is surely in sinks that nothing of a request ever reaches: only to show that they are searched.
fn plant_in_the_surroundings(garden: &Garden) -> Vec<Secret> {
    let (process, file) = (&garden.process, unique("a file in the working directory"));
    std::fs::write(process.scratch().join("written"), &file).unwrap();
    vec![
        Secret::new("a file in the working directory", file).shown(&[Sink::Files]),
        // Also in the keys that the process keeps.
        Secret::new("the issuer", process.issuer.issuer_url()).shown(&ISSUER_IS_IN),
        Secret::new("the path of the policy", process.policy().to_str().unwrap()).shown(&[Sink::CommandLine]),
        Secret::new("the environment", format!("HOME={}", process.scratch().display())).shown(&[Sink::Environment]),
    ]
}

/// All that there is to be searched, to the end of the process.
async fn harvest(mut garden: Garden, sinks: &mut Sinks) {
    let pages = [
        (Sink::Metrics, "/metrics"),
        (Sink::Report, "/report"),
        (Sink::Readiness, "/readyz"),
        (Sink::Liveness, "/livez"),
    ];
    for (sink, page) in pages {
        sinks.catch(sink, garden.process.client.admin(page).await.body);
    }
    sinks.catch_process(&garden.process.proc());
    garden.process.terminate();
    let (status, output) = garden.process.ended().await;
    assert!(status.success(), "{output}");
    sinks.catch(Sink::Output, output);
    // The last spans leave before the process ends.
    sinks.catch(Sink::Spans, garden.collector.bytes());
    sinks.catch(Sink::Upstream, garden.upstream.received());
    sinks.catch_files(garden.process.scratch());
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
