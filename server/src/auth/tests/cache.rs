//! Remembered decisions equal fresh ones, to the second.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::support::{FakeClock, NOW, ask, authenticator, invalid, token_with};
use crate::auth::InvalidToken;

#[tokio::test]
async fn a_decision_is_lent_until_the_leeway_ends_and_not_one_second_longer() {
    let clock = FakeClock::new();
    let authenticator = authenticator(&clock);
    let token = token_with(&json!({ "exp": NOW + 600 }));
    assert!(ask(&authenticator, &token).await.is_ok());
    clock.advance(Duration::from_secs(600 + 29));
    assert!(ask(&authenticator, &token).await.is_ok());
    assert_eq!(authenticator.decisions.len(), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&authenticator, &token).await, invalid(InvalidToken::Expired));
    assert_eq!(authenticator.decisions.len(), 0);
}

#[tokio::test]
async fn a_clock_that_is_set_back_voids_decisions_about_tokens_of_the_future() {
    let clock = FakeClock::new();
    let authenticator = authenticator(&clock);
    let token = token_with(&json!({}));
    assert!(ask(&authenticator, &token).await.is_ok());
    clock.set_time_of_day(NOW - 60 - 31);
    assert_eq!(ask(&authenticator, &token).await, invalid(InvalidToken::NotYetValid));
}

#[tokio::test]
async fn another_token_with_the_same_signature_is_another_token() {
    let clock = FakeClock::new();
    let authenticator = authenticator(&clock);
    let token = token_with(&json!({}));
    assert!(ask(&authenticator, &token).await.is_ok());
    let (_, signature) = token.rsplit_once('.').unwrap();
    let other = token_with(&json!({ "sub": "root" }));
    let (message, _) = other.rsplit_once('.').unwrap();
    assert_eq!(ask(&authenticator, &format!("{message}.{signature}")).await, invalid(InvalidToken::Signature));
}

/// A claim about time: mostly an instant around the start, sometimes nonsense.
fn time() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => (-120..120_i64).prop_map(|offset| json!(NOW + offset)),
        1 => (-90_000..90_000_i64).prop_map(|offset| json!(NOW + offset)),
        1 => Just(json!("-")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_clock_does_a_remembered_decision_equals_a_fresh_one(
        exp in time(), nbf in time(), iat in time(),
        hours in prop::collection::vec(-100..100_i64, 1..12),
    ) {
        let clock = FakeClock::new();
        let (remembering, forgetting) = (authenticator(&clock), authenticator(&clock));
        let token = token_with(&json!({ "exp": exp, "nbf": nbf, "iat": iat }));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for offset in hours {
            clock.set_time_of_day(NOW + offset);
            forgetting.decisions.clear();
            let answers = runtime.block_on(async {
                (ask(&remembering, &token).await, ask(&forgetting, &token).await)
            });
            prop_assert_eq!(answers.0, answers.1);
        }
    }
}
