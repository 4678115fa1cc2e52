//! Policy reloads in place: a tightened rule takes effect without a restart, a broken file never does.

use crds::gateway_config::{AuthorizationDefault, GatewayPolicy, Versioned as _};
use crds::revision::revision;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::client::PUBLIC_URL;
use crate::support::files::policy;
use crate::support::{Era, GatewayOptions, SpawnedGateway, eventually, spawn_gateway};

#[tokio::test]
async fn a_tightened_rule_takes_effect_without_a_restart() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let token = gateway.issuer.token(&["tools:ping"], PUBLIC_URL);
    assert_eq!(ping(&gateway, &token).await, StatusCode::OK);

    let tightened = policy(&[(&["p*"], &["tools:ping", "ops:admin"])]).to_json();
    gateway.files.replace_policy(&tightened);
    until_in_force(&gateway, &tightened).await;
    let answer = gateway.client.call(Era::Modern, "ping", json!({}), &token).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let challenge = answer.header("www-authenticate").unwrap();
    // All scopes that the operation needs, not only the one that is missing.
    assert!(
        challenge.contains(r#"scope="tools:ping ops:admin""#) || challenge.contains(r#"scope="ops:admin tools:ping""#),
        "{challenge}"
    );
    let wider = gateway.issuer.token(&["tools:ping", "ops:admin"], PUBLIC_URL);
    assert_eq!(ping(&gateway, &wider).await, StatusCode::OK);

    let metadata = gateway.client.get("/.well-known/oauth-protected-resource/mcp", None).await;
    let scopes = &metadata.json()["scopes_supported"];
    assert_eq!(*scopes, json!(["ops:admin", "tools:echo", "tools:ping"]));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_keeps_the_last_good_one_and_is_reported() {
    let tightened = policy(&[(&["ping"], &["ops:admin"])]);
    let good = tightened.to_json();
    let options = GatewayOptions { policy: tightened, ..GatewayOptions::default() };
    let gateway = spawn_gateway(options).await;
    let token = gateway.issuer.token(&["tools:ping"], PUBLIC_URL);
    // The file is looked at every two seconds, so each case costs that; the parser's own tests have the others.
    let mut reported = json!([]);
    for broken in ["{", r#"{"version":1,"authorization":{"default":"Authenticated","allowAll":true}}"#] {
        gateway.files.replace_policy(broken);
        reported = another_problem(&gateway, &reported).await;
        assert_eq!(report(&gateway).await["policyRevision"], revision(good.as_bytes()));
        assert_eq!(ping(&gateway, &token).await, StatusCode::FORBIDDEN, "`{broken}` opened it");
    }
    std::fs::remove_file(gateway.files.policy()).unwrap();
    let problems = another_problem(&gateway, &reported).await.to_string();
    assert_eq!(ping(&gateway, &token).await, StatusCode::FORBIDDEN, "a missing file opened it");
    let folder = gateway.files.policy();
    let folder = folder.parent().unwrap().to_str().unwrap();
    assert!(!problems.contains(folder), "a path in the report: {problems}");
    gateway.files.replace_policy(&good);
    eventually("the problem is gone", async || (report(&gateway).await["fileProblems"] == json!([])).then_some(()))
        .await;
}

/// The built-ins' own rules come before `default`, so `Deny` alone hides none of them.
#[tokio::test]
async fn deny_is_for_what_no_rule_names() {
    let mut denied = policy(&[]);
    denied.authorization.default = AuthorizationDefault::Deny;
    let gateway = spawn_with(denied).await;
    let token = gateway.issuer.token(&["tools:ping", "tools:echo"], PUBLIC_URL);
    assert_eq!(names(&gateway, &token).await, ["ping", "echo", "health_check"]);
    assert_eq!(ping(&gateway, &token).await, StatusCode::OK);
}

/// P41, P48 `one-decision`: list and call ask the same function, whatever the rules are.
#[tokio::test]
async fn a_tool_is_listed_exactly_when_its_call_is_not_unknown() {
    for rules in [
        policy(&[]),
        policy(&[(&["*"], &["x:y"])]),
        policy(&[(&["e*"], &[]), (&["*"], &["x:y"])]),
        policy(&[(&["no_such"], &["x:y"])]),
    ] {
        let gateway = spawn_with(rules.clone()).await;
        let token = gateway.issuer.token(&["tools:ping", "tools:echo"], PUBLIC_URL);
        let listed = names(&gateway, &token).await;
        for tool in ["ping", "echo", "health_check", "no_such"] {
            let answer = gateway.client.call(Era::Modern, tool, json!({}), &token).await;
            let unknown = answer.status == 400 && answer.code() == -32602;
            let is_listed = listed.iter().any(|name| name == tool);
            assert_eq!(is_listed, !unknown, "{tool} under {rules:?}");
        }
    }
}

/// The first rule whose glob matches decides alone; all of its scopes are needed.
#[tokio::test]
async fn the_first_rule_that_matches_decides_alone() {
    let rules: [(&[&str], &[&str]); 3] = [(&["echo"], &[]), (&["e*", "p*"], &["a", "b"]), (&["*"], &["never"])];
    let gateway = spawn_with(policy(&rules)).await;
    let call = async |tool: &str, scopes: &[&str]| {
        let token = gateway.issuer.token(scopes, PUBLIC_URL);
        let arguments = if tool == "echo" { json!({ "message": "a" }) } else { json!({}) };
        gateway.client.call(Era::Modern, tool, arguments, &token).await.status.as_u16()
    };
    assert_eq!(call("echo", &[]).await, 200, "any valid token");
    assert_eq!(call("ping", &["a", "b"]).await, 200);
    assert_eq!(call("ping", &["a"]).await, 403, "all scopes are needed");
    assert_eq!(call("ping", &["tools:ping"]).await, 403, "the built-in's own rule comes later");
    assert_eq!(call("health_check", &["a", "b"]).await, 403);
    assert_eq!(call("health_check", &["never"]).await, 200);
}

#[tokio::test]
async fn the_report_repeats_the_revisions_of_the_files_in_force() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let report = report(&gateway).await;
    let config = std::fs::read(gateway.files.config()).unwrap();
    let policy = std::fs::read(gateway.files.policy()).unwrap();
    assert_eq!(report["configRevision"], revision(&config));
    assert_eq!(report["policyRevision"], revision(&policy));
    assert_eq!(report["tools"]["count"], 3);
    assert_eq!(report["eras"], json!(["2026-07-28", "2025-11-25"]));
    assert_eq!(report["draining"], false);
    assert_eq!(report["issuers"][0]["keyIds"], json!(["es256-0", "rs256-0"]));
}

async fn spawn_with(policy: GatewayPolicy) -> SpawnedGateway {
    spawn_gateway(GatewayOptions { policy, ..GatewayOptions::default() }).await
}

async fn ping(gateway: &SpawnedGateway, token: &str) -> StatusCode {
    gateway.client.call(Era::Modern, "ping", json!({}), token).await.status
}

async fn names(gateway: &SpawnedGateway, token: &str) -> Vec<String> {
    let list = gateway.client.ask(Era::Modern, "tools/list", json!({}), token).await.result();
    let tools = list["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

async fn report(gateway: &SpawnedGateway) -> Value {
    gateway.client.admin("/report").await.json()
}

/// The problems in the report, once they are some and not `known`.
async fn another_problem(gateway: &SpawnedGateway, known: &Value) -> Value {
    eventually("the problem is reported", async || {
        let problems = report(gateway).await["fileProblems"].clone();
        (problems != json!([]) && problems != *known).then_some(problems)
    })
    .await
}

async fn until_in_force(gateway: &SpawnedGateway, policy: &str) {
    let expected = revision(policy.as_bytes());
    eventually("the new policy is in force", async || {
        (report(gateway).await["policyRevision"] == *expected).then_some(())
    })
    .await;
}
