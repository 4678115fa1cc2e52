//! A flood of forged tokens does not stop valid callers.

use std::time::Duration;

use serde_json::json;

use super::{
    keys::OTHER_EC,
    support::{FakeClock, OTHER_ISSUER, Signer, ask, authenticator, invalid, token, token_with},
};
use crate::auth::{InvalidToken, Refusal};

#[tokio::test]
async fn a_thousand_forged_tokens_in_a_second_leave_room_for_a_new_valid_one() {
    let clock = FakeClock::new();
    let authenticator = authenticator(&clock);
    let forged = token(Signer::Ec(&OTHER_EC, "ec"), &json!({}), &json!({}));
    for second in 0..3 {
        for _ in 0..1000 {
            assert_eq!(ask(&authenticator, &forged).await, invalid(InvalidToken::Signature));
        }
        let new = token_with(&json!({ "jti": second }));
        assert!(ask(&authenticator, &new).await.is_ok());
        clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn a_wider_flood_is_cut_off_while_known_callers_and_other_issuers_are_served() {
    let clock = FakeClock::new();
    let authenticator = authenticator(&clock);
    let known = token_with(&json!({}));
    assert!(ask(&authenticator, &known).await.is_ok());
    let forged = token(Signer::Ec(&OTHER_EC, "ec"), &json!({}), &json!({}));
    let mut refused = 0;
    for _ in 0..2500 {
        refused += usize::from(ask(&authenticator, &forged).await != invalid(InvalidToken::Signature));
    }
    assert_eq!(refused, 400, "100 failures are free, then 2,000 checks a second");
    let cut_off = Err(Refusal::TooManyFailures { retry_after: Duration::from_secs(1) });
    assert_eq!(ask(&authenticator, &token_with(&json!({ "jti": "new" }))).await, cut_off);
    assert!(ask(&authenticator, &known).await.is_ok());
    let other = token(Signer::Ec(&OTHER_EC, "ec"), &json!({}), &json!({ "iss": OTHER_ISSUER }));
    assert!(ask(&authenticator, &other).await.is_ok());
    clock.advance(Duration::from_secs(1));
    assert!(ask(&authenticator, &token_with(&json!({ "jti": "new" }))).await.is_ok());
}

/// Each costs a signature, and none is remembered.
#[tokio::test]
async fn a_flood_of_expired_tokens_is_cut_off_as_well() {
    let clock = FakeClock::new();
    let authenticator = authenticator(&clock);
    let expired = token_with(&json!({ "exp": super::support::NOW - 60 }));
    let mut refused = 0;
    for _ in 0..2500 {
        refused += usize::from(ask(&authenticator, &expired).await != invalid(InvalidToken::Expired));
    }
    assert_eq!(refused, 400, "100 failures are free, then 2,000 checks a second");
}
