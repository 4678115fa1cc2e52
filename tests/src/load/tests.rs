//! The load against a server that misbehaves to order: what it counts, and as what.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use serde_json::{Value, json};

use super::*;
use crate::command::wait_until;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a server does with a request, which has this number on its connection. Nothing: it closes the connection.
trait Behaviour: Fn(usize, &Value) -> Option<String> + Send + Sync + 'static {}

impl<F: Fn(usize, &Value) -> Option<String> + Send + Sync + 'static> Behaviour for F {}

/// A server on loopback until the process ends.
fn server(behaviour: impl Behaviour) -> Door {
    let (listener, behaviour) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(behaviour));
    let door = Door::plain(listener.local_addr().unwrap());
    thread::spawn(move || {
        for connection in listener.incoming() {
            let behaviour = Arc::clone(&behaviour);
            thread::spawn(move || serve(connection.unwrap(), &*behaviour));
        }
    });
    door
}

fn serve(mut connection: TcpStream, behaviour: &impl Behaviour) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    for number in 0.. {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let Some(answer) = behaviour(number, &serde_json::from_slice(&body).unwrap()) else { return };
        connection.write_all(answer.as_bytes()).unwrap();
    }
}

fn json_answer(status: &str, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

fn echo(request: &Value) -> Value {
    let text = json!({ "message": request["params"]["arguments"]["message"] }).to_string();
    json!({ "id": request["id"], "result": { "content": [{ "type": "text", "text": text }] } })
}

/// One client's load on `door` until `enough`.
fn load(door: Door, streams: usize, persistence: Duration, enough: impl Fn(&Report) -> bool) -> Report {
    let url = "http://gateway.test/mcp".parse().unwrap();
    let plan = Plan {
        door,
        reuse_connections: true,
        url,
        tokens: vec!["secret".to_owned()],
        calls_per_second: 200,
        streams,
        streams_of_sessions: false,
        persistence,
    };
    let load = Load::start(plan, || Ok(())).unwrap();
    wait_until("enough was seen", PATIENCE, || {
        let report = load.report();
        if enough(&report) { Ok(()) } else { Err(report.to_string()) }
    })
    .unwrap();
    load.finish().unwrap()
}

fn calls(behaviour: impl Behaviour, enough: impl Fn(&Report) -> bool) -> Report {
    load(server(behaviour), 0, Duration::ZERO, enough)
}

#[test]
fn answers_of_their_own_are_counted_and_their_time_is_taken() {
    let report = calls(|_, request| Some(json_answer("200 OK", "", &echo(request))), |report| report.answered >= 10);
    assert_eq!((report.failed(), report.unanswered, report.found_closed), (0, 0, 0), "{report}");
    assert!(report.latency(0.5) > Duration::ZERO && report.latency(1.0) >= report.latency(0.5), "{report}");
}

#[test]
fn another_payload_another_id_an_error_and_another_status_are_failures() {
    let behaviour = |_: usize, request: &Value| {
        let (id, mut answer) = (request["id"].as_u64().unwrap(), echo(request));
        let status = if id % 5 == 4 { "503 Service Unavailable" } else { "200 OK" };
        match id % 5 {
            0 => answer["id"] = json!(id + 1),
            1 => answer = echo(&json!({ "id": id, "params": { "arguments": { "message": "another's" } } })),
            2 => answer = json!({ "id": id, "error": { "code": -32603, "message": "no" } }),
            _ => {}
        }
        Some(json_answer(status, "", &answer))
    };
    let report = calls(behaviour, |report| report.failed() >= 8);
    for kind in [Kind::WrongAnswer, Kind::Error, Kind::Unavailable] {
        assert!(report.failed[&kind] > 0, "{kind:?}: {report}");
    }
    assert!(report.answered > 0 && !report.failed.contains_key(&Kind::Closed), "{report}");
    assert!(report.failures.iter().any(|failure| failure.words.contains("another's")), "{report}");
}

/// Who does not know that a call may be repeated has lost it.
#[test]
fn a_call_on_an_idle_connection_that_was_closed_under_it_is_sent_again_and_counted() {
    let behaviour = |number: usize, request: &Value| (number == 0).then(|| json_answer("200 OK", "", &echo(request)));
    let report = calls(behaviour, |report| report.unanswered + report.found_closed >= 10);
    assert_eq!(report.failed(), 0, "{report}");
}

#[test]
fn a_call_that_gets_no_answer_on_a_new_connection_has_failed() {
    let report = calls(|_, _| None, |report| report.failed() >= 5);
    assert_eq!((report.answered, report.unanswered), (0, 0), "{report}");
    assert!(report.failed.keys().all(|kind| matches!(kind, Kind::Closed | Kind::Reset)), "{report}");
}

#[test]
fn a_connection_that_was_said_to_close_is_replaced_without_a_word() {
    let behaviour = |_: usize, request: &Value| Some(json_answer("200 OK", "connection: close\r\n", &echo(request)));
    let report = calls(behaviour, |report| report.told_to_close >= 10);
    assert_eq!((report.failed(), report.unanswered, report.found_closed), (0, 0, 0), "{report}");
}

#[test]
fn persistence_tries_again_where_no_server_said_anything_and_not_for_ever() {
    let asked = AtomicUsize::new(0);
    let door = server(move |_, request| {
        let is_served = asked.fetch_add(1, Ordering::Relaxed) >= 5;
        is_served.then(|| json_answer("200 OK", "", &echo(request)))
    });
    let report = load(door, 0, PATIENCE, |report| report.persisted >= 1);
    assert!(report.failed() == 0 && !report.tried_again.is_empty(), "{report}");
    let nobody = Door::plain(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let report = load(nobody, 0, Duration::from_millis(150), |report| report.failed() >= 1);
    assert!(report.tried_again[&Kind::Refused] > 0 && report.failed.contains_key(&Kind::Refused), "{report}");
}

/// A whole stream: acknowledged, then `last`, then the end.
fn stream(last: &Value) -> String {
    let mut text =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for message in [&json!({ "method": "notifications/subscriptions/acknowledged" }), last] {
        let event = format!("data: {message}\n\n");
        let _ = write!(text, "{:x}\r\n{event}\r\n", event.len());
    }
    text + "0\r\n\r\n"
}

#[test]
fn a_stream_ends_with_its_own_result_or_it_is_broken() {
    let last_is = |last: fn(&Value) -> Value| {
        server(move |_, request| {
            let is_call = request["method"] == "tools/call";
            Some(if is_call { json_answer("200 OK", "", &echo(request)) } else { stream(&last(request)) })
        })
    };
    let own = last_is(|request| json!({ "id": request["id"], "result": { "resultType": "complete" } }));
    let report = load(own, 1, Duration::ZERO, |report| report.streams_ended >= 3);
    assert_eq!((report.streams_broken, report.failed()), (0, 0), "{report}");
    let foreign = last_is(|_| json!({ "id": 0, "result": { "resultType": "complete" } }));
    let unfinished = last_is(|_| json!({ "method": "notifications/tools/list_changed" }));
    for door in [foreign, unfinished] {
        let report = load(door, 1, Duration::ZERO, |report| report.streams_broken >= 3);
        assert_eq!(report.streams_ended, 0, "{report}");
    }
}
