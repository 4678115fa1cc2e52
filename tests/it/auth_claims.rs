//! The matrix of auth.md, claims: who issued a token, for whom, until when, and what it is.

use serde_json::{Value, json};

use crate::support::client::PUBLIC_URL;
use crate::support::door::Door;

/// A token whose claims are changed so is refused for this reason.
macro_rules! refused {
    ($($name:ident: $reason:literal, $changes:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let door = Door::new().await;
            let changes: fn(&Door) -> Value = $changes;
            door.refuses(&door.token(&changes(&door)), $reason).await;
        }
    )*};
}

/// A token whose claims are changed so is good.
macro_rules! admitted {
    ($($name:ident: $changes:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let door = Door::new().await;
            let changes: fn(&Door) -> Value = $changes;
            door.admits(&door.token(&changes(&door))).await;
        }
    )*};
}

refused! {
    expired: "expired", |door| json!({ "exp": door.now() - 31, "iat": door.now() - 600 });
    nbf_in_the_future: "not_yet_valid", |door| json!({ "nbf": door.now() + 90 });
    iat_in_ten_years: "not_yet_valid", |door| json!({ "iat": door.now() + 315_360_000, "exp": door.now() + 315_360_600 });
    valid_for_more_than_a_day: "lifetime", |door| json!({ "exp": door.now() + 86_401 });
    valid_for_more_than_a_day_without_iat: "lifetime", |door| json!({ "iat": null, "exp": door.now() + 86_600 });
    exp_missing: "times", |_| json!({ "exp": null });
    exp_a_string: "times", |door| json!({ "exp": (door.now() + 600).to_string() });
    exp_a_fraction: "times", |door| serde_json::from_str(&format!(r#"{{"exp":{}.5}}"#, door.now() + 600)).unwrap();
    exp_negative: "times", |_| json!({ "exp": -1 });
    exp_two_to_the_63rd: "times", |_| json!({ "exp": 1_u64 << 63 });
    nbf_a_string: "times", |_| json!({ "nbf": "99999999999" });
    iat_a_string: "times", |door| json!({ "iat": door.now().to_string() });
    iss_of_somebody_else: "issuer", |_| json!({ "iss": "https://evil.example" });
    iss_with_a_slash_more: "issuer", |door| json!({ "iss": format!("{}/", door.gateway.issuer.issuer_url()) });
    iss_in_another_case: "issuer", |door| json!({ "iss": door.gateway.issuer.issuer_url().to_uppercase() });
    iss_with_a_look_alike: "issuer", |door| json!({ "iss": door.gateway.issuer.issuer_url().replace('p', "р") });
    iss_missing: "issuer", |_| json!({ "iss": null });
    iss_a_list: "issuer", |door| json!({ "iss": [door.gateway.issuer.issuer_url()] });
    aud_missing: "audience", |_| json!({ "aud": null });
    aud_of_another_server: "audience", |_| json!({ "aud": "https://other.example.com/mcp" });
    aud_with_a_slash_more: "audience", |_| json!({ "aud": format!("{PUBLIC_URL}/") });
    aud_the_host_alone: "audience", |_| json!({ "aud": "https://mcp.example.com" });
    aud_an_empty_list: "audience", |_| json!({ "aud": [] });
    aud_a_list_without_ours: "audience", |_| json!({ "aud": ["a", "https://other.example.com/mcp"] });
    aud_a_list_with_a_number: "audience", |_| json!({ "aud": [PUBLIC_URL, 1] });
    sub_missing: "subject", |_| json!({ "sub": null });
    sub_empty: "subject", |_| json!({ "sub": "" });
    sub_a_number: "subject", |_| json!({ "sub": 7 });
    client_a_number: "client", |_| json!({ "client_id": 7 });
    scope_a_number: "scope", |_| json!({ "scope": 7 });
    scope_an_object: "scope", |_| json!({ "scope": { "tools:ping": true } });
    groups_a_number: "groups", |_| json!({ "groups": 7 });
    bound_to_a_key: "bound", |_| json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } });
    bound_to_a_certificate: "bound", |_| json!({ "cnf": { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" } });
    a_refresh_token_of_keycloak: "token_type", |_| json!({ "typ": "Refresh" });
    an_id_token_of_keycloak: "token_type", |_| json!({ "typ": "ID" });
    an_id_token_by_its_code_hash: "token_type", |_| json!({ "c_hash": "LDktKdoQak3Pk0cnXxCltA" });
    a_refresh_token_of_descope: "token_type", |_| json!({ "drn": "DSR" });
}

admitted! {
    as_it_is: |_| json!({});
    expired_by_twenty_seconds: |door| json!({ "exp": door.now() - 20, "iat": door.now() - 600 });
    nbf_in_twenty_seconds: |door| json!({ "nbf": door.now() + 20 });
    aud_a_list_with_ours: |_| json!({ "aud": ["https://other.example.com/mcp", PUBLIC_URL] });
    scope_a_list: |_| json!({ "scope": ["tools:ping"] });
    without_client_and_issue_time: |_| json!({ "client_id": null, "iat": null });
    permissions_that_nobody_reads: |_| json!({ "permissions": 7 });
    an_access_token_of_keycloak: |_| json!({ "typ": "Bearer" });
}

/// The slash of an issuer string counts in both directions.
#[tokio::test]
async fn iss_with_a_slash_less() {
    let door = Door::with(|issuer| {
        issuer.jwks_uri = Some(format!("{}/jwks", issuer.issuer));
        issuer.issuer.push('/');
    })
    .await;
    door.refuses(&door.token(&json!({})), "issuer").await;
    let slash = json!({ "iss": format!("{}/", door.gateway.issuer.issuer_url()) });
    assert_eq!(door.ping(crate::support::Era::Modern, &door.token(&slash)).await.status, 200);
}

/// To the second, on both sides, by a clock that the test sets.
#[tokio::test]
async fn the_leeway_ends_at_its_second() {
    let door = Door::with(|issuer| issuer.tokens.leeway_seconds = 60).await;
    let now = door.now();
    let token = door.token(&json!({ "exp": now + 3600 }));
    door.admits(&token).await;
    // A minute of margin for the time that the test itself takes.
    door.clock.forward(3600);
    assert_eq!(door.ping(crate::support::Era::Modern, &token).await.status, 200, "within the leeway, and remembered");
    door.clock.forward(60);
    let answer = door.ping(crate::support::Era::Modern, &token).await;
    crate::support::door::refused(&answer, "expired");
}

#[tokio::test]
async fn a_required_claim_missing() {
    use crds::gateway_config::{ClaimCondition, ClaimTest};
    let require = |issuer: &mut crds::gateway_config::IssuerConfig| {
        issuer.tokens.required_claims = vec![ClaimCondition {
            claim_path: "email_verified".to_owned(),
            test: ClaimTest::Equals("true".to_owned()),
        }];
    };
    let door = Door::with(require).await;
    door.refuses(&door.token(&json!({})), "required_claim").await;
    door.refuses(&door.token(&json!({ "email_verified": false })), "required_claim").await;
    let door = Door::with(require).await;
    door.admits(&door.token(&json!({ "email_verified": true }))).await;
}

#[tokio::test]
async fn a_client_that_is_not_listed() {
    let only = |issuer: &mut crds::gateway_config::IssuerConfig| {
        issuer.tokens.allowed_clients = vec!["claude-code".to_owned()];
    };
    let door = Door::with(only).await;
    door.refuses(&door.token(&json!({})), "client_not_allowed").await;
    door.refuses(&door.token(&json!({ "client_id": null })), "client_not_allowed").await;
    let door = Door::with(only).await;
    door.admits(&door.token(&json!({ "client_id": "claude-code" }))).await;
}

#[tokio::test]
async fn tenant_a_number() {
    let door = Door::with(|issuer| issuer.tokens.tenant_claims = vec!["org_id".to_owned()]).await;
    door.refuses(&door.token(&json!({ "org_id": 7 })), "tenant").await;
}

#[tokio::test]
async fn permissions_a_number_under_a_rule_that_reads_them() {
    let door = Door::with(|issuer| issuer.tokens.scope_claims = vec!["permissions".to_owned()]).await;
    door.refuses(&door.token(&json!({ "permissions": 7 })), "scope").await;
}
