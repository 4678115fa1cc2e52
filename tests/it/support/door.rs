//! A gateway seen as a door: which token it lets in, and with which words it refuses the others.
//!
//! Every token is tried in both eras and twice in each, so that what is remembered answers like what is new. A refusal
//! is compared word for word, is counted under its reason, and no tool has run.

use crds::gateway_config::{GatewayPolicy, IssuerConfig};
use jsonwebtoken::Algorithm;
use reqwest::StatusCode;
use serde_json::{Value, json};
use server::app::Deps;

use super::client::PUBLIC_URL;
use super::clock::TestClock;
use super::in_process::{SpawnedGateway, spawn_gateway_with};
use super::{Answer, Era, GatewayOptions, Message};

/// The one URL that a challenge names.
const METADATA_URL: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

/// The one sentence for each reason, as clients see it. Written out: it is what the wire must say.
const PHRASES: [(&str, &str); 23] = [
    ("several_credentials", "more than one Authorization header was sent"),
    ("too_large", "the access token is too large"),
    ("malformed", "the access token is not a signed JWT in compact form"),
    ("duplicate_member", "the access token names a member twice"),
    ("algorithm", "the access token is signed with an algorithm that is not accepted"),
    ("header_parameter", "the access token has a header parameter that is not accepted"),
    ("token_type", "the token is not an access token"),
    ("unknown_key", "the access token is signed with an unknown key"),
    ("signature", "the signature of the access token does not verify"),
    ("issuer", "the access token comes from an issuer that is not trusted"),
    ("audience", "the access token was not issued for this server"),
    ("times", "the times of the access token are missing or malformed"),
    ("expired", "the access token has expired"),
    ("not_yet_valid", "the access token is not valid yet"),
    ("lifetime", "the access token is valid for too long"),
    ("subject", "the access token has no subject"),
    ("client", "the client of the access token is malformed"),
    ("client_not_allowed", "the access token was issued to a client that may not call this server"),
    ("tenant", "the tenant of the access token is malformed"),
    ("groups", "the groups of the access token are malformed"),
    ("required_claim", "the access token lacks a claim that this server requires"),
    ("scope", "the scope of the access token is malformed"),
    ("bound", "the access token is bound to a key and cannot be used as a bearer token"),
];

/// A gateway with one issuer, whose clock a test can set.
pub(crate) struct Door {
    pub(crate) gateway: SpawnedGateway,
    pub(crate) clock: TestClock,
}

impl Door {
    /// Of an issuer whose tokens are plain OAuth.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Of an issuer whose entry is changed so.
    pub(crate) async fn with(change: impl FnOnce(&mut IssuerConfig) + Send + 'static) -> Self {
        let issuers = Box::new(|entries: &mut Vec<IssuerConfig>| change(&mut entries[0]));
        Self::with_options(GatewayOptions { issuers, ..GatewayOptions::default() }).await
    }

    /// With this policy.
    pub(crate) async fn under(policy: GatewayPolicy) -> Self {
        Self::with_options(GatewayOptions { policy, ..GatewayOptions::default() }).await
    }

    /// With all of this.
    pub(crate) async fn with_options(options: GatewayOptions) -> Self {
        let clock = TestClock::default();
        let deps = Deps { clock: std::sync::Arc::new(clock.clone()), ..Deps::new(true) };
        Self { gateway: spawn_gateway_with(options, deps).await, clock }
    }

    /// The claims of a token that opens the tool `ping`.
    pub(crate) fn claims(&self) -> Value {
        self.gateway.issuer.claims(&["tools:ping"], PUBLIC_URL)
    }

