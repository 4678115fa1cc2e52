//! The claims of a token whose signature was verified, and whether they let it in now.
//!
//! Stricter than the JWT library: every time is a JSON integer in range, `aud` is never optional, nothing is
//! coerced. [`Times::check`] is the one rule about time, for a fresh token and for a remembered decision alike.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    InvalidToken, Principal, PrincipalKind,
    token_rules::{Payload, Rules},
};

/// The largest time that is read: the largest integer that every JSON parser reads alike (RFC 8259 section 6).
const MAX_SECONDS: i64 = (1 << 53) - 1;

/// Keycloak puts the use of a token into the payload, as `typ`; its access tokens have `Bearer`.
const OTHER_USES: [&str; 4] = ["ID", "Refresh", "Offline", "Logout"];

/// When a token is valid; seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    expires_at: i64,
    not_before: Option<i64>,
    issued_at: Option<i64>,
    /// How far clocks may be apart.
    leeway: i64,
    /// How long a token may be valid.
    max_lifetime: i64,
}

/// Checks the payload of a verified token of `issuer` and names its principal.
pub(super) fn principal(
    payload: &Payload,
    issuer: &Arc<str>,
    audiences: &[String],
    rules: &Rules,
    now: i64,
) -> Result<(Principal, Times), InvalidToken> {
    if payload.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err(InvalidToken::Issuer);
    }
    check_audience(payload, audiences)?;
    let times = Times::read(payload, rules)?;
    times.check(now)?;
    check_use(payload)?;
    rules.check_required(payload)?;
    let is_workload = rules.is_workload(payload);
    let principal = Principal::new(Arc::clone(issuer), rules.subject(payload, is_workload)?)
        .of_kind(if is_workload { PrincipalKind::Workload } else { PrincipalKind::Human })
        .through(rules.client(payload)?)
        .in_tenant(rules.tenant(payload)?)
        .in_groups(rules.groups(payload)?)
        .granted(rules.granted(payload)?)
        .until(times.ends_at());
    Ok((principal, times))
}

/// A string or an array of strings, of which one is accepted; compared whole.
fn check_audience(payload: &Payload, accepted: &[String]) -> Result<(), InvalidToken> {
    let is_accepted = |audience: &str| accepted.iter().any(|accepted| accepted == audience);
    let found = match payload.get("aud") {
        Some(Value::String(audience)) => is_accepted(audience),
        Some(Value::Array(audiences)) => {
            let audiences: Option<Vec<&str>> = audiences.iter().map(Value::as_str).collect();
            audiences.is_some_and(|audiences| audiences.into_iter().any(is_accepted))
        }
        _ => false,
    };
    if found { Ok(()) } else { Err(InvalidToken::Audience) }
}

impl Times {
    fn read(payload: &Payload, rules: &Rules) -> Result<Self, InvalidToken> {
        Ok(Self {
            expires_at: seconds(payload, "exp")?.ok_or(InvalidToken::Times)?,
            not_before: seconds(payload, "nbf")?,
            issued_at: seconds(payload, "iat")?,
            leeway: rules.leeway_seconds,
            max_lifetime: rules.max_lifetime_seconds,
        })
    }

    /// Whether the token is valid at `now` (seconds since 1970).
    ///
    /// `exp` is the first second at which it is not (RFC 7519 section 4.1.4), so the leeway ends before
    /// `exp` + leeway.
    pub(super) fn check(&self, now: i64) -> Result<(), InvalidToken> {
        if now >= self.ends_at() {
            return Err(InvalidToken::Expired);
        }
        let starts = [self.not_before, self.issued_at];
        if starts.into_iter().flatten().any(|start| start > now + self.leeway) {
            return Err(InvalidToken::NotYetValid);
        }
        if self.expires_at - self.issued_at.unwrap_or(now) > self.max_lifetime {
            return Err(InvalidToken::Lifetime);
        }
        Ok(())
    }

    /// The first second at which [`Times::check`] says `Expired`.
    pub(super) fn ends_at(&self) -> i64 {
        self.expires_at + self.leeway
    }

    /// How long until [`Times::ends_at`].
    pub(super) fn remaining(&self, now: i64) -> Duration {
        Duration::from_secs((self.ends_at() - now).max(0).cast_unsigned())
    }
}

/// A JSON integer from 0 to 2^53 - 1. `1.0`, `"1"` and `null` are none.
fn seconds(payload: &Payload, name: &str) -> Result<Option<i64>, InvalidToken> {
    let Some(value) = payload.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_i64().filter(|seconds| (0..=MAX_SECONDS).contains(seconds));
    seconds.map(Some).ok_or(InvalidToken::Times)
}

