use http::HeaderValue;

use super::*;

fn headers(name: &HeaderName, values: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

#[test]
fn a_single_value_is_one_line_of_ascii() {
    let read = |values: &[&[u8]]| {
        let headers = headers(&names::NAME, values);
        match single(&headers, &names::NAME) {
            Single::Absent => "absent".to_owned(),
            Single::Malformed => "malformed".to_owned(),
            Single::Value(value) => format!("<{value}>"),
        }
    };
    assert_eq!(read(&[]), "absent");
    assert_eq!(read(&[b""]), "<>");
    assert_eq!(read(&[b" \ta b\t "]), "<a b>");
    assert_eq!(read(&[b"a", b"a"]), "malformed");
    assert_eq!(read(&["é".as_bytes()]), "malformed");
}

#[test]
fn only_both_exact_markers_wrap() {
    for literal in ["ping", "=?base64?", "=?base64?=", "?=", "=?BASE64?cGluZw==?=", "=?base64?cGluZw=="] {
        assert_eq!(unwrapped(literal).as_deref(), Some(literal), "{literal}");
    }
    assert_eq!(unwrapped("=?base64?cGluZw==?=").as_deref(), Some("ping"));
    assert_eq!(unwrapped("=?base64?w6k=?=").as_deref(), Some("é"));
    assert_eq!(unwrapped("=?base64??=").as_deref(), Some(""));
}

#[test]
fn what_is_wrapped_badly_is_no_value() {
    // No padding, a foreign character, white space, the URL alphabet, left-over bits, no UTF-8.
    for bad in ["cGluZw", "cGl*Zw==", " cGluZw==", "__8=", "cGluZx==", "/w=="] {
        assert_eq!(unwrapped(&format!("=?base64?{bad}?=")), None, "{bad}");
    }
}

#[test]
fn json_is_utf_8_or_says_nothing_about_it() {
    let is = |value: &str| is_json(&headers(&header::CONTENT_TYPE, &[value.as_bytes()]));
    for accepted in [
        "application/json",
        "APPLICATION/JSON ; Charset=UTF-8",
        "application/json;charset=\"utf-8\"",
        "application/json;",
    ] {
        assert!(is(accepted), "{accepted}");
    }
    for refused in
        ["", "text/json", "application/json-rpc", "application/json; charset=latin1", "application/json; charset"]
    {
        assert!(!is(refused), "{refused}");
    }
}

#[test]
fn accept_reads_all_lines_and_ranges() {
    let of = |lines: &[&[u8]]| {
        let accept = accept(&headers(&header::ACCEPT, lines));
        (accept.json, accept.event_stream)
    };
    assert_eq!(of(&[]), (false, false));
    assert_eq!(of(&[b"text/event-stream", b"application/json"]), (true, true));
    assert_eq!(of(&[b"*/*"]), (true, true));
    assert_eq!(of(&[b"application/*;q=0.1"]), (true, false));
    assert_eq!(of(&[b"application/json; q=0.000, text/event-stream;q=1"]), (false, true));
    assert_eq!(of(&[b"application/jsonx"]), (false, false));
    assert_eq!(of(&[b"*/*, application/json;q=0"]), (false, true));
    assert_eq!(of(&[b"application/json;q=0, */*"]), (false, true));
    assert_eq!(of(&[b"*/*;q=0, application/json"]), (true, false));
}

#[test]
fn of_two_media_types_the_one_that_is_named_first_is_preferred() {
    let first = |lines: &[&[u8]]| names_stream_first(&headers(&header::ACCEPT, lines));
    assert!(first(&[b"text/event-stream, application/json"]));
    assert!(first(&[b"*/*, Text/Event-Stream;q=0.5", b"application/json"]));
    assert!(!first(&[b"application/json, text/event-stream"]));
    assert!(!first(&[b"application/json", b"text/event-stream"]));
    assert!(!first(&[b"*/*"]) && !first(&[]));
}
