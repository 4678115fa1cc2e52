//! A flood of tokens under keys that do not exist: the issuer is left alone, and valid callers are served.

use std::sync::Arc;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{StreamExt as _, stream};
use reqwest::StatusCode;
use serde_json::json;
use server::app::Deps;
use tests::issuer::Document;

use crate::support::client::PUBLIC_URL;
use crate::support::clock::StillClock;
use crate::support::in_process::spawn_gateway_with;
use crate::support::{Era, GatewayOptions, SpawnedGateway};

/// Forged tokens of one round.
const FORGED: usize = 600;

/// Valid calls among them, half of them with a token that was seen before.
const VALID: usize = 20;

/// Requests in flight. Twice as many as may wait for a fetch at a time.
const IN_FLIGHT: usize = 64;

#[tokio::test]
async fn unknown_keys_cause_one_fetch_in_thirty_seconds_and_stop_no_valid_caller() {
    let clock = StillClock::new();
    let deps = Deps { clock: Arc::new(clock.clone()), ..Deps::new(true) };
    let gateway = spawn_gateway_with(GatewayOptions::default(), deps).await;
    let known = gateway.issuer.token(&["tools:ping"], PUBLIC_URL);
    let at_start = gateway.issuer.requests(Document::KeySet);
    let mut fetched = Vec::new();
    // Seconds from round to round: at 0, 29, 30, 59 and 60 s.
    for (round, seconds) in [0, 29, 1, 29, 1].into_iter().enumerate() {
        clock.advance(Duration::from_secs(seconds));
        flood(&gateway, &known, round).await;
        fetched.push(gateway.issuer.requests(Document::KeySet) - at_start);
    }
    assert_eq!(fetched, [1, 1, 2, 2, 3]);
}

/// Forged and valid calls side by side.
async fn flood(gateway: &SpawnedGateway, known: &str, round: usize) {
    let valid = stream::iter(0..VALID).map(async |number| {
        let new = gateway.issuer.token(&["tools:ping"], PUBLIC_URL);
        let token = if number % 2 == 0 { known } else { &new };
        gateway.client.call(Era::Modern, "ping", json!({}), token).await.status
    });
    let forged = stream::iter(0..FORGED).map(async |number| {
        let token = under_key(known, &format!("invented-{round}-{number}"));
        gateway.client.call(Era::Modern, "ping", json!({}), &token).await.status
    });
    let (valid, forged) = tokio::join!(
        valid.buffer_unordered(4).collect::<Vec<_>>(),
        forged.buffer_unordered(IN_FLIGHT).collect::<Vec<_>>(),
    );
    assert_eq!(valid, [StatusCode::OK; VALID], "round {round}");
    // Those that find no room to wait for the fetch are told to come back.
    let refused = |status: &StatusCode| [StatusCode::UNAUTHORIZED, StatusCode::SERVICE_UNAVAILABLE].contains(status);
    assert!(forged.iter().all(refused), "round {round}: {forged:?}");
}

/// The same token under another `kid`. Its signature does not fit any more, and nobody gets to see that.
fn under_key(token: &str, key_id: &str) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    let header = json!({ "alg": "RS256", "kid": key_id }).to_string();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}
