use proptest::prelude::*;

use super::*;

fn event(kind: &str, data: &str) -> Event {
    Event { kind: kind.to_owned(), data: data.to_owned() }
}

/// All events of a stream that comes in these pieces.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, SseError> {
    let mut parser = Parser::new(1024);
    let events: Result<Vec<_>, _> = pieces.into_iter().map(|piece| parser.push(piece)).collect();
    events.map(|events| events.concat())
}

/// The stream whole, and one byte at a time.
fn check(stream: &str, expected: &[Event]) {
    assert_eq!(read([stream.as_bytes()]).unwrap(), expected, "{stream:?}");
    assert_eq!(read(stream.as_bytes().chunks(1)).unwrap(), expected, "{stream:?}, one byte at a time");
}

#[test]
fn lines_end_with_any_of_the_three() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = format!("data: a{end}data: b{end}{end}event: x{end}data:c{end}{end}");
        check(&stream, &[event("", "a\nb"), event("x", "c")]);
    }
    check("data: a\r\ndata: b\n\r\n", &[event("", "a\nb")]);
}

#[test]
fn one_space_is_cut_off_and_the_rest_is_data() {
    check("data:  a : b \n\n", &[event("", " a : b ")]);
    check("data\n\n", &[event("", "")]);
    check("data:\ndata\n\n", &[event("", "\n")]);
}

#[test]
fn comments_unknown_fields_and_a_mark_of_byte_order_are_dropped() {
    check("\u{feff}: hello\n\ndata: a\nfoo: b\nDATA: c\n:\n\n", &[event("", "a")]);
    check("data: \u{feff}a\n\n", &[event("", "\u{feff}a")]);
}

#[test]
fn an_event_without_data_is_none_and_leaves_no_kind_behind() {
    check("event: x\n\ndata: a\n\n", &[event("", "a")]);
}

#[test]
fn what_is_incomplete_at_the_end_is_no_event() {
    check("data: a\n\ndata: b\n", &[event("", "a")]);
    check("data: a", &[]);
}

#[test]
fn position_and_wait_are_kept() {
    let mut parser = Parser::new(1024);
    parser.push(b"id: 7\nretry: 250\ndata:\n\nid: a\0b\nretry: soon\n\n").unwrap();
    assert_eq!((parser.last_id(), parser.retry()), (Some("7"), Some(Duration::from_millis(250))));
}

#[test]
fn a_line_and_its_event_have_a_bound_together() {
    let line = |length: usize| format!("data:{}\n", "x".repeat(length - 5));
    assert!(read([line(1024).as_bytes()]).is_ok());
    assert_eq!(read([line(1025).as_bytes()]), Err(SseError::TooLarge));
    assert_eq!(read([b":"; 1025].map(|byte| &byte[..])), Err(SseError::TooLarge), "comments too, piece by piece");
    assert_eq!(read(vec![&b"data:0123456789\n"[..]; 100]), Err(SseError::TooLarge), "many lines of one event");
    assert!(read(vec![&b"data:0123456789\n\n"[..]; 800]).is_ok(), "many events");
}

#[test]
fn what_is_no_utf_8_is_an_error() {
    assert_eq!(read([&b"data: \xff\n"[..]]), Err(SseError::Encoding));
}

proptest! {
    #[test]
    fn it_does_not_matter_how_a_stream_is_cut(
        stream in "(data|event|id|:|x|\u{e4})?(:)?( )?[a\u{e4}]{0,3}(\n|\r|\r\n|\n\n)?(data: b(\n|\r\n)){0,2}(\n)?.{0,40}",
        cuts in prop::collection::vec(1_usize..7, 0..30),
    ) {
        let bytes = stream.as_bytes();
        let mut pieces = Vec::new();
        let mut rest = bytes;
        for cut in cuts {
            let (piece, later) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = later;
        }
        pieces.push(rest);
        prop_assert_eq!(read(pieces), read([bytes]));
    }

    #[test]
    fn lines_that_are_written_are_read_again(data in prop::collection::vec("[^\r\n]{0,20}", 1..6)) {
        let stream = format!("data: {}\r\n\r\n", data.join("\r\ndata: "));
        prop_assert_eq!(read([stream.as_bytes()]).unwrap(), [event("", &data.join("\n"))]);
    }
}
