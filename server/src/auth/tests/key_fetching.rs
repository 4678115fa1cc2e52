//! Issuers that misbehave: each cause has its own sentence, the last good set stays, and nothing forbidden is
//! connected to.

use std::{sync::Arc, time::Duration};

use crds::gateway_report::KeySetState;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::{
    issuer_server::{IssuerServer, Reply},
    keys::{EC, RSA, ec_jwk, rsa_jwk},
    support::{AUDIENCE, FakeClock, Signer, ask, build, document, token},
};
use crate::{
    auth::{Authenticator, IssuerSettings, KeyRules, KeySource, Refusal},
    net::AddressPolicy,
};

pub(super) const LOOPBACK: AddressPolicy = AddressPolicy { allow_loopback: true, allow_private: false, denied: None };

pub(super) fn settings(server: &IssuerServer, jwks_uri: Option<String>) -> IssuerSettings {
    let ca_pem = Some(server.ca_pem.clone());
    let keys = match jwks_uri {
        Some(uri) => KeySource::JwksUri { uri, ca_pem },
        None => KeySource::Discovery { ca_pem },
    };
    IssuerSettings::new(&server.url, vec![AUDIENCE.to_owned()], keys)
}

fn good_keys() -> [Value; 2] {
    [rsa_jwk(&RSA, "rsa"), ec_jwk(&EC, "ec")]
}

fn discovering(server: &IssuerServer, clock: &Arc<FakeClock>) -> Authenticator {
    build(vec![settings(server, None)], clock, LOOPBACK)
}

fn last_error(authenticator: &Authenticator) -> String {
    authenticator.reports()[0].last_error.clone().unwrap_or_default()
}

/// An issuer that was good once answers its keys like this: the cause is named, and its tokens still work.
async fn check_keys(reply: Reply, expected: Expect) -> IssuerServer {
    let server = IssuerServer::start().await;
    server.publish(&good_keys());
    let authenticator = discovering(&server, &FakeClock::new());
    authenticator.refresh(0).await;
    assert_eq!(last_error(&authenticator), "");
    server.reply("/keys", reply);
    authenticator.refresh(0).await;
    expected.assert_eq(&last_error(&authenticator));
    let token = token(Signer::ec(), &json!({}), &json!({ "iss": server.url }));
    assert!(ask(&authenticator, &token).await.is_ok(), "the last good set is kept");
    assert_eq!(authenticator.reports()[0].state, KeySetState::Stale);
    server
}

/// A new issuer has this discovery document.
async fn check_discovery(document: impl FnOnce(&IssuerServer) -> Value, expected: Expect) {
    let server = IssuerServer::start().await;
    server.publish(&good_keys());
    server.discovery(&document(&server));
    let authenticator = discovering(&server, &FakeClock::new());
    authenticator.refresh(0).await;
    expected.assert_eq(&last_error(&authenticator));
    assert_eq!(server.requests(), 1, "only the document was asked for");
    assert!(!authenticator.ready());
}

#[tokio::test]
async fn fifty_mebibytes_are_refused_by_their_announcement() {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", 50 << 20);
    check_keys(
        Reply::Raw(head.into_bytes()),
        expect!["the key set cannot be used: the answer had more than 262144 bytes"],
    )
    .await;
}

#[tokio::test]
async fn a_body_without_end_is_left_at_the_bound() {
    let server =
        check_keys(Reply::Endless, expect!["the key set cannot be used: the answer had more than 262144 bytes"]).await;
    // What the sockets' buffers hold was sent, but never read into a body.
    assert!(server.taken() < 16 << 20, "{}", server.taken());
}

#[tokio::test]
async fn ten_thousand_keys_are_refused() {
    let keys = vec![json!({ "kty": "RSA" }); 10_000];
    let reply = Reply::json(&document(&keys));
    check_keys(reply, expect!["the key set cannot be used: it has more than 64 keys"]).await;
}

#[tokio::test]
async fn a_redirect_to_a_metadata_address_is_not_followed() {
    let reply = Reply::with("302 Found", "location: http://169.254.169.254/latest/meta-data\r\n", "");
    check_keys(
        reply,
        expect!["the key set cannot be used: the answer was a redirect, which is not followed; name the final URL"],
    )
    .await;
}

#[tokio::test]
async fn a_page_for_people_is_no_key_set() {
    let reply = Reply::with("200 OK", "content-type: text/html\r\n", &document(&good_keys()));
    check_keys(reply, expect!["the key set cannot be used: the answer was not declared as JSON"]).await;
}

