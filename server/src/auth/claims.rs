//! The claims of a token whose signature was verified, and whether they let it in now.
//!
//! Stricter than the JWT library: every time is a JSON integer in range, `aud` is never optional, nothing is
//! coerced. [`Times::check`] is the one rule about time, for a fresh token and for a remembered decision alike.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::{InvalidToken, Principal, ScopeSet};

/// How far clocks may be apart. Source: auth.md section 4, "times".
pub(super) const LEEWAY: Duration = Duration::from_secs(30);

/// How long a token may be valid. Source: auth.md section 4, "times".
pub(super) const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The largest time that is read: the largest integer that every JSON parser reads alike (RFC 8259 section 6).
const MAX_SECONDS: i64 = (1 << 53) - 1;

/// Keycloak puts the use of a token into the payload, as `typ`; its access tokens have `Bearer`.
const OTHER_USES: [&str; 4] = ["ID", "Refresh", "Offline", "Logout"];

const LEEWAY_SECONDS: i64 = LEEWAY.as_secs().cast_signed();
const MAX_LIFETIME_SECONDS: i64 = MAX_LIFETIME.as_secs().cast_signed();

/// When a token is valid; seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    expires_at: i64,
    not_before: Option<i64>,
    issued_at: Option<i64>,
}

/// Checks the payload of a verified token of `issuer` and names its principal.
pub(super) fn principal(
    payload: &Map<String, Value>,
    issuer: &Arc<str>,
    audiences: &[String],
    now: i64,
) -> Result<(Principal, Times), InvalidToken> {
    if payload.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err(InvalidToken::Issuer);
    }
    check_audience(payload, audiences)?;
    let times = Times::read(payload)?;
    times.check(now)?;
    check_use(payload)?;
    let subject = subject(payload)?;
    let client_id = client_id(payload)?;
    let scopes = scopes(payload)?;
    Ok((Principal::new(Arc::clone(issuer), subject, client_id, scopes), times))
}

/// A string or an array of strings, of which one is accepted; compared whole.
fn check_audience(payload: &Map<String, Value>, accepted: &[String]) -> Result<(), InvalidToken> {
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
    fn read(payload: &Map<String, Value>) -> Result<Self, InvalidToken> {
        Ok(Self {
            expires_at: seconds(payload, "exp")?.ok_or(InvalidToken::Times)?,
            not_before: seconds(payload, "nbf")?,
            issued_at: seconds(payload, "iat")?,
        })
    }

    /// Whether the token is valid at `now` (seconds since 1970).
    ///
    /// `exp` is the first second at which it is not (RFC 7519 section 4.1.4), so the leeway ends before
    /// `exp` + 30 s.
    pub(super) fn check(&self, now: i64) -> Result<(), InvalidToken> {
        if now >= self.expires_at + LEEWAY_SECONDS {
            return Err(InvalidToken::Expired);
        }
        let starts = [self.not_before, self.issued_at];
        if starts.into_iter().flatten().any(|start| start > now + LEEWAY_SECONDS) {
            return Err(InvalidToken::NotYetValid);
        }
        if self.expires_at - self.issued_at.unwrap_or(now) > MAX_LIFETIME_SECONDS {
            return Err(InvalidToken::Lifetime);
        }
        Ok(())
    }

    /// How long until [`Times::check`] says `Expired`.
    pub(super) fn remaining(&self, now: i64) -> Duration {
        let seconds = self.expires_at + LEEWAY_SECONDS - now;
        Duration::from_secs(seconds.max(0).cast_unsigned())
    }
}

/// A JSON integer from 0 to 2^53 - 1. `1.0`, `"1"` and `null` are none.
fn seconds(payload: &Map<String, Value>, name: &str) -> Result<Option<i64>, InvalidToken> {
    let Some(value) = payload.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_i64().filter(|seconds| (0..=MAX_SECONDS).contains(seconds));
    seconds.map(Some).ok_or(InvalidToken::Times)
}

