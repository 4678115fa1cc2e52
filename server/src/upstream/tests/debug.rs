//! What is between us and an upstream is not shown by `Debug`.

use super::{
    super::{
        request::{Outgoing, ToolCall},
        transport::Transport,
    },
    fake::Reply,
    support::{ECHO, HELLO, Running, legacy},
};
use crate::testing::debug::has_no_debug;

#[tokio::test]
async fn the_session_at_an_upstream_is_not_shown() {
    let running = Running::start(legacy("2025-11-25", ECHO, |received| Reply::result(received, HELLO))).await;
    let standing = running.upstream.standing.borrow().clone();
    let peer = standing.peer.as_deref().unwrap();
    assert_eq!(peer.session.as_ref().unwrap(), "s-1");
    for shown in
        [format!("{standing:?}"), format!("{:?}", peer.post_headers()), format!("{:?}", peer.session_headers())]
    {
        assert!(shown.contains("Sensitive") && !shown.contains("s-1"), "{shown}");
    }
}

#[test]
fn requests_cannot_be_shown_at_all() {
    has_no_debug!(Outgoing, ToolCall<'_>, Transport);
}
