//! Keys of issuers: not there yet, rotated, removed, unknown, and documents that spoil them.

use jsonwebtoken::Algorithm;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::issuer::{Document, Fault};

use crate::support::client::PUBLIC_URL;
use crate::support::in_process::spawn_gateway_without_waiting;
use crate::support::{Era, GatewayOptions, Message, SpawnedGateway, eventually, spawn_gateway};

#[tokio::test]
async fn an_issuer_that_is_down_at_start_holds_readiness_and_answers_503_until_it_is_up() {
    let gateway = spawn_gateway_without_waiting(GatewayOptions::default(), Fault::Down).await;
    let token = gateway.issuer.token(&["tools:ping"], PUBLIC_URL);
    for era in Era::BOTH {
        let answer = gateway.client.call(era, "ping", json!({}), &token).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds));
        assert!(answer.header("www-authenticate").is_none(), "the token was not judged");
    }
    // Also without a credential: a client that went for a token would come back to the same 503.
    let bare = Message::call(Era::Modern, "ping", json!({}));
    assert_eq!(gateway.client.send(&bare, None).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(gateway.client.admin("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(gateway.client.admin("/livez").await.status, StatusCode::OK);
    assert_eq!(issuer_report(&gateway).await["state"], "Pending");

    gateway.issuer.set_fault(Fault::None);
    gateway.until_ready().await;
    let answer = gateway.client.call(Era::Modern, "ping", json!({}), &token).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(issuer_report(&gateway).await["state"], "Ready");

    // Once ready, losing the issuer changes nothing.
    gateway.issuer.set_fault(Fault::Down);
    assert_eq!(gateway.client.admin("/readyz").await.status, StatusCode::OK);
    let answer = gateway.client.call(Era::Modern, "ping", json!({}), &token).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn documents_that_spoil_the_keys_never_make_the_gateway_ready() {
    for fault in [Fault::Garbage, Fault::Huge, Fault::ServerError, Fault::Redirect, Fault::Empty] {
        let gateway = spawn_gateway_without_waiting(GatewayOptions::default(), fault).await;
        let error = eventually("the failed fetch is reported", async || {
            issuer_report(&gateway).await["lastError"].as_str().map(str::to_owned)
        })
        .await;
        assert!(!error.contains("169.254"), "{fault:?}: {error}");
        assert_eq!(gateway.client.admin("/readyz").await.status, 503, "{fault:?}");
    }
}

#[tokio::test]
async fn a_key_that_appears_is_used_after_one_refresh() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let fetched = gateway.issuer.requests(Document::KeySet);
    gateway.issuer.rotate_keys();
    for algorithm in [Algorithm::RS256, Algorithm::ES256] {
        let token = gateway.issuer.token_with(algorithm, &["tools:ping"], PUBLIC_URL);
        let answer = gateway.client.call(Era::Modern, "ping", json!({}), &token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
    assert_eq!(gateway.issuer.requests(Document::KeySet), fetched + 1, "one refresh for both");
}

#[tokio::test]
async fn a_key_that_leaves_is_refused_also_for_tokens_seen_before() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let old = gateway.issuer.token(&["tools:ping"], PUBLIC_URL);
    assert_eq!(gateway.client.call(Era::Modern, "ping", json!({}), &old).await.status, 200);
    gateway.issuer.rotate_keys();
    gateway.issuer.remove_old_keys();
    // A token under the new key makes the gateway look again, and see that the old one is gone.
    let new = gateway.issuer.token(&["tools:ping"], PUBLIC_URL);
    assert_eq!(gateway.client.call(Era::Modern, "ping", json!({}), &new).await.status, 200);
    let answer = gateway.client.call(Era::Modern, "ping", json!({}), &old).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text());
    assert_eq!(issuer_report(&gateway).await["keyIds"], json!(["es256-1", "rs256-1"]));
}

#[tokio::test]
async fn unknown_keys_cause_at_most_one_refresh_at_once_and_in_turn() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let fetched = gateway.issuer.requests(Document::KeySet);
    let claims = gateway.issuer.claims(&["tools:ping"], PUBLIC_URL);
    let call = async |number: usize| {
        let header = json!({ "alg": "RS256", "kid": format!("invented-{number}") });
        let token = gateway.issuer.mint_under(Algorithm::RS256, &header, &claims);
        let answer = gateway.client.call(Era::Modern, "ping", json!({}), &token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text());
    };
    futures::future::join_all((0..10).map(&call)).await;
    for number in 10..20 {
        call(number).await;
    }
    let fetched = gateway.issuer.requests(Document::KeySet) - fetched;
    assert_eq!(fetched, 1, "refreshes for 20 unknown keys");
}

#[tokio::test]
async fn a_key_that_the_issuer_never_published_is_refused_whatever_it_is_called() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    for algorithm in [Algorithm::RS256, Algorithm::ES256] {
        let claims = gateway.issuer.claims(&["tools:ping"], PUBLIC_URL);
        let token = gateway.issuer.mint_with_unpublished_key(algorithm, &claims);
        let answer = gateway.client.call(Era::Modern, "ping", json!({}), &token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
}

/// `jku`, `x5u` and their like name addresses: nobody is asked there.
#[tokio::test]
async fn keys_that_a_header_offers_cause_no_request() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let fetched = gateway.issuer.requests(Document::KeySet);
    let elsewhere = format!("{}/jwks", gateway.issuer.issuer_url());
    let header = json!({ "alg": "RS256", "kid": "rs256-0", "jku": elsewhere, "x5u": elsewhere });
    let claims = gateway.issuer.claims(&["tools:ping"], PUBLIC_URL);
    let token = gateway.issuer.mint_under(Algorithm::RS256, &header, &claims);
    // They are ignored: the token is as good as without them.
    assert_eq!(gateway.client.call(Era::Modern, "ping", json!({}), &token).await.status, 200);
    assert_eq!(gateway.issuer.requests(Document::KeySet), fetched);
}

/// What is taken out of the bundle is not trusted any longer; the keys that were fetched before serve until they are too old.
#[tokio::test]
async fn a_bundle_that_changed_is_trusted_alone_and_takes_no_keys_away() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let old = gateway.issuer.token(&["tools:ping"], PUBLIC_URL);
    gateway.files.replace_ca(&tests::cluster::TestCa::generate().unwrap().cert_pem);
    eventually("keys are fetched under the new bundle", async || {
        let report = issuer_report(&gateway).await;
        let error = report["lastError"].as_str().unwrap_or_default();
        (error.contains("certificate is not trusted") && report["state"] == "Stale").then_some(())
    })
    .await;
    gateway.issuer.rotate_keys();
    let new = gateway.issuer.token(&["tools:ping"], PUBLIC_URL);
    let status = async |token: &str| gateway.client.call(Era::Modern, "ping", json!({}), token).await.status;
    assert_eq!(status(&old).await, StatusCode::OK);
    assert_eq!(status(&new).await, StatusCode::UNAUTHORIZED, "a key that came under the bundle of before");
    gateway.files.replace_ca(gateway.issuer.ca_pem());
    eventually("the bundle of before is trusted again", async || (status(&new).await == StatusCode::OK).then_some(()))
        .await;
    assert_eq!(issuer_report(&gateway).await["state"], "Ready");
}

async fn issuer_report(gateway: &SpawnedGateway) -> Value {
    gateway.client.admin("/report").await.json()["issuers"][0].clone()
}
