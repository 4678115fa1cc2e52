//! A whole [`App`] for unit tests of layers and routes: the development issuer, no socket, no file.

pub(crate) mod debug;

use axum::body::Body;
use crds::gateway_config::{
    AuthConfig, AuthorizationDefault, AuthorizationPolicy, AuthorizationRule, GatewayPolicy, IssuerConfig,
};
use http::{HeaderMap, Request, StatusCode, header::HOST};
use http_body_util::BodyExt as _;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::{
    app::{App, Deps},
    auth::IssuerSettings,
    clock::{Clock as _, SystemClock},
    config::{Config, testing::document},
    dev::{DEV_ISSUER, DevIssuer},
    listener::Service,
    policy_file::PolicySource,
};

/// An endpoint at `https://mcp.example.com/mcp` whose `echo` needs a scope that no token has.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) token: String,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl TestApp {
    /// Must be called inside a Tokio runtime.
    pub(crate) fn new() -> Self {
        let issuer = DevIssuer::new().unwrap();
        let resource = "https://mcp.example.com/mcp";
        let token = issuer.token(resource, SystemClock.now()).unwrap().expose_secret().to_owned();
        Self { app: app(vec![issuer.settings(resource)]), token }
    }
}

/// The same endpoint with other issuers.
pub(crate) fn app(issuers: Vec<IssuerSettings>) -> App {
    app_with(issuers, |_| {})
}

/// The same with another configuration.
pub(crate) fn app_with(issuers: Vec<IssuerSettings>, change: impl FnOnce(&mut AuthConfig)) -> App {
    let mut gateway = document();
    gateway.auth = AuthConfig::oauth(vec![IssuerConfig::new(DEV_ISSUER, [gateway.public_url.clone()])]);
    change(&mut gateway.auth);
    let rules = vec![AuthorizationRule::scopes(["echo"], ["special:one", "special:two"])];
    let policy = GatewayPolicy::of(AuthorizationPolicy::new(AuthorizationDefault::Deny, rules));
    let deps = Deps { issuers: Some(issuers), ..Deps::new(true) };
    App::build(Config::from_document(&gateway).unwrap(), PolicySource::Fixed(policy), deps).unwrap()
}

/// A request to the public host, without a body.
pub(crate) fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).header(HOST, "mcp.example.com").body(Body::empty()).unwrap()
}

/// Sends one request through a listener's routes.
pub(crate) async fn send(service: impl Service, request: Request<Body>) -> Answer {
    let (parts, body) = service.answer(None, request).await.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status: parts.status, headers: parts.headers, body }
}
