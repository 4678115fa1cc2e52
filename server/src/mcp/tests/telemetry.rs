//! What the edge learns for span and metrics: before the run, and after it.

use super::{
    super::{CallOutcome, CallRecord, ErrorCode, MethodLabel, TraceContext},
    support::{Client, Request},
};
use crate::protocol::{Era, ProtocolVersion};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn with_meta(request: Request, members: &str) -> Request {
    request.edited(r#""_meta":{"#, &format!(r#""_meta":{{{members},"#))
}

#[test]
fn a_call_is_labelled_before_it_runs() {
    let request = Request::call(Era::Modern, "ping", "{}");
    let (record, _) = Client::new().parse_only(&request);
    assert_eq!(
        record,
        CallRecord {
            method: MethodLabel::ToolsCall,
            tool: Some("ping".into()),
            session: None,
            request_id: Some("1".into()),
            protocol_version: Some(ProtocolVersion::V2026_07_28),
            outcome: None,
        }
    );
}

#[test]
fn the_trace_of_the_caller_is_known_before_the_run() {
    let members = format!(r#""traceparent":"{TRACEPARENT}","tracestate":"a=b","baggage":"c=d""#);
    let request = with_meta(Request::call(Era::Modern, "ping", "{}"), &members);
    let (_, context) = Client::new().parse_only(&request);
    let expected = TraceContext {
        traceparent: Some(TRACEPARENT.into()),
        tracestate: Some("a=b".into()),
        baggage: Some("c=d".into()),
    };
    assert_eq!(context, expected);
}

#[test]
fn a_trace_that_is_no_text_or_too_long_is_dropped_and_the_request_served() {
    let members = format!(r#""traceparent":7,"baggage":"{}""#, "x".repeat(64 * 1024));
    let request = with_meta(Request::call(Era::Modern, "ping", "{}"), &members);
    let (_, context) = Client::new().parse_only(&request);
    assert_eq!(context, TraceContext::default());
    assert_eq!(Client::new().send(&request).status, 200);
}

#[test]
fn the_trace_is_known_in_the_older_era_too() {
    let params = format!(r#"{{"_meta":{{"traceparent":"{TRACEPARENT}"}}}}"#);
    let (_, context) = Client::new().parse_only(&Request::legacy("ping", &params));
    assert_eq!(context.traceparent.as_deref(), Some(TRACEPARENT));
}

#[test]
fn no_label_comes_from_what_was_typed() {
    let client = Client::new();
    let (record, _) = client.parse_only(&Request::legacy("tools/CALL", "{}"));
    assert_eq!(record.method, MethodLabel::Other);
    assert_eq!(record.method.as_str(), "_OTHER");
    let (record, _) = client.parse_only(&Request::call(Era::Legacy, "no_such", "{}"));
    assert_eq!(record.tool, None);
}

#[test]
fn an_id_in_a_record_is_bounded() {
    let id = format!(r#""id":"{}""#, "é".repeat(500));
    let request = Request::legacy("ping", "{}").edited(r#""id":1"#, &id);
    let (record, _) = Client::new().parse_only(&request);
    assert_eq!(record.request_id.as_deref(), Some("é".repeat(64).as_str()));
}

#[test]
fn the_outcome_says_how_it_ended() {
    let outcome = |request: &Request| Client::new().send(request).record.outcome.unwrap();
    let ping = Request::call(Era::Modern, "ping", "{}");
    assert_eq!(outcome(&ping), CallOutcome::Success);
    assert_eq!(outcome(&ping.clone().edited(r#""id":1,"#, "")), CallOutcome::Accepted);
    assert_eq!(outcome(&Request::call(Era::Modern, "echo", "{}")), CallOutcome::ToolError);
    let mismatch = outcome(&ping.without("mcp-name"));
    assert_eq!(mismatch, CallOutcome::Error(ErrorCode::HeaderMismatch));
    assert_eq!(mismatch.error_type(), Some("-32020"));
    let unknown = outcome(&Request::call(Era::Modern, "no_such", "{}"));
    assert_eq!((unknown.as_str(), unknown.error_type()), ("-32602", None));
}