/// Refuses what is signed by the right key but is no access token, and what is bound to a key.
fn check_use(payload: &Payload) -> Result<(), InvalidToken> {
    if payload.contains_key("cnf") {
        return Err(InvalidToken::Bound);
    }
    let typ = payload.get("typ").and_then(Value::as_str).unwrap_or_default();
    // Descope marks refresh tokens this way.
    let is_refresh = payload.get("drn").is_some_and(|drn| drn == "DSR");
    // The hash of a code stands in ID tokens only (OpenID Connect Core, section 3.3.2.11), which may share the audience.
    let is_for_client = payload.contains_key("c_hash");
    if is_refresh || is_for_client || OTHER_USES.iter().any(|other| other.eq_ignore_ascii_case(typ)) {
        return Err(InvalidToken::TokenType);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crds::gateway_config::TokenRules;
    use serde_json::{Map, json};

    use super::*;

    /// Of an issuer without any rule of its own.
    const LEEWAY: Duration = Duration::from_secs(30);

    const NOW: i64 = 1_800_000_000;

    fn payload(change: &Value) -> Map<String, Value> {
        let mut payload = json!({
            "iss": "https://login.example.com", "aud": "https://mcp.example.com/mcp", "sub": "alice",
            "exp": NOW + 600, "iat": NOW,
        });
        for (name, value) in change.as_object().unwrap() {
            // `"-"` stands for a claim that is not there.
            if value == "-" {
                payload.as_object_mut().unwrap().remove(name);
            } else {
                payload[name] = value.clone();
            }
        }
        payload.as_object().unwrap().clone()
    }

    fn judge(change: &Value) -> Result<Principal, InvalidToken> {
        judge_by(&TokenRules::default(), change)
    }

    fn judge_by(rules: &TokenRules, change: &Value) -> Result<Principal, InvalidToken> {
        let audiences = ["https://mcp.example.com/mcp".to_owned(), "other".to_owned()];
        let rules = Rules::compile(rules).unwrap();
        principal(&payload(change), &"https://login.example.com".into(), &audiences, &rules, NOW)
            .map(|(principal, _)| principal)
    }

    #[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
    fn check(change: Value, expected: Result<(), InvalidToken>) {
        assert_eq!(judge(&change).map(|_| ()), expected, "{change}");
    }

    #[test]
    fn the_issuer_compares_byte_for_byte() {
        check(json!({}), Ok(()));
        for issuer in [
            json!("https://login.example.com/"),
            json!("https://LOGIN.example.com"),
            json!("https://login.exаmple.com"),
            json!(["https://login.example.com"]),
            json!("-"),
            json!(null),
        ] {
            check(json!({ "iss": issuer }), Err(InvalidToken::Issuer));
        }
    }

    #[test]
    fn one_audience_of_ours_is_enough_and_none_is_not() {
        check(json!({ "aud": "other" }), Ok(()));
        check(json!({ "aud": ["https://elsewhere.example.com", "other"] }), Ok(()));
        for audience in [
            json!("-"),
            json!([]),
            json!(""),
            json!("https://mcp.example.com/mcp/"),
            json!("https://mcp.example.com"),
            json!("OTHER"),
            json!(["https://elsewhere.example.com"]),
            json!(["other", 1]),
            json!([["other"]]),
            json!({ "other": true }),
            json!(null),
        ] {
            check(json!({ "aud": audience }), Err(InvalidToken::Audience));
        }
    }

    #[test]
    fn times_are_integers_in_range() {
        for name in ["exp", "nbf", "iat"] {
            for value in [
                json!("1800000000"),
                json!(1_800_000_000.5),
                json!(1.8e9),
                json!(-1),
                json!(1_u64 << 63),
                json!(u64::MAX),
                json!(1_u64 << 53),
                json!(null),
                json!(true),
                json!([NOW]),
            ] {
                check(json!({ name: value }), Err(InvalidToken::Times));
            }
        }
        check(json!({ "exp": "-" }), Err(InvalidToken::Times));
        check(json!({ "iat": "-", "nbf": "-" }), Ok(()));
    }

    #[test]
    fn the_leeway_is_thirty_seconds_on_both_sides_to_the_second() {
        check(json!({ "exp": NOW - 20, "iat": NOW - 600 }), Ok(()));
        check(json!({ "exp": NOW - 29, "iat": NOW - 600 }), Ok(()));
        check(json!({ "exp": NOW - 30, "iat": NOW - 600 }), Err(InvalidToken::Expired));
        check(json!({ "exp": NOW - 31, "iat": NOW - 600 }), Err(InvalidToken::Expired));
        for name in ["nbf", "iat"] {
            check(json!({ name: NOW + 29 }), Ok(()));
            check(json!({ name: NOW + 30 }), Ok(()));
            check(json!({ name: NOW + 31 }), Err(InvalidToken::NotYetValid));
            check(json!({ name: NOW + 10 * 365 * 86_400 }), Err(InvalidToken::NotYetValid));
        }
    }

    #[test]
    fn a_token_lives_for_a_day_at_most() {
        check(json!({ "exp": NOW + 86_400 }), Ok(()));
        check(json!({ "exp": NOW + 86_401 }), Err(InvalidToken::Lifetime));
        check(json!({ "iat": "-", "exp": NOW + 86_400 }), Ok(()));
        check(json!({ "iat": "-", "exp": NOW + 86_401 }), Err(InvalidToken::Lifetime));
        check(json!({ "iat": NOW - 86_400, "exp": NOW + 1 }), Err(InvalidToken::Lifetime));
        check(json!({ "exp": MAX_SECONDS }), Err(InvalidToken::Lifetime));
    }

    #[test]
    fn a_decision_lives_exactly_as_long_as_the_check_says_yes() {
        let times = Times { expires_at: NOW, not_before: None, issued_at: None, leeway: 30, max_lifetime: 86_400 };
        assert_eq!(times.remaining(NOW), LEEWAY);
        assert_eq!(times.remaining(NOW + 29), Duration::from_secs(1));
        assert_eq!(times.remaining(NOW + 31), Duration::ZERO);
        assert_eq!(times.check(NOW + 29), Ok(()));
        assert_eq!(times.check(NOW + 30), Err(InvalidToken::Expired));
    }

    #[test]
    fn the_subject_is_a_string_that_is_not_empty() {
        for subject in [json!("-"), json!(""), json!(1), json!(null), json!(["alice"])] {
            check(json!({ "sub": subject }), Err(InvalidToken::Subject));
        }
    }

    #[test]
    fn bound_refresh_and_identity_tokens_are_refused() {
        for confirmation in [json!({ "jkt": "x" }), json!({ "x5t#S256": "x" }), json!(null), json!({})] {
            check(json!({ "cnf": confirmation }), Err(InvalidToken::Bound));
        }
        for typ in ["ID", "Refresh", "refresh", "Offline"] {
            check(json!({ "typ": typ }), Err(InvalidToken::TokenType));
        }
        check(json!({ "drn": "DSR" }), Err(InvalidToken::TokenType));
        check(json!({ "c_hash": "LDktKdoQak3Pk0cnXxCltA" }), Err(InvalidToken::TokenType));
        check(json!({ "typ": "Bearer", "drn": "DS" }), Ok(()));
    }

    #[test]
    fn leeway_and_lifetime_are_those_of_the_issuer() {
        let none = TokenRules { leeway_seconds: 0, max_token_lifetime_seconds: 600, ..TokenRules::default() };
        let check = |change: Value, expected: Result<(), InvalidToken>| {
            assert_eq!(judge_by(&none, &change).map(|_| ()), expected, "{change}");
        };
        check(json!({ "exp": NOW + 1 }), Ok(()));
        check(json!({ "exp": NOW, "iat": NOW - 60 }), Err(InvalidToken::Expired));
        check(json!({ "nbf": NOW }), Ok(()));
        check(json!({ "nbf": NOW + 1 }), Err(InvalidToken::NotYetValid));
        check(json!({ "exp": NOW + 600 }), Ok(()));
        check(json!({ "exp": NOW + 601 }), Err(InvalidToken::Lifetime));
    }

    #[test]
    fn a_principal_is_all_that_the_rules_read() {
        let rules = TokenRules { tenant_claims: vec!["tid".to_owned()], ..TokenRules::default() };
        let claims = json!({ "azp": "robot", "sub": "robot", "scope": "a b", "tid": "t", "groups": ["ops", "dev"] });
        let principal = judge_by(&rules, &claims).unwrap();
        assert_eq!((principal.issuer(), principal.subject()), ("https://login.example.com", "robot"));
        assert_eq!(principal.kind(), PrincipalKind::Workload);
        assert_eq!((principal.client_id(), principal.tenant()), (Some("robot"), Some("t")));
        assert!(principal.is_in_group("ops") && principal.is_in_group("dev") && !principal.is_in_group("op"));
        assert!(principal.has_scope("a") && principal.has_scope("b") && !principal.has_scope("a b"));
        assert_eq!(principal.ends_at(), Some(NOW + 630));
        assert_eq!(judge_by(&rules, &json!({ "azp": "cli" })).unwrap().kind(), PrincipalKind::Human);
    }

    #[test]
    fn what_a_rule_refuses_is_refused_by_its_class() {
        let mut rules = TokenRules { allowed_clients: vec!["cli".to_owned()], ..TokenRules::default() };
        rules.tenant_claims = vec!["tid".to_owned()];
        rules.required_claims = vec![crds::gateway_config::ClaimCondition {
            claim_path: "verified".to_owned(),
            test: crds::gateway_config::ClaimTest::Equals("true".to_owned()),
        }];
        let good = json!({ "azp": "cli", "verified": true });
        for (name, value, expected) in [
            ("azp", json!("cli"), Ok(())),
            ("azp", json!("other"), Err(InvalidToken::ClientNotAllowed)),
            ("azp", json!(1), Err(InvalidToken::Client)),
            ("verified", json!(false), Err(InvalidToken::RequiredClaim)),
            ("tid", json!([]), Err(InvalidToken::Tenant)),
            ("groups", json!(7), Err(InvalidToken::Groups)),
            ("scope", json!(7), Err(InvalidToken::Scope)),
        ] {
            let mut claims = good.clone();
            claims[name] = value;
            assert_eq!(judge_by(&rules, &claims).map(|_| ()), expected, "{claims}");
        }
    }
}
