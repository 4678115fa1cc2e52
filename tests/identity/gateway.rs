//! A gateway whose only issuer is Keycloak, and what its answers must say.

use std::{sync::Arc, time::Duration};

use crds::gateway_config::{GatewayPolicy, IssuerConfig};
use reqwest::StatusCode;
use serde_json::{Value, json};
use server::app::Deps;
use tests::keycloak::Keycloak;
use tokio::net::TcpListener;

use crate::{
    clock::ForwardClock,
    it::support::{
        Answer, Era, GatewayOptions, eventually,
        files::{GatewayFiles, policy},
        in_process::Serving,
        page::Page,
    },
};

/// In process, with the built-in tools and their own rules: `ping` needs `tools:ping`, `echo` needs `tools:echo`.
pub(crate) struct Gateway {
    serving: Serving,
    clock: ForwardClock,
    _files: GatewayFiles,
}

impl Gateway {
    /// Serves on `socket` as `public_url`; has Keycloak's keys.
    pub(crate) async fn start(keycloak: &Keycloak, socket: TcpListener, public_url: &str) -> Self {
        Self::under(policy(&[]), keycloak, socket, public_url).await
    }

    /// The same under this policy. The issuer's entry is that of the page for users, but for its URL and authority.
    pub(crate) async fn under(
        policy: GatewayPolicy,
        keycloak: &Keycloak,
        socket: TcpListener,
        public_url: &str,
    ) -> Self {
        let entry = Page::open("keycloak").valid.config.auth.issuers.remove(0);
        let as_the_page_says = move |issuers: &mut Vec<IssuerConfig>| {
            let IssuerConfig { issuer, ca_file, audiences, .. } = issuers.remove(0);
            issuers.push(IssuerConfig { issuer, ca_file, audiences, ..entry });
        };
        let issuers = Box::new(as_the_page_says);
        let mut options = GatewayOptions { policy, issuers, ..GatewayOptions::default() };
        public_url.clone_into(&mut options.config.public_url);
        let files = GatewayFiles::trusting(options, &[(&keycloak.issuer_url(), keycloak.ca_pem())]);
        let clock = ForwardClock::default();
        let deps = Deps { clock: Arc::new(clock.clone()), ..Deps::new(true) };
        let serving = Serving::start(&files, socket, deps).await;
        serving.client.until_ready().await;
        Self { serving, clock, _files: files }
    }

    /// `tools/call` of `ping`; asked again as long as the gateway says that it has no keys right now.
    pub(crate) async fn ping(&self, era: Era, token: &str) -> Answer {
        self.call(era, "ping", json!({}), token).await
    }

    /// `tools/call` of `ping`, asked once, whatever the answer is.
    pub(crate) async fn ping_once(&self, era: Era, token: &str) -> Answer {
        self.serving.client.call(era, "ping", json!({}), token).await
    }

    /// The same for any tool.
    pub(crate) async fn call(&self, era: Era, tool: &str, arguments: Value, token: &str) -> Answer {
        eventually("the gateway has keys", async || {
            let answer = self.serving.client.call(era, tool, arguments.clone(), token).await;
            (answer.status != StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
        })
        .await
    }

    pub(crate) async fn is_ready(&self) -> bool {
        self.serving.client.admin("/readyz").await.status == StatusCode::OK
    }

    /// For this gateway it is so much later.
    pub(crate) fn forward(&self, by: Duration) {
        self.clock.forward(by);
    }
}

/// `ping` was served.
#[track_caller]
pub(crate) fn assert_pong(answer: &Answer) {
    assert_eq!(answer.result()["structuredContent"]["message"], "pong", "{}", answer.text());
}

/// 401 for a token that is not accepted, in this class.
#[track_caller]
pub(crate) fn assert_invalid(answer: &Answer, description: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text());
    let challenge = answer.header("www-authenticate").unwrap();
    let expected = format!(r#"error="invalid_token", error_description="{description}""#);
    assert!(challenge.contains(&expected), "{challenge}");
}
