//! A gateway that offers the fixtures, and what a test turns: the fixtures themselves, the clock, the policy.

use std::sync::Arc;

use serde_json::{Value, json};
use server::app::Deps;
use server::features::Provider;

use super::client::PUBLIC_URL;
use super::clock::TestClock;
use super::events::EventStream;
use super::files::GatewayOptions;
use super::in_process::{SpawnedGateway, spawn_gateway_with};
use super::message::{Era, Message};
use super::patience::eventually;
use super::provider::Fixtures;
use super::session::{Session, everything};

/// All of it. Everything ends when it is dropped.
pub(crate) struct World {
    pub(crate) gateway: SpawnedGateway,
    pub(crate) fixtures: Arc<Fixtures>,
    pub(crate) clock: TestClock,
    /// Of the person that most tests are about.
    pub(crate) token: String,
}

impl World {
    /// With the usual limits.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other limits, or more replicas, or other rules.
    pub(crate) async fn with(change: impl FnOnce(&mut GatewayOptions)) -> Self {
        let mut options = GatewayOptions::default();
        change(&mut options);
        let (sender, made) = std::sync::mpsc::sync_channel(1);
        let clock = TestClock::default();
        let deps = Deps {
            clock: Arc::new(clock.clone()),
            providers: Box::new(move |changes| {
                let fixtures = Arc::new(Fixtures::new(changes.clone()));
                sender.send(Arc::clone(&fixtures)).unwrap();
                let provider: Arc<dyn Provider> = fixtures;
                vec![provider]
            }),
            ..Deps::new(true)
        };
        let gateway = spawn_gateway_with(options, deps).await;
        let token = gateway.issuer.token(&["tools:echo"], PUBLIC_URL);
        Self { gateway, fixtures: made.recv().unwrap(), clock, token }
    }

    /// A session of a client that can do everything.
    pub(crate) async fn session(&self, revision: &'static str) -> Session {
        Session::open(&self.gateway.client, &self.token, revision, &everything()).await
    }

    /// A modern request, sent and answered with a result.
    pub(crate) async fn result(&self, message: &Message) -> Value {
        self.gateway.client.send(message, Some(&self.token)).await.result()
    }

    /// `subscriptions/listen` with this filter and id; the acknowledgement has come and is returned too.
    pub(crate) async fn listen(&self, id: Value, filter: Value) -> (EventStream, Value) {
        let mut stream = self.gateway.client.stream(&listen(id, filter), &self.token).await;
        let acknowledged = stream.message().await;
        assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
        (stream, acknowledged)
    }

    /// Until the public listener has so many connections: how one sees that it noticed the end of one.
    pub(crate) async fn until_connections(&self, count: usize) {
        eventually("the gateway has noticed that the client is gone", async || {
            (self.gateway.client.connections().await == count).then_some(())
        })
        .await;
    }
}

/// `subscriptions/listen`.
#[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
pub(crate) fn listen(id: Value, filter: Value) -> Message {
    Message::modern("subscriptions/listen", json!({ "notifications": filter })).with("/id", id)
}

/// `tools/call` of the modern era that wants to hear of its progress.
pub(crate) fn call(tool: &str, arguments: Value) -> Message {
    Message::call(Era::Modern, tool, arguments).with("/params/_meta/progressToken", json!("progress"))
}
