//! What clients carry and say is not shown by `Debug`.

use bytes::Bytes;

use super::super::{
    envelope::{Body, ClientAnswer, Envelope, Message},
    era::Way,
    input::Retry,
    operation::Operation,
    params::{Meta, Params},
    parsed::{Parsed, Request, Step},
    stream_log::{Retention, StreamLog},
};
use crate::testing::debug::has_no_debug;

#[test]
fn the_id_of_a_session_is_not_shown() {
    assert_eq!(format!("{:?}", Way::Session("canary")), "Session");
}

#[test]
fn events_are_not_shown() {
    let log = StreamLog::new(Retention { read_events: 8, bytes: 1024 });
    log.append(Bytes::from_static(b"canary"));
    let shown = format!("{log:?}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn messages_cannot_be_shown_at_all() {
    has_no_debug!(Body<'_>, ClientAnswer<'_>, Envelope<'_>, Message<'_>, Meta<'_>, Operation<'_>, Params<'_>);
    has_no_debug!(Parsed<'_>, Request<'_>, Retry<'_>, Step<'_>);
}
