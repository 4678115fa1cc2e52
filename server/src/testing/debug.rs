//! What holds a secret shows none in `Debug`, or has no `Debug` at all.

use std::{sync::Arc, time::Duration};

use crds::gateway_config::UpstreamConfig;
use secrecy::ExposeSecret as _;
use serde_json::value::RawValue;

use crate::{
    app::App,
    auth::Principal,
    clock::{Clock as _, SystemClock},
    config::{Config, testing::document},
    dev::DevIssuer,
    features::{CallContext, CallKind, Changes, ClientCapabilities, InputRequired, Notes},
    layers::body::BufferedBody,
    mcp::{Caller, McpRequest},
    net::AddressPolicy,
    places::Places,
    seal::KeyRing,
    upstream::{Upstream, UpstreamSettings},
};

/// Fails to compile for a type with `Debug`: then two implementations fit.
macro_rules! has_no_debug {
    ($($type:ty),* $(,)?) => {$({
        trait Ambiguous<Guess> {
            fn guess() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        impl<T: ?Sized + std::fmt::Debug> Ambiguous<u8> for T {}
        let _ = <$type as Ambiguous<_>>::guess;
    })*};
}
pub(crate) use has_no_debug;

/// In every secret of these tests.
const SECRET: &str = "canary";

#[track_caller]
fn check(value: &dyn std::fmt::Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        let bytes = SECRET.as_bytes().iter().map(u8::to_string).collect::<Vec<_>>();
        for form in [SECRET.to_owned(), bytes.join(", "), bytes.join(",\n")] {
            let (flat, form) = (text.replace(' ', ""), form.replace(' ', ""));
            assert!(!flat.contains(&form), "{text}");
        }
    }
}

/// All that a token says of its owner.
fn principal() -> Arc<Principal> {
    let principal = Principal::new("https://issuer.example", "canary-subject");
    Arc::new(principal.in_tenant(Some("canary-tenant")).in_groups(["canary-group"]))
}

#[test]
fn whoever_asks_is_named_as_in_the_log() {
    let principal = principal();
    check(&principal);
    assert!(format!("{principal:?}").contains(principal.pseudonym()));
    let places = Places::new(2);
    let place = places.take(&principal, 1).unwrap();
    check(&places);
    check(&place);
}

#[test]
fn the_configuration_shows_neither_keys_nor_urls_with_secrets() {
    let mut document = document();
    let url = "https://example.com/mcp?key=canary".to_owned();
    document.upstreams = vec![UpstreamConfig { name: "up".to_owned(), url: url.clone(), timeout_seconds: 1 }];
    document.observability.otlp_endpoint = Some("https://canary@collector.example.com".to_owned());
    let mut config = Config::from_document(&document).unwrap();
    config.sealing_keys = vec![SECRET.as_bytes().to_vec().into()];
    check(&config);
    check(&document);
    let settings = UpstreamSettings { name: "up".to_owned(), url, deadline: Duration::from_secs(1) };
    check(&settings);
    check(&Upstream::new(settings, AddressPolicy::default(), Changes::default()).unwrap());
}

#[test]
fn a_call_shows_nothing_of_what_was_typed() {
    let arguments = || RawValue::from_string(r#"{"password":"canary"}"#.to_owned()).unwrap();
    let context = CallContext {
        principal: principal(),
        correlation_id: "c-1".into(),
        clock: Arc::new(SystemClock),
        client: ClientCapabilities::default(),
        responses: Some(Arc::new([("a".to_owned(), arguments())].into())),
        state: Some(SECRET.as_bytes().into()),
        traceparent: None,
        notes: Notes::default(),
    };
    check(&context);
    check(&CallKind::Tool { name: "canary".into(), arguments: arguments() });
    check(&CallKind::Resource { uri: "file:///canary".into() });
    check(&CallKind::Prompt { name: "canary".into(), arguments: Some(arguments()) });
    check(&InputRequired::default().remember(SECRET));
}

#[test]
fn the_token_of_dev_is_hidden() {
    let token = DevIssuer::new().unwrap().token("http://127.0.0.1:8080/mcp", SystemClock.now()).unwrap();
    let shown = format!("{token:?}");
    assert!(token.expose_secret().split('.').all(|part| !shown.contains(part)), "{shown}");
}

#[test]
fn keys_and_whole_requests_cannot_be_shown_at_all() {
    has_no_debug!(App, BufferedBody, Caller<'_>, DevIssuer, KeyRing, McpRequest<'_>);
}
