//! The matrix of auth.md, authorization: who may call what, and what the others are told.

use crds::gateway_config::{
    AuthorizationDefault, AuthorizationPolicy, AuthorizationRule, GatewayPolicy, PrincipalKind, PrincipalRef,
    ScopeImplication, Visibility,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::door::Door;
use crate::support::{Era, GatewayOptions};

/// A gateway whose tool `ping` has this rule alone.
async fn under(rule: AuthorizationRule) -> Door {
    Door::under(policy(vec![rule])).await
}

fn policy(rules: Vec<AuthorizationRule>) -> GatewayPolicy {
    GatewayPolicy::of(AuthorizationPolicy::new(AuthorizationDefault::Deny, rules))
}

fn rule(change: impl FnOnce(&mut AuthorizationRule)) -> AuthorizationRule {
    let mut rule = AuthorizationRule::scopes(["ping"], ["tools:ping"]);
    change(&mut rule);
    rule
}

/// 403 without a challenge: no scope would help. Nothing ran.
async fn turns_away(door: &Door, token: &str) {
    for era in Era::BOTH {
        let answer = door.ping(era, token).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
        assert_eq!(answer.json()["error"], "access_denied");
        assert!(answer.header("www-authenticate").is_none(), "a client would ask for scopes for ever");
    }
    assert_eq!(door.gateway.calls_run().await, 0, "a tool ran");
}

/// Answered as a tool that does not exist is, and not listed.
async fn knows_nothing_of_it(door: &Door, token: &str) {
    for era in Era::BOTH {
        let call = async |tool: &str| door.gateway.client.call(era, tool, json!({}), token).await;
        let (hidden, unknown) = (call("ping").await, call("no_such").await);
        assert_eq!((hidden.status, without_id(&hidden.json())), (unknown.status, without_id(&unknown.json())));
        let list = door.gateway.client.ask(era, "tools/list", json!({}), token).await.result();
        let names = list["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap());
        assert!(!names.collect::<Vec<_>>().contains(&"ping"), "{list}");
    }
    assert_eq!(door.gateway.calls_run().await, 0, "a tool ran");
}

/// What differs between any two answers.
fn without_id(answer: &Value) -> Value {
    let mut answer = answer.clone();
    answer["id"] = Value::Null;
    if let Some(data) = answer["error"]["data"].as_object_mut() {
        data.remove("correlation_id");
    }
    let message = answer["error"]["message"].as_str().unwrap_or_default().replace("no_such", "ping");
    answer["error"]["message"] = message.into();
    answer
}

#[tokio::test]
async fn a_scope_missing() {
    let door = Door::new().await;
    door.asks_for(&door.token(&json!({ "scope": "tools:echo" })), "tools:ping").await;
    door.asks_for(&door.token(&json!({ "scope": null })), "tools:ping").await;
    door.asks_for(&door.token(&json!({ "scope": "tools:pin tools:pingx TOOLS:PING" })), "tools:ping").await;
}

#[tokio::test]
async fn a_scope_that_only_permissions_have() {
    let door = Door::new().await;
    let both = json!({ "scope": "tools:echo", "permissions": ["tools:ping"], "roles": ["tools:ping"] });
    door.asks_for(&door.token(&both), "tools:ping").await;
}

#[tokio::test]
async fn one_of_several_scopes_missing_asks_for_all() {
    let door = under(AuthorizationRule::scopes(["ping"], ["a:b", "tools:ping"])).await;
    door.asks_for(&door.token(&json!({ "scope": "tools:ping" })), "a:b tools:ping").await;
    let answer = door.ping(Era::Modern, &door.token(&json!({ "scope": "tools:ping a:b" }))).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_scope_that_implies_the_needed_one() {
    let implication = ScopeImplication { scope: "tools:generate".to_owned(), implies: vec!["tools:ping".to_owned()] };
    let authorization = AuthorizationPolicy {
        scope_implications: vec![implication],
        ..AuthorizationPolicy::new(AuthorizationDefault::Authenticated, Vec::new())
    };
    let door = Door::under(GatewayPolicy::of(authorization)).await;
    door.asks_for(&door.token(&json!({ "scope": "tools:*" })), "tools:ping").await;
    door.admits(&door.token(&json!({ "scope": "tools:generate" }))).await;
}

#[tokio::test]
async fn a_workload_at_a_tool_for_humans() {
    let door = under(rule(|rule| rule.principal_kinds = vec![PrincipalKind::Human])).await;
    turns_away(&door, &door.token(&json!({ "sub": "robot", "client_id": "robot" }))).await;
    door.admits(&door.token(&json!({ "sub": "alice", "client_id": "robot" }))).await;
}

#[tokio::test]
async fn a_human_at_a_tool_for_workloads() {
    let door = under(rule(|rule| rule.principal_kinds = vec![PrincipalKind::Workload])).await;
    turns_away(&door, &door.token(&json!({}))).await;
    door.admits(&door.token(&json!({ "sub": "robot", "client_id": "robot" }))).await;
}

#[tokio::test]
async fn somebody_outside_of_the_group() {
    let door = under(rule(|rule| rule.groups = vec!["ops".to_owned()])).await;
    turns_away(&door, &door.token(&json!({}))).await;
    turns_away(&door, &door.token(&json!({ "groups": ["op", "OPS", "ops2"] }))).await;
    door.admits(&door.token(&json!({ "groups": ["dev", "ops"] }))).await;
}

#[tokio::test]
async fn somebody_of_another_tenant() {
    let door = Door::with_options(GatewayOptions {
        policy: policy(vec![rule(|rule| rule.tenants = vec!["acme".to_owned()])]),
        issuers: Box::new(|issuers| issuers[0].tokens.tenant_claims = vec!["org_id".to_owned()]),
        ..GatewayOptions::default()
    })
    .await;
    turns_away(&door, &door.token(&json!({}))).await;
    turns_away(&door, &door.token(&json!({ "org_id": "umbrella" }))).await;
    door.admits(&door.token(&json!({ "org_id": "acme" }))).await;
}

/// Issuer and subject are one identity together.
#[tokio::test]
async fn somebody_who_is_not_named() {
    let other = PrincipalRef { issuer: "https://other.example.com".to_owned(), subject: "user-1".to_owned() };
    let door = under(rule(|rule| rule.principals = vec![other])).await;
    turns_away(&door, &door.token(&json!({}))).await;
}

#[tokio::test]
async fn a_hidden_tool_whose_scope_is_missing() {
    let door = under(rule(|rule| rule.visibility = Visibility::Hide)).await;
    knows_nothing_of_it(&door, &door.token(&json!({ "scope": "tools:echo" }))).await;
    door.admits(&door.token(&json!({}))).await;
}

#[tokio::test]
async fn a_hidden_tool_for_others() {
    let door = under(rule(|rule| {
        rule.visibility = Visibility::Hide;
        rule.groups = vec!["ops".to_owned()];
    }))
    .await;
    knows_nothing_of_it(&door, &door.token(&json!({}))).await;
    door.admits(&door.token(&json!({ "groups": "ops" }))).await;
}

/// What is hidden is not announced either: neither in the challenge nor in the metadata.
#[tokio::test]
async fn the_scopes_of_a_hidden_tool_are_not_advertised() {
    let hidden =
        AuthorizationRule { visibility: Visibility::Hide, ..AuthorizationRule::scopes(["ping"], ["secret:one"]) };
    let door = under(hidden).await;
    let metadata = door.gateway.client.get("/.well-known/oauth-protected-resource/mcp", None).await.json();
    assert_eq!(metadata["scopes_supported"], json!(["tools:echo"]));
    let answer = door.gateway.client.send(&crate::support::door::ping(), None).await;
    assert!(!answer.header("www-authenticate").unwrap().contains("secret"));
}

#[tokio::test]
async fn mapped_groups_open_what_their_scope_opens() {
    use crds::gateway_config::{ClaimCondition, ClaimTest, ScopeMapping};
    let door = Door::with(|issuer| {
        issuer.tokens.scope_claims = Vec::new();
        let when = ClaimCondition { claim_path: "groups".to_owned(), test: ClaimTest::Prefix("mcp-".to_owned()) };
        issuer.tokens.scope_mappings = vec![ScopeMapping { when, grant_scopes: vec!["tools:ping".to_owned()] }];
    })
    .await;
    // The claim `scope` is there and says yes, but nobody reads it.
    door.asks_for(&door.token(&json!({ "groups": ["dev"] })), "tools:ping").await;
    door.admits(&door.token(&json!({ "groups": ["dev", "mcp-users"] }))).await;
}

/// A stream does not outlive the token that opened it.
#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let door = Door::with(|issuer| issuer.tokens.leeway_seconds = 0).await;
    // Of its hour ten seconds are left: enough to open the stream on a busy machine.
    let short = door.token(&json!({}));
    door.clock.forward(3590);
    let message = crate::support::world::listen(json!("watch"), json!({ "toolsListChanged": true }));
    let mut stream = door.gateway.client.stream(&message, &short).await;
    assert_eq!(stream.message().await["method"], "notifications/subscriptions/acknowledged");
    let end = stream.message().await;
    assert_eq!(end["id"], "watch", "the result, which ends the stream: {end}");
    assert_eq!(door.ping(Era::Modern, &short).await.status, StatusCode::UNAUTHORIZED);
}
