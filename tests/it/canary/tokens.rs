//! Secrets in tokens: in those that are refused, one for each reason, and in the claims of those that are accepted.

use serde_json::{Value, json};

use crate::support::forge;

use super::garden::{Mint, REQUIRED, places};
use super::secret::unique;
use super::sinks::Sink;

/// A token around a secret.
pub(super) struct TokenRow {
    pub(super) place: &'static str,
    /// Why it is refused; `None` if it is accepted.
    pub(super) reason: Option<&'static str>,
    pub(super) found_in: &'static [Sink],
    pub(super) token: fn(Mint<'_>, &str) -> String,
}

const fn refused(place: &'static str, reason: &'static str, token: fn(Mint<'_>, &str) -> String) -> TokenRow {
    TokenRow { place, reason: Some(reason), found_in: &[], token }
}

const fn accepted(place: &'static str, found_in: &'static [Sink], token: fn(Mint<'_>, &str) -> String) -> TokenRow {
    TokenRow { place, reason: None, found_in, token }
}

/// A good token but for this one claim.
fn with(mint: Mint<'_>, claim: &str, value: impl Into<Value>) -> String {
    mint.token(&json!({ claim: value.into() }))
}

/// All of them.
pub(super) fn rows() -> Vec<TokenRow> {
    [refused_tokens(), accepted_tokens()].into_iter().flatten().collect()
}

fn refused_tokens() -> Vec<TokenRow> {
    vec![
        refused("an opaque token", "malformed", |_, s| s.to_owned()),
        refused("an encrypted token: its last part", "malformed", |mint, s| {
            format!("{}.AAAA.{s}", mint.token(&json!({})))
        }),
        refused("a token of 20 KiB: a claim", "too_large", |mint, s| with(mint, "filler", s.repeat(480))),
        refused("a token with a member twice: its name", "duplicate_member", |mint, s| {
            let [header, claims, signature] = forge::parts(&mint.token(&json!({})));
            let claims = String::from_utf8(claims).unwrap().replacen('{', &format!(r#"{{"{s}":1,"{s}":2,"#), 1);
            format!("{}.{}.{}", forge::part(header), forge::part(claims), forge::part(signature))
        }),
        refused("alg none: jti", "algorithm", |mint, s| mint.under(&json!({ "alg": "none" }), &json!({ "jti": s }))),
        refused("HS256: jti", "algorithm", |mint, s| {
            let claims = json!({ "iss": mint.claims()["iss"], "jti": s });
            forge::token(&json!({ "alg": "HS256" }), &claims, |message| forge::hs256(b"guessed", message))
        }),
        refused("an unknown alg", "algorithm", |mint, s| mint.under(&json!({ "alg": s }), &json!({}))),
        refused("crit", "header_parameter", |mint, s| mint.under(&json!({ "crit": [s] }), &json!({}))),
        refused("cty", "header_parameter", |mint, s| mint.under(&json!({ "cty": s }), &json!({}))),
        refused("another typ", "token_type", |mint, s| mint.under(&json!({ "typ": s }), &json!({}))),
        refused("an ID token: nonce", "token_type", |mint, s| mint.token(&json!({ "typ": "ID", "nonce": s }))),
        refused("a refresh token: sid", "token_type", |mint, s| mint.token(&json!({ "typ": "Refresh", "sid": s }))),
        refused("an unknown kid", "unknown_key", |mint, s| mint.under(&json!({ "kid": s }), &json!({}))),
        refused("a bad signature: jti", "signature", |mint, s| {
            let [header, claims, signature] = forge::parts(&mint.token(&json!({})));
            let claims = String::from_utf8(claims).unwrap().replacen('{', &format!(r#"{{"x-jti":"{s}","#), 1);
            format!("{}.{}.{}", forge::part(header), forge::part(claims), forge::part(signature))
        }),
        refused("another iss", "issuer", |mint, s| with(mint, "iss", format!("https://{s}.example.com"))),
        refused("another aud", "audience", |mint, s| with(mint, "aud", format!("https://{s}.example.com"))),
        refused("exp that is a text", "times", |mint, s| with(mint, "exp", s)),
        refused("an expired token: jti", "expired", |mint, s| {
            mint.token(&json!({ "iat": mint.now() - 7200, "exp": mint.now() - 3600, "jti": s }))
        }),
        refused("a token of tomorrow: jti", "not_yet_valid", |mint, s| {
            mint.token(&json!({ "nbf": mint.now() + 1800, "jti": s }))
        }),
        refused("a token for a year: jti", "lifetime", |mint, s| {
            mint.token(&json!({ "exp": mint.now() + 31_536_000, "jti": s }))
        }),
        refused("a token without sub: email", "subject", |mint, s| mint.token(&json!({ "sub": null, "email": s }))),
        refused("a malformed client", "client", |mint, s| with(mint, "azp", json!([s]))),
        refused("a client that may not call", "client_not_allowed", |mint, s| with(mint, "azp", s)),
        refused("a malformed tenant", "tenant", |mint, s| with(mint, "tenant", json!([s]))),
        refused("malformed groups", "groups", |mint, s| with(mint, "groups", json!({ s: 1 }))),
        refused("a required claim with another value", "required_claim", |mint, s| with(mint, REQUIRED, s)),
        refused("a malformed scope", "scope", |mint, s| with(mint, "scope", json!({ s: 1 }))),
        refused("cnf", "bound", |mint, s| with(mint, "cnf", json!({ "jkt": s }))),
    ]
}

fn accepted_tokens() -> Vec<TokenRow> {
    vec![
        // `ping` says to callers who they are.
        accepted("an accepted token: sub", &[Sink::OwnAnswer], |mint, s| with(mint, "sub", s)),
        accepted(places::CLIENT, &[Sink::Output], |mint, _| with(mint, "client_id", unique(places::CLIENT))),
        accepted("an accepted token: jti", &[], |mint, s| with(mint, "jti", s)),
        accepted("an accepted token: email", &[], |mint, s| with(mint, "email", format!("{s}@example.com"))),
        accepted("an accepted token: preferred_username", &[], |mint, s| with(mint, "preferred_username", s)),
        accepted("an accepted token: groups", &[], |mint, s| with(mint, "groups", json!([s]))),
        accepted("an accepted token: tenant", &[], |mint, s| with(mint, "tenant", s)),
        accepted("an accepted token: one more scope", &[], |mint, s| with(mint, "scope", format!("tools:ping {s}"))),
        accepted("an accepted token: act", &[], |mint, s| with(mint, "act", json!({ "sub": s }))),
        accepted("an accepted token: a claim of one's own", &[], |mint, s| with(mint, "x", json!({ "y": [s] }))),
        accepted("an accepted token: the name of a claim", &[], |mint, s| with(mint, s, 1)),
        accepted("an accepted token: jku", &[], |mint, s| {
            mint.under(&json!({ "jku": format!("https://{s}.example.com") }), &json!({}))
        }),
        accepted("an accepted token: x5c", &[], |mint, s| mint.under(&json!({ "x5c": [s] }), &json!({}))),
    ]
}
