//! The real binary with everything around it, a good token, and the requests that secrets are planted in.

use crds::gateway_config::{
    AuthorizationDefault, AuthorizationPolicy, AuthorizationRule, ClaimCondition, ClaimTest, GatewayPolicy, LogLevel,
    PrincipalKind, Visibility,
};
use jsonwebtoken::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};
use tests::issuer::TestIssuer;

use crate::support::client::PUBLIC_URL;
use crate::support::collector::Collector;
use crate::support::door::changed;
use crate::support::message::LEGACY;
use crate::support::process::GatewayProcess;
use crate::support::{Answer, Era, GatewayOptions, Message, eventually};

use super::secret::unique;
use super::upstream::{self, RecordingUpstream};

/// The client of every token but one.
const CLIENT: &str = "test-client";

/// A claim that every token must have.
pub(super) const REQUIRED: &str = "stage";

/// Places in what is configured.
pub(super) mod places {
    pub(in crate::canary) const SEALING_KEY: &str = "the sealing key";
    /// A member of log lines.
    pub(in crate::canary) const CLIENT: &str = "an accepted token: client_id";
}

/// The gateway, who it talks to, and what callers have.
pub(super) struct Garden {
    pub(super) process: GatewayProcess,
    pub(super) collector: Collector,
    pub(super) upstream: RecordingUpstream,
    /// Opens `ping`, `echo` and the upstream's tools.
    pub(super) token: String,
    /// Of that token.
    pub(super) session: String,
}

impl Garden {
    /// Talks as much as it can. The answer that opened the session comes too.
    pub(super) async fn lay_out() -> (Self, Answer) {
        let (collector, upstream) = (Collector::start().await, RecordingUpstream::start().await);
        let key_folder = tempfile::tempdir().unwrap();
        let key_file = key_folder.path().join("sealing.key");
        std::fs::write(&key_file, unique(places::SEALING_KEY)).unwrap();
        let mut options = GatewayOptions { policy: policy(), ..GatewayOptions::default() };
        let config = &mut options.config;
        config.observability.otlp_endpoint = Some(collector.endpoint());
        config.observability.log_level = LogLevel::Debug;
        config.sealing_key_files = vec![key_file.to_str().unwrap().to_owned()];
        config.upstreams = upstream.configured();
        options.issuers = Box::new(|issuers| {
            let issuer = &mut issuers[0];
            let here = ClaimTest::Equals("here".to_owned());
            issuer.tokens.required_claims = vec![ClaimCondition { claim_path: REQUIRED.to_owned(), test: here }];
            issuer.tokens.tenant_claims = vec!["tenant".to_owned()];
            issuer.tokens.allowed_clients = vec![unique(places::CLIENT), CLIENT.to_owned()];
        });
        // In its working directory: all that it writes is to be searched.
        let process = GatewayProcess::start_with(options, &["--key-cache", "."]).await;
        let token = Mint(&process.issuer).token(&json!({}));
        let mut garden = Self { process, collector, upstream, token, session: String::new() };
        garden.until_the_upstreams_were_met().await;
        garden.until_the_keys_are_kept().await;
        let opened = garden.send(&Request::of(&Message::initialize(LEGACY)).bearing(&garden.token)).await;
        opened.header("mcp-session-id").expect("a session").clone_into(&mut garden.session);
        (garden, opened)
    }

    /// Two of them; the third was looked for.
    async fn until_the_upstreams_were_met(&self) {
        eventually("the upstreams were met", async || {
            let report = self.process.client.admin("/report").await.json();
            let [gone, old, up] = report["upstreams"].as_array()?.as_slice() else { return None };
            (gone["lastError"].is_string() && old["ready"] == true && up["ready"] == true).then_some(())
        })
        .await;
    }

    async fn until_the_keys_are_kept(&self) {
        eventually("the keys are kept", async || {
            let mut entries = std::fs::read_dir(self.process.scratch()).unwrap();
            // With an extension it is still being written.
            entries.any(|entry| entry.unwrap().path().extension().is_none()).then_some(())
        })
        .await;
    }

