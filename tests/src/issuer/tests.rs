//! The issuer itself, over real HTTPS.

use std::net::{IpAddr, Ipv4Addr};

use jsonwebtoken::{DecodingKey, Validation, jwk::JwkSet};
use reqwest::{Certificate, StatusCode, redirect::Policy};
use serde_json::{Value, json};

use super::*;

const AUDIENCE: &str = "https://mcp.example.com/mcp";

#[tokio::test]
async fn tokens_of_both_algorithms_verify_against_the_published_keys() {
    let (issuer, client) = start().await;
    let discovery = get_json(&client, &issuer, "/.well-known/openid-configuration").await;
    assert_eq!(discovery["issuer"], issuer.issuer_url());
    let keys: JwkSet = serde_json::from_value(get_json(&client, &issuer, "/jwks").await).unwrap();
    for algorithm in [Algorithm::RS256, Algorithm::ES256] {
        let token = issuer.token_with(algorithm, &["tools:ping"], AUDIENCE);
        assert_eq!(verify(&token, &keys).unwrap()["scope"], "tools:ping");
        let stranger = issuer.mint_with_unpublished_key(algorithm, &issuer.claims(&[], AUDIENCE));
        assert!(verify(&stranger, &keys).is_none());
    }
}

#[tokio::test]
async fn a_client_with_a_secret_gets_a_token_for_the_resource_that_it_names() {
    let (issuer, client) = start().await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "demo"),
        ("client_secret", "demo-secret"),
        ("scope", "tools:ping tools:echo"),
        ("resource", AUDIENCE),
    ];
    let (status, answer) = post_form(&client, &issuer, &form).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["scope"], "tools:ping tools:echo");
    let keys: JwkSet = serde_json::from_value(get_json(&client, &issuer, "/jwks").await).unwrap();
    let claims = verify(answer["access_token"].as_str().unwrap(), &keys).unwrap();
    assert_eq!((&claims["aud"], &claims["sub"]), (&json!(AUDIENCE), &json!("demo")));
}

#[tokio::test]
async fn a_wrong_secret_an_unknown_grant_and_a_missing_resource_are_refused() {
    let (issuer, client) = start().await;
    let grant = ("grant_type", "client_credentials");
    let (id, secret) = (("client_id", "demo"), ("client_secret", "demo-secret"));
    let resource = ("resource", AUDIENCE);
    for (form, error) in [
        (vec![grant, id, ("client_secret", "guess"), resource], "invalid_client"),
        (vec![grant, id, resource], "invalid_client"),
        (vec![grant, id, secret], "invalid_target"),
        (vec![("grant_type", "password"), id, secret, resource], "unsupported_grant_type"),
    ] {
        let (status, answer) = post_form(&client, &issuer, &form).await;
        assert!(status.is_client_error());
        assert_eq!(answer["error"], error);
    }
}

#[tokio::test]
async fn a_public_client_registers_and_walks_the_code_flow_with_pkce() {
    let (issuer, client) = start().await;
    let redirect_uri = "http://localhost:3030/callback";
    let registered = client
        .post(format!("{}/register", issuer.issuer_url()))
        .json(&json!({ "client_name": "walker", "redirect_uris": [redirect_uri] }))
        .send()
        .await
        .unwrap();
    assert_eq!(registered.status(), StatusCode::CREATED);
    let registered: Value = registered.json().await.unwrap();
    let client_id = registered["client_id"].as_str().unwrap();

    // RFC 7636, appendix B.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let query = [
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
        ("resource", AUDIENCE),
        ("scope", "tools:ping"),
        ("state", "opaque"),
    ];
    let url = format!("{}/authorize", issuer.issuer_url());
    let url = url::Url::parse_with_params(&url, query).unwrap();
    let redirect = client.get(url).send().await.unwrap();
    assert_eq!(redirect.status(), StatusCode::FOUND);
    let location = redirect.headers()["location"].to_str().unwrap();
    let location = url::Url::parse(location).unwrap();
    let parameters: std::collections::HashMap<_, _> = location.query_pairs().collect();
    assert_eq!(parameters["state"], "opaque");
    assert_eq!(parameters["iss"], issuer.issuer_url());

    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("code", &parameters["code"]),
        ("code_verifier", verifier),
        ("resource", AUDIENCE),
    ];
    let (status, answer) = post_form(&client, &issuer, &form).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (status, again) = post_form(&client, &issuer, &form).await;
    assert_eq!((status, &again["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
}

#[tokio::test]
async fn every_fault_shows_and_ends() {
    let (issuer, client) = start().await;
    let url = format!("{}/jwks", issuer.issuer_url());
    issuer.set_fault(Fault::Down);
    assert!(client.get(&url).send().await.is_err());
    assert_eq!(issuer.requests(Document::KeySet), 0);
    issuer.set_fault(Fault::ServerError);
    assert_eq!(client.get(&url).send().await.unwrap().status(), 500);
    issuer.set_fault(Fault::Redirect);
    assert_eq!(client.get(&url).send().await.unwrap().status(), 302);
    issuer.set_fault(Fault::Garbage);
    assert!(client.get(&url).send().await.unwrap().json::<Value>().await.is_err());
    issuer.set_fault(Fault::Huge);
    let body = client.get(&url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(body.len(), 50 * 1024 * 1024);
    issuer.set_fault(Fault::Slow);
    let (answer, ()) = tokio::join!(client.get(&url).send(), async {
        while issuer.requests(Document::KeySet) < 5 {
            tokio::task::yield_now().await;
        }
        issuer.set_fault(Fault::None);
    });
    assert_eq!(answer.unwrap().json::<JwkSet>().await.unwrap().keys.len(), 2);
}

#[tokio::test]
async fn stopping_frees_the_port() {
    let (issuer, _) = start().await;
    let address = issuer.address();
    issuer.stop().await;
    tokio::net::TcpListener::bind(address).await.unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "the issuer under test is on loopback, which the server's guard must refuse"
)]
async fn start() -> (TestIssuer, reqwest::Client) {
    // A second test of the same process finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let ca = TestCa::generate().unwrap();
    let clients = vec![StaticClient { id: "demo".to_owned(), secret: "demo-secret".to_owned() }];
    let options = IssuerOptions { clients, ..IssuerOptions::default() };
    let issuer = TestIssuer::start(IpAddr::V4(Ipv4Addr::LOCALHOST), &ca, options).await.unwrap();
    let root = Certificate::from_pem(issuer.ca_pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).redirect(Policy::none()).no_proxy().build().unwrap();
    (issuer, client)
}

async fn get_json(client: &reqwest::Client, issuer: &TestIssuer, path: &str) -> Value {
    let url = format!("{}{path}", issuer.issuer_url());
    client.get(url).send().await.unwrap().json().await.unwrap()
}

async fn post_form(client: &reqwest::Client, issuer: &TestIssuer, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let answer = client
        .post(format!("{}/token", issuer.issuer_url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    (answer.status(), answer.json().await.unwrap())
}

fn verify(token: &str, keys: &JwkSet) -> Option<Value> {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let key = DecodingKey::from_jwk(keys.find(&header.kid?)?).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[AUDIENCE]);
    jsonwebtoken::decode(token, &key, &validation).ok().map(|token| token.claims)
}
