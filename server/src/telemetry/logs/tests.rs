//! The lines that come out, byte for byte.

use std::{
    io::{self, Write},
    sync::Mutex,
    time::Instant,
};

use expect_test::{Expect, expect};
use jiff::Timestamp;
use opentelemetry::trace::{SpanId, TraceId};
use serde_json::Value;
use tracing::{info, warn};

use super::*;
use crate::{
    router::public,
    testing::{TestApp, request as request_to, send},
};

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::constant(1_800_000_000, 123_000_000)
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "`expect!` makes values")]
fn check(write: impl FnOnce(), expected: Expect) {
    let lines = Lines::default();
    let (queue, writer) = LogWriter::start(lines.clone());
    let subscriber = subscriber(LogLevel::Info, "team-a/tools".to_owned(), queue, Arc::new(Fixed));
    tracing::subscriber::with_default(subscriber, write);
    drop(writer);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for line in text.lines() {
        serde_json::from_str::<Value>(line).expect("each line is a JSON document");
    }
    expected.assert_eq(&text);
}

fn request() -> RequestIds {
    let span = SpanIds { trace_id: TraceId::from(0x0102_0304), span_id: SpanId::from(0xabcd) };
    RequestIds { correlation_id: "c-1".into(), span }
}

#[test]
fn a_line_has_the_closed_set_in_a_fixed_order() {
    check(
        || {
            REQUEST.sync_scope(request(), || {
                info!(
                    span_id = "mcp",
                    duration_ms = 1.5,
                    outcome = "success",
                    client_id = "app",
                    iss = "https://login.example.com",
                    sub = "0123",
                    tool = "ping",
                    "POST /mcp"
                );
                warn!("another line of the request");
            });
        },
        expect![[r#"
            {"ts":"2027-01-15T08:00:00.123Z","level":"INFO","target":"server::telemetry::logs::tests","msg":"POST /mcp","correlation_id":"c-1","trace_id":"00000000000000000000000001020304","span_id":"mcp","server":"team-a/tools","tool":"ping","sub":"0123","iss":"https://login.example.com","client_id":"app","outcome":"success","duration_ms":1.5}
            {"ts":"2027-01-15T08:00:00.123Z","level":"WARN","target":"server::telemetry::logs::tests","msg":"another line of the request","correlation_id":"c-1","trace_id":"00000000000000000000000001020304","span_id":"000000000000abcd","server":"team-a/tools"}
        "#]],
    );
}

#[test]
fn a_field_of_another_name_becomes_part_of_the_message() {
    check(
        || warn!(issuer = "https://a", kind = "x", count = 3, "no new keys from https://a"),
        expect![[r#"
            {"ts":"2027-01-15T08:00:00.123Z","level":"WARN","target":"server::telemetry::logs::tests","msg":"no new keys from https://a kind=\"x\" count=3","server":"team-a/tools"}
        "#]],
    );
}

#[test]
fn a_line_break_in_a_value_breaks_no_line() {
    check(
        || info!(outcome = "a\nb", "one\r\ntwo"),
        expect![[r#"
            {"ts":"2027-01-15T08:00:00.123Z","level":"INFO","target":"server::telemetry::logs::tests","msg":"one\r\ntwo","server":"team-a/tools","outcome":"a\nb"}
        "#]],
    );
}

#[test]
fn other_crates_only_warn_and_nothing_below_the_level_is_written() {
    check(
        || {
            tracing::info!(target: "hyper::proto", "what it carries");
            tracing::debug!("what was decided");
        },
        expect![[""]],
    );
}

#[tokio::test]
async fn a_call_is_one_line_with_the_ids_of_its_answer() {
    let TestApp { app, token } = TestApp::new();
    let lines = Lines::default();
    let (queue, writer) = LogWriter::start(lines.clone());
    let subscriber = subscriber(LogLevel::Info, "team-a/tools".to_owned(), queue, Arc::new(Fixed));
    let logging = tracing::subscriber::set_default(subscriber);
    let mut call = request_to("POST", "/mcp");
    call.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let answer = send(public(app), call).await;
    drop(logging);
    drop(writer);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let line: Value = serde_json::from_str(&text).expect("exactly one line");
    assert_eq!(line["msg"], "POST /mcp _OTHER -> 415");
    assert_eq!(line["correlation_id"], answer.headers["x-correlation-id"].to_str().unwrap());
    assert_eq!((line["sub"].as_str().unwrap().len(), &line["outcome"]), (16, &"-32600".into()));
}