    pub(super) fn mint(&self) -> Mint<'_> {
        Mint(&self.process.issuer)
    }

    /// A modern request with the good token.
    pub(super) fn modern(&self, method: &str, params: Value) -> Request {
        self.say(&Message::modern(method, params))
    }

    /// A modern call of a tool with the good token.
    pub(super) fn call(&self, tool: &str, arguments: Value) -> Request {
        self.say(&Message::call(Era::Modern, tool, arguments))
    }

    /// The simplest call of all.
    pub(super) fn ping(&self) -> Request {
        self.call("ping", json!({}))
    }

    /// `ping` under no credential at all.
    pub(super) fn anonymous() -> Request {
        Request::of(&Message::call(Era::Modern, "ping", json!({})))
    }

    /// A call that goes on to the upstream, under no credential.
    pub(super) fn forwarded() -> Request {
        Request::of(&Message::call(Era::Modern, &upstream::echo(), json!({})))
    }

    /// A request of the older era, in the session, with the good token.
    pub(super) fn legacy(&self, method: &str, params: Value) -> Request {
        self.say(&Message::legacy(method, params).header("mcp-session-id", &self.session))
    }

    /// This message with the good token.
    pub(super) fn say(&self, message: &Message) -> Request {
        Request::of(message).bearing(&self.token)
    }

    pub(super) async fn send(&self, request: &Request) -> Answer {
        let mut builder = self.process.client.request(request.method.clone(), &request.target);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        Answer::read(builder.body(request.body.clone()).send().await.unwrap()).await
    }
}

/// One request, down to its bytes.
#[derive(Clone)]
pub(super) struct Request {
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    pub(super) fn of(message: &Message) -> Self {
        let (headers, body) = (message.headers.clone(), message.body.to_string());
        Self { method: Method::POST, target: "/mcp".to_owned(), headers, body }
    }

    pub(super) fn bearing(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// One more line, also beside one of the same name.
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(present, _)| present != name);
        self.header(name, value)
    }

    pub(super) fn target(self, target: &str) -> Self {
        Self { target: target.to_owned(), ..self }
    }

    pub(super) fn method(self, method: &str) -> Self {
        Self { method: method.parse().unwrap(), ..self }
    }

    pub(super) fn body(self, body: &str) -> Self {
        Self { body: body.to_owned(), ..self }
    }
}

/// Makes tokens.
#[derive(Clone, Copy)]
pub(super) struct Mint<'a>(pub(super) &'a TestIssuer);

impl Mint<'_> {
    /// The claims of a good token.
    pub(super) fn claims(self) -> Value {
        changed(self.0.claims(&["tools:ping", "tools:echo"], PUBLIC_URL), &json!({ REQUIRED: "here" }))
    }

    /// Now, in seconds since 1970.
    pub(super) fn now(self) -> i64 {
        self.claims()["iat"].as_i64().unwrap()
    }

    /// A token with these claims changed; `null` removes one.
    pub(super) fn token(self, changes: &Value) -> String {
        self.0.mint(&changed(self.claims(), changes))
    }

    /// A token with this header and these claims changed.
    pub(super) fn under(self, header: &Value, claims: &Value) -> String {
        let header = changed(json!({ "alg": "ES256", "kid": "es256-0", "typ": "at+jwt" }), header);
        self.0.mint_under(Algorithm::ES256, &header, &changed(self.claims(), claims))
    }
}

/// All ways in which a call can be refused.
fn policy() -> GatewayPolicy {
    let rule = |tool: &str| AuthorizationRule::scopes([tool], ["nobody:has"]);
    let rules = vec![
        AuthorizationRule {
            principal_kinds: vec![PrincipalKind::Workload],
            ..AuthorizationRule::scopes(["health_check"], [""; 0])
        },
        AuthorizationRule { visibility: Visibility::Hide, ..rule(upstream::HIDDEN) },
        rule(upstream::SCOPED),
    ];
    GatewayPolicy::of(AuthorizationPolicy::new(AuthorizationDefault::Authenticated, rules))
}
