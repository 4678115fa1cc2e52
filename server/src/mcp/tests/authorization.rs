//! What a caller may not do, on the wire: hidden tools, missing scopes, broken tools.

use std::sync::atomic::Ordering;

use crds::gateway_config::{AuthMode, AuthorizationDefault, AuthorizationRule, PrincipalKind, Visibility};
use expect_test::expect;

use super::{
    super::{CallOutcome, Forbidden},
    support::{CORRELATION_ID, Client, Request, body, rule},
};
use crate::protocol::Era;

fn listed(client: &Client) -> Vec<String> {
    let reply = body(&client.send(&Request::modern("tools/list", "{}")));
    let tools = reply["result"]["tools"].as_array().unwrap().clone();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_missing_scope_is_answered_with_403_and_all_scopes() {
    let rules = vec![rule("counts", &["tools:ping", "a:b"])];
    let client = Client::with_rules(AuthMode::OAuth, rules);
    let request = Request::call(Era::Modern, "counts", "{}");
    client.check(request.clone(), expect![[r#"
        403
        content-type: application/json

        {"error":"insufficient_scope","error_description":"the tool needs these scopes: tools:ping a:b","correlation_id":"cid-1"}"#]]);
    let reply = client.send(&request);
    let needed = ["tools:ping", "a:b"].map(str::to_owned).into();
    assert_eq!(reply.forbidden, Some(Forbidden::MissingScopes(needed)));
    assert_eq!(reply.record.outcome, Some(CallOutcome::MissingScope));
}

#[test]
fn a_tool_whose_scope_is_missing_is_listed_but_does_not_run() {
    let client = Client::with_rules(AuthMode::OAuth, vec![rule("counts", &["a:b"])]);
    assert_eq!(listed(&client), ["ping", "echo", "health_check", "counts"]);
    for era in [Era::Modern, Era::Legacy] {
        assert_eq!(client.send(&Request::call(era, "counts", "{}")).status, 403);
    }
    assert_eq!(client.calls.load(Ordering::SeqCst), 0);
}

#[test]
fn a_missing_scope_is_told_before_bad_arguments() {
    let client = Client::new().with_scopes(&[]);
    assert_eq!(client.send(&Request::call(Era::Modern, "echo", r#"{"message":5}"#)).status, 403);
}

#[test]
fn the_built_ins_need_their_own_scopes() {
    let client = Client::new().with_scopes(&["tools:echo"]);
    let status =
        |tool: &str, arguments: &str| client.send(&Request::call(Era::Modern, tool, arguments)).status.as_u16();
    assert_eq!(status("ping", "{}"), 403);
    assert_eq!(status("echo", r#"{"message":""}"#), 200);
    assert_eq!(status("health_check", "{}"), 200);
}

#[test]
fn a_hidden_tool_is_an_unknown_tool_byte_for_byte() {
    let client = Client::with_rules(AuthMode::OAuth, Vec::new());
    assert_eq!(listed(&client), ["ping", "echo", "health_check"]);
    for era in [Era::Modern, Era::Legacy] {
        for arguments in ["{}", r#"{"x":1}"#] {
            let hidden = client.send(&Request::call(era, "counts", arguments));
            let unknown = client.send(&Request::call(era, "no_such", arguments));
            assert_eq!(hidden.status, unknown.status);
            assert_eq!(hidden.headers, unknown.headers);
            assert_eq!(hidden.body, unknown.body);
            assert_eq!(hidden.record.outcome, Some(CallOutcome::Hidden));
        }
    }
    assert_eq!(client.calls.load(Ordering::SeqCst), 0);
}

/// auth.md, `principal-kind`: stepping up would not help, so nothing asks the client to.
#[test]
fn a_tool_for_other_callers_is_listed_and_refused_without_a_challenge() {
    let only = |kind| AuthorizationRule { principal_kinds: vec![kind], ..rule("counts", &["a:b"]) };
    let client = Client::with_rules(AuthMode::OAuth, vec![only(PrincipalKind::Workload)]);
    assert_eq!(listed(&client), ["ping", "echo", "health_check", "counts"]);
    let request = Request::call(Era::Modern, "counts", "{}");
    client.check(request.clone(), expect![[r#"
        403
        content-type: application/json

        {"error":"access_denied","error_description":"the tool is not for this caller; no scope would change that","correlation_id":"cid-1"}"#]]);
    let reply = client.send(&request);
    assert_eq!(
        (reply.forbidden, reply.record.outcome),
        (Some(Forbidden::NotForCaller), Some(CallOutcome::NotForCaller))
    );
    let client = client.with_scopes(&["a:b"]);
    assert_eq!(client.send(&request).status, 403, "the scope alone is not enough");
    assert_eq!(client.calls.load(Ordering::SeqCst), 0);
    let client = Client::with_rules(AuthMode::OAuth, vec![only(PrincipalKind::Human)]).with_scopes(&["a:b"]);
    assert_eq!(client.send(&request).status, 200);
}

#[test]
fn a_rule_that_hides_makes_its_tools_unknown_to_whom_it_does_not_hold_for() {
    let hide = |change: AuthorizationRule| AuthorizationRule { visibility: Visibility::Hide, ..change };
    let groups = AuthorizationRule { groups: vec!["ops".to_owned()], ..rule("counts", &[]) };
    for rule in [hide(rule("counts", &["a:b"])), hide(groups)] {
        let client = Client::with_rules(AuthMode::OAuth, vec![rule]);
        assert_eq!(listed(&client), ["ping", "echo", "health_check"]);
        for era in [Era::Modern, Era::Legacy] {
            let hidden = client.send(&Request::call(era, "counts", "{}"));
            let unknown = client.send(&Request::call(era, "no_such", "{}"));
            assert_eq!(
                (hidden.status, &hidden.headers, &hidden.body),
                (unknown.status, &unknown.headers, &unknown.body)
            );
            assert_eq!(hidden.record.outcome, Some(CallOutcome::Hidden));
        }
        assert_eq!(client.calls.load(Ordering::SeqCst), 0);
    }
    let client = Client::with_rules(AuthMode::OAuth, vec![hide(rule("counts", &["a:b"]))]).with_scopes(&["a:b"]);
    assert!(listed(&client).contains(&"counts".to_owned()));
    assert_eq!(client.send(&Request::call(Era::Modern, "counts", "{}")).status, 200);
}

#[test]
fn without_authentication_nobody_is_anybody_in_particular() {
    let kind = AuthorizationRule { principal_kinds: vec![PrincipalKind::Human], ..rule("counts", &[]) };
    let client = Client::with_rules(AuthMode::None, vec![kind]).anonymous();
    assert_eq!(client.send(&Request::call(Era::Modern, "counts", "{}")).status, 403);
    assert_eq!(client.calls.load(Ordering::SeqCst), 0);
}

#[test]
fn without_authentication_nobody_is_asked_for_scopes() {
    let client = Client::with_rules(AuthMode::None, vec![rule("counts", &["a:b"])]).anonymous();
    assert_eq!(client.send(&Request::call(Era::Modern, "counts", "{}")).status, 200);
    let reply = body(&client.send(&Request::call(Era::Modern, "ping", "{}")));
    assert_eq!(reply["result"]["structuredContent"]["authenticated_user"], "anonymous");
}

#[test]
fn without_authentication_hidden_stays_hidden() {
    let client = Client::with_rules(AuthMode::None, Vec::new()).anonymous();
    assert_eq!(listed(&client), ["ping", "echo", "health_check"]);
}

#[test]
fn whoever_came_past_authentication_sees_nothing() {
    let client = Client::with_rules(AuthMode::OAuth, vec![rule("*", &[])]).anonymous();
    assert!(listed(&client).is_empty());
    let reply = client.send(&Request::call(Era::Modern, "health_check", "{}"));
    assert_eq!(body(&reply)["error"]["code"], -32602);
}

#[test]
fn a_tool_that_fails_is_a_result() {
    let client = Client::with_test_tools();
    client.check(Request::call(Era::Modern, "fails", "{}"), expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"no ink: fill it up"}],"isError":true,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"tools","version":"0.1.0"}}}}"#]]);
}

#[test]
fn a_panic_tells_the_correlation_id_and_nothing_else() {
    let client = Client::with_test_tools();
    let request = Request::call(Era::Modern, "panics", "{}");
    client.check(request.clone(), expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error: report data.correlation_id","data":{"correlation_id":"cid-1"}}}"#]]);
    assert_eq!(client.send(&request).status, 200);
}

#[test]
fn output_that_breaks_the_promise_is_not_sent() {
    let client = Client::with_test_tools();
    for tool in ["breaks_its_schema", "forgets_its_content"] {
        for era in [Era::Modern, Era::Legacy] {
            let reply = body(&client.send(&Request::call(era, tool, "{}")));
            assert_eq!(reply["error"]["code"], -32603, "{tool}");
            assert_eq!(reply["error"]["data"]["correlation_id"], CORRELATION_ID);
            assert!(!reply.to_string().contains("many"));
        }
    }
}

#[test]
fn a_tool_past_its_deadline_is_a_result_that_names_it() {
    let client = Client::with_test_tools();
    let request = Request::call(Era::Modern, "never_ends", "{}");
    client.check(request.clone(), expect![[r#"
        200
        content-type: application/json

        {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"the tool did not answer within 0 s and was stopped; try again later or ask for less"}],"isError":true,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"tools","version":"0.1.0"}}}}"#]]);
    assert_eq!(client.send(&request).record.outcome, Some(CallOutcome::Timeout));
}

#[test]
fn an_open_stream_tells_what_its_caller_may_know_at_that_moment() {
    use AuthorizationDefault::{Authenticated, Deny};
    let heard = Client::new().hears_of_prompts(&[Authenticated, Deny, Authenticated]);
    assert_eq!(heard, [true, false, true]);
}
