//! Both eras on one path: the era of one request never follows from another.

use super::support::{Client, Request, body};
use crate::protocol::Era;

#[test]
fn requests_of_both_eras_interleave() {
    let client = Client::new();
    let modern = Request::call(Era::Modern, "ping", "{}");
    let legacy = Request::call(Era::Legacy, "ping", "{}");
    let (first_modern, first_legacy) = (client.send(&modern).body, client.send(&legacy).body);
    assert_ne!(first_modern, first_legacy);
    for _ in 0..3 {
        assert_eq!(client.send(&modern).body, first_modern);
        assert_eq!(client.send(&legacy).body, first_legacy);
    }
}

#[test]
fn both_eras_get_the_same_content() {
    let client = Client::new();
    let modern = body(&client.send(&Request::call(Era::Modern, "echo", r#"{"message":"x"}"#)));
    let legacy = body(&client.send(&Request::call(Era::Legacy, "echo", r#"{"message":"x"}"#)));
    for member in ["content", "structuredContent", "isError"] {
        assert_eq!(modern["result"][member], legacy["result"][member], "{member}");
    }
}

#[test]
fn both_eras_list_the_same_tools() {
    let client = Client::with_test_tools();
    let modern = body(&client.send(&Request::modern("tools/list", "{}")));
    let legacy = body(&client.send(&Request::legacy("tools/list", "{}")));
    assert_eq!(modern["result"]["tools"], legacy["result"]["tools"]);
}

#[test]
fn the_meta_of_a_request_decides_before_its_header() {
    let request = Request::modern("ping", "{}").set("mcp-protocol-version", "2025-11-25");
    assert_eq!(body(&Client::new().send(&request))["error"]["code"], -32020);
}

#[test]
fn equal_ids_of_two_clients_do_not_meet() {
    let client = Client::new();
    for text in ["one", "two"] {
        let arguments = format!(r#"{{"message":"{text}"}}"#);
        let reply = body(&client.send(&Request::call(Era::Modern, "echo", &arguments)));
        assert_eq!(reply["result"]["structuredContent"]["message"], text);
    }
}