/// Refuses what is signed by the right key but is no access token, and what is bound to a key.
fn check_use(payload: &Map<String, Value>) -> Result<(), InvalidToken> {
    if payload.contains_key("cnf") {
        return Err(InvalidToken::Bound);
    }
    let typ = payload.get("typ").and_then(Value::as_str).unwrap_or_default();
    // Descope marks refresh tokens this way.
    let is_refresh = payload.get("drn").is_some_and(|drn| drn == "DSR");
    if is_refresh || OTHER_USES.iter().any(|other| other.eq_ignore_ascii_case(typ)) {
        return Err(InvalidToken::TokenType);
    }
    Ok(())
}

fn subject(payload: &Map<String, Value>) -> Result<&str, InvalidToken> {
    let subject = payload.get("sub").and_then(Value::as_str);
    subject.filter(|subject| !subject.is_empty()).ok_or(InvalidToken::Subject)
}

/// `azp`, else `client_id`.
fn client_id(payload: &Map<String, Value>) -> Result<Option<Arc<str>>, InvalidToken> {
    let Some(value) = payload.get("azp").or_else(|| payload.get("client_id")) else {
        return Ok(None);
    };
    value.as_str().map(|client_id| Some(client_id.into())).ok_or(InvalidToken::Client)
}

/// `scope`, else `scp`; the first that is present, never both: adding them would give a client more than
/// was consented to.
fn scopes(payload: &Map<String, Value>) -> Result<ScopeSet, InvalidToken> {
    match payload.get("scope").or_else(|| payload.get("scp")) {
        None => Ok(ScopeSet::default()),
        Some(Value::String(scopes)) => Ok(scopes.split(' ').collect()),
        Some(Value::Array(scopes)) => {
            let scopes: Option<ScopeSet> =
                scopes.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|scopes| scopes.into_iter().collect());
            scopes.ok_or(InvalidToken::Scope)
        }
        Some(_) => Err(InvalidToken::Scope),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
        let audiences = ["https://mcp.example.com/mcp".to_owned(), "other".to_owned()];
        principal(&payload(change), &"https://login.example.com".into(), &audiences, NOW)
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
        let times = Times { expires_at: NOW, not_before: None, issued_at: None };
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
        check(json!({ "typ": "Bearer", "drn": "DS" }), Ok(()));
    }

    #[test]
    fn the_client_is_azp_else_client_id() {
        let client = |change| judge(&change).map(|principal| principal.client_id().map(ToOwned::to_owned));
        assert_eq!(client(json!({})), Ok(None));
        assert_eq!(client(json!({ "client_id": "b" })), Ok(Some("b".to_owned())));
        assert_eq!(client(json!({ "azp": "a", "client_id": "b" })), Ok(Some("a".to_owned())));
        assert_eq!(client(json!({ "azp": 1, "client_id": "b" })), Err(InvalidToken::Client));
    }

    #[test]
    fn the_first_scope_claim_wins_and_claims_are_never_merged() {
        let scopes = |change| judge(&change).map(|principal| principal.scopes().iter().collect::<Vec<_>>().join(","));
        let rows = [
            (json!({}), Ok("")),
            (json!({ "scope": "" }), Ok("")),
            (json!({ "scope": "tools:ping tools:echo" }), Ok("tools:echo,tools:ping")),
            (json!({ "scope": " a  b a" }), Ok("a,b")),
            (json!({ "scope": ["a", "b"] }), Ok("a,b")),
            (json!({ "scp": "a b" }), Ok("a,b")),
            (json!({ "scp": ["a", "b"] }), Ok("a,b")),
            (json!({ "scope": "a", "scp": "b" }), Ok("a")),
            (json!({ "scope": "", "scp": "b" }), Ok("")),
            (json!({ "permissions": ["a"], "roles": ["a"] }), Ok("")),
            (json!({ "scope": null, "scp": "b" }), Err(InvalidToken::Scope)),
            (json!({ "scope": 1 }), Err(InvalidToken::Scope)),
            (json!({ "scope": ["a", 1] }), Err(InvalidToken::Scope)),
            (json!({ "scope": { "a": true } }), Err(InvalidToken::Scope)),
            (json!({ "scp": 1 }), Err(InvalidToken::Scope)),
        ];
        for (change, expected) in rows {
            assert_eq!(scopes(change.clone()), expected.map(ToOwned::to_owned), "{change}");
        }
    }
}