#[tokio::test]
async fn invalid_json_is_no_key_set() {
    check_keys(Reply::json("{\"keys\":["), expect!["the key set cannot be used: it is not a JSON Web Key Set"]).await;
}

#[tokio::test]
async fn a_set_with_a_private_key_is_refused_whole() {
    let mut keys = good_keys();
    keys[1]["d"] = json!("AAAA");
    check_keys(
        Reply::json(&document(&keys)),
        expect!["the key set cannot be used: it holds a private key; every key in it must be revoked"],
    )
    .await;
}

#[tokio::test]
async fn an_error_status_is_named() {
    let reply = Reply::with("503 Service Unavailable", "content-type: application/json\r\n", "{}");
    check_keys(reply, expect!["the key set cannot be used: the answer had status 503"]).await;
}

#[tokio::test]
async fn a_broken_answer_is_an_interruption() {
    let reply =
        Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{".to_vec());
    check_keys(reply, expect!["the key set cannot be used: the connection broke"]).await;
}

#[tokio::test]
async fn a_document_of_another_issuer_is_refused_also_when_only_a_slash_differs() {
    check_discovery(
        |server| json!({ "issuer": format!("{}/", server.url), "jwks_uri": server.jwks_uri() }),
        expect![[
            "the discovery document cannot be used: the document names another issuer; `issuer` must be equal byte for byte"
        ]],
    )
    .await;
}

#[tokio::test]
async fn keys_in_clear_are_not_fetched() {
    check_discovery(
        |server| json!({ "issuer": server.url, "jwks_uri": "http://login.example.com/keys" }),
        expect!["the key set cannot be used: the URL is refused because its scheme is not permitted; use https"],
    )
    .await;
}

#[tokio::test]
async fn keys_on_a_metadata_address_are_not_fetched() {
    check_discovery(
        |server| json!({ "issuer": server.url, "jwks_uri": "https://169.254.169.254/keys" }),
        expect![[
            "the key set cannot be used: its host has no address that may be connected to; private ones take `allowPrivateAddresses: true`, unless the operator denies them"
        ]],
    )
    .await;
}

#[tokio::test]
async fn a_document_without_keys_is_malformed() {
    check_discovery(
        |server| json!({ "issuer": server.url }),
        expect!["the discovery document cannot be used: the answer was not the expected JSON document"],
    )
    .await;
}

#[tokio::test]
async fn an_address_that_is_not_permitted_is_not_connected_to() {
    let server = IssuerServer::start().await;
    server.publish(&good_keys());
    for jwks_uri in [None, Some(server.jwks_uri()), Some(server.jwks_uri().replace("127.0.0.1", "localhost"))] {
        let settings = settings(&server, jwks_uri);
        let authenticator = build(vec![settings], &FakeClock::new(), AddressPolicy::default());
        authenticator.refresh(0).await;
        assert!(last_error(&authenticator).contains("no address that may be connected to"));
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_private_address_takes_the_word_of_the_issuers_entry_and_of_the_gateway() {
    for (gateway, entry) in [(false, false), (false, true), (true, false), (true, true)] {
        let key_rules = KeyRules { allow_private_addresses: entry, ..KeyRules::default() };
        let policy = key_rules.addresses(AddressPolicy { allow_private: gateway, ..LOOPBACK });
        assert_eq!(policy, AddressPolicy { allow_private: gateway && entry, ..LOOPBACK });
    }
    let server = IssuerServer::start().await;
    // Written as an address, so that nothing has to be connected to in order to refuse it.
    let settings = settings(&server, Some("https://10.0.0.1/keys".to_owned()));
    let addresses = AddressPolicy { allow_private: true, ..LOOPBACK };
    let authenticator = build(vec![settings], &FakeClock::new(), addresses);
    authenticator.refresh(0).await;
    assert!(last_error(&authenticator).contains("private ones take `allowPrivateAddresses: true`"));
}

#[tokio::test]
async fn the_api_server_is_no_issuer_under_its_address_nor_under_a_name() {
    let server = IssuerServer::start().await;
    server.publish(&good_keys());
    // `localhost` may also be ::1, where nobody listens: the keys stay away either way, so the count is the evidence.
    let denied = "127.0.0.1".parse().ok();
    for jwks_uri in [None, Some(server.jwks_uri()), Some(server.jwks_uri().replace("127.0.0.1", "localhost"))] {
        let settings = settings(&server, jwks_uri);
        let authenticator = build(vec![settings], &FakeClock::new(), AddressPolicy { denied, ..LOOPBACK });
        authenticator.refresh(0).await;
        assert!(!authenticator.ready());
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_certificate_of_a_stranger_is_not_trusted() {
    let (server, stranger) = (IssuerServer::start().await, IssuerServer::start().await);
    server.publish(&good_keys());
    let mut settings = settings(&server, None);
    settings.keys = KeySource::Discovery { ca_pem: Some(stranger.ca_pem) };
    let authenticator = build(vec![settings], &FakeClock::new(), LOOPBACK);
    authenticator.refresh(0).await;
    expect!["the discovery document cannot be used: its certificate is not trusted; name the CA in `caConfigMapRef`"]
        .assert_eq(&last_error(&authenticator));
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn an_issuer_that_nobody_hears_is_named_as_such() {
    let server = IssuerServer::start().await;
    let mut settings = settings(&server, None);
    // Port 1 is reserved and nobody listens there.
    settings.issuer = "https://127.0.0.1:1".to_owned();
    let authenticator = build(vec![settings], &FakeClock::new(), LOOPBACK);
    authenticator.refresh(0).await;
    expect!["the discovery document cannot be used: its host cannot be connected to"]
        .assert_eq(&last_error(&authenticator));
}

#[tokio::test]
async fn a_slow_issuer_is_given_up() {
    use crate::auth::fetch::{FetchCause, FetchError, FetchStep, KeyFetcher};
    let server = IssuerServer::start().await;
    server.reply("/keys", Reply::Silence);
    let fetcher = KeyFetcher::with_timeout(
        server.url.clone(),
        Some(server.jwks_uri()),
        Some(&server.ca_pem),
        LOOPBACK,
        Duration::from_millis(300),
    );
    let error = fetcher.unwrap().fetch().await.unwrap_err();
    assert_eq!(error, FetchError { step: FetchStep::KeySet, cause: FetchCause::Timeout });
}

#[tokio::test]
async fn a_key_set_is_found_without_discovery_where_its_url_is_configured() {
    let server = IssuerServer::start().await;
    server.reply("/keys", Reply::json(&document(&good_keys())));
    let authenticator = build(vec![settings(&server, Some(server.jwks_uri()))], &FakeClock::new(), LOOPBACK);
    authenticator.refresh(0).await;
    let report = &authenticator.reports()[0];
    assert_eq!((report.state, report.key_ids.join(" ").as_str()), (KeySetState::Ready, "ec rsa"));
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn the_document_that_led_to_the_keys_is_kept_byte_for_byte() {
    let server = IssuerServer::start().await;
    server.publish(&good_keys());
    let text = format!(r#"{{ "jwks_uri": "{}",  "issuer":"{}", "\u00e9": [1.0] }} "#, server.jwks_uri(), server.url);
    server.reply("/.well-known/openid-configuration", Reply::json(&text));
    let authenticator = discovering(&server, &FakeClock::new());
    assert_eq!(authenticator.issuer_metadata(), None);
    authenticator.refresh(0).await;
    assert_eq!(authenticator.issuer_metadata().unwrap(), text);
    server.discovery(&json!({ "issuer": "https://other.example.com", "jwks_uri": server.jwks_uri() }));
    authenticator.refresh(0).await;
    assert_eq!(authenticator.issuer_metadata().unwrap(), text, "the last good one is kept");
    let elsewhere = build(vec![settings(&server, Some(server.jwks_uri()))], &FakeClock::new(), LOOPBACK);
    server.publish(&good_keys());
    elsewhere.refresh(0).await;
    assert_eq!((elsewhere.ready(), elsewhere.issuer_metadata()), (true, None));
}

#[tokio::test]
async fn a_set_without_a_usable_key_withdraws_the_keys_before_it() {
    let server = IssuerServer::start().await;
    server.publish(&good_keys());
    let authenticator = discovering(&server, &FakeClock::new());
    authenticator.refresh(0).await;
    let token = token(Signer::ec(), &json!({}), &json!({ "iss": server.url }));
    assert!(ask(&authenticator, &token).await.is_ok());
    server.reply("/keys", Reply::json(r#"{"keys":[]}"#));
    authenticator.refresh(0).await;
    let answer = ask(&authenticator, &token).await;
    assert!(matches!(answer, Err(Refusal::KeysUnavailable { .. })), "{answer:?}");
    assert!(authenticator.ready(), "losing the issuer later does not make a pod unready");
    assert_eq!(authenticator.reports()[0].state, KeySetState::Pending);
}