    /// Now, in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.claims()["iat"].as_i64().unwrap()
    }

    /// Such a token with these claims changed; `null` removes one.
    pub(crate) fn token(&self, changes: &Value) -> String {
        self.gateway.issuer.mint(&changed(self.claims(), changes))
    }

    /// Such a token with this header changed; `null` removes a member. Signed by the ES256 key.
    pub(crate) fn token_under(&self, changes: &Value) -> String {
        let header = changed(json!({ "alg": "ES256", "kid": "es256-0", "typ": "at+jwt" }), changes);
        self.gateway.issuer.mint_under(Algorithm::ES256, &header, &self.claims())
    }

    /// `ping` is answered.
    pub(crate) async fn admits(&self, token: &str) {
        for era in Era::BOTH {
            for round in ["new", "again"] {
                let answer = self.ping(era, token).await;
                assert_eq!(answer.status, StatusCode::OK, "{era:?}, {round}: {}", answer.text());
                let result = &answer.json()["result"];
                assert_eq!(result["structuredContent"]["message"], "pong", "{era:?}, {round}: {result}");
            }
        }
    }

    /// 401 with the phrase of `reason`; nothing ran.
    pub(crate) async fn refuses(&self, token: &str, reason: &str) {
        for era in Era::BOTH {
            for _ in ["new", "again"] {
                let answer = self.ping(era, token).await;
                refused(&answer, reason);
            }
        }
        self.saw_nothing_but(reason).await;
    }

    /// 403 with all of `scopes`; nothing ran.
    pub(crate) async fn asks_for(&self, token: &str, scopes: &str) {
        for era in Era::BOTH {
            let answer = self.ping(era, token).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
            let expected = format!(
                r#"Bearer error="insufficient_scope", error_description="the access token lacks a scope that this operation needs", resource_metadata="{METADATA_URL}", scope="{scopes}""#
            );
            assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()));
            assert_eq!(plain_body(&answer), ["correlation_id", "error", "error_description"]);
            assert_eq!(answer.json()["error"], "insufficient_scope");
        }
        assert_eq!(self.gateway.calls_run().await, 0, "a tool ran");
    }

    /// `ping` with this token.
    pub(crate) async fn ping(&self, era: Era, token: &str) -> Answer {
        self.gateway.client.call(era, "ping", json!({}), token).await
    }

    /// Every refusal so far was for `reason`, and no tool has run.
    pub(crate) async fn saw_nothing_but(&self, reason: &str) {
        let counted = async |labels: &[&str]| self.gateway.client.counted("mcp_server_refusals_total", labels).await;
        let (all, these) = (counted(&[]).await, counted(&[&format!("reason=\"{reason}\"")]).await);
        assert!(these >= 2 && these == all, "{these} of {all} refusals were for {reason}");
        assert_eq!(self.gateway.calls_run().await, 0, "a tool ran");
    }
}

/// Every reason for which a credential is refused.
pub(crate) fn reasons() -> impl Iterator<Item = &'static str> {
    PHRASES.iter().map(|(reason, _)| *reason)
}

/// The sentence that clients see for `reason`.
pub(crate) fn phrase(reason: &str) -> &'static str {
    let (_, phrase) = PHRASES.iter().find(|(known, _)| *known == reason).expect("a reason of the closed set");
    phrase
}

/// Checks an answer to a bad credential word for word.
pub(crate) fn refused(answer: &Answer, reason: &str) {
    let phrase = phrase(reason);
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text());
    let expected = format!(
        r#"Bearer error="invalid_token", error_description="{phrase}", resource_metadata="{METADATA_URL}", scope="tools:echo tools:ping""#
    );
    assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()));
    assert_eq!(plain_body(answer), ["correlation_id", "error", "error_description"]);
    assert_eq!(
        (&answer.json()["error"], &answer.json()["error_description"]),
        (&json!("invalid_token"), &json!(phrase))
    );
}

/// The reason that stands behind the phrase of a refusal.
pub(crate) fn reason(answer: &Answer) -> &'static str {
    let body = answer.json();
    let phrase = body["error_description"].as_str().unwrap_or_default();
    let found = PHRASES.iter().find(|(_, known)| *known == phrase);
    found.unwrap_or_else(|| panic!("{} with `{phrase}`", answer.status)).0
}

/// Checks an answer to a request without a credential word for word.
pub(crate) fn challenged(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text());
    let expected = format!(r#"Bearer resource_metadata="{METADATA_URL}", scope="tools:echo tools:ping""#);
    assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()));
}

/// `ping` of the modern era, for those who send it by other means.
pub(crate) fn ping() -> Message {
    Message::call(Era::Modern, "ping", json!({}))
}

/// `base` with members replaced; `null` removes one.
pub(crate) fn changed(mut base: Value, changes: &Value) -> Value {
    let members = base.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    base
}

fn plain_body(answer: &Answer) -> Vec<String> {
    answer.json().as_object().unwrap().keys().cloned().collect()
}
