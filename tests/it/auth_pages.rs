//! The pages under `docs/identity`: the `McpServer` of each is run as the operator would run it, and each token that the
//! page shows is minted and sent. A test issuer stands in for the provider: it signs whatever the page says.

use std::fs;

use crds::McpServer;
use crds::gateway_config::IssuerConfig;
use jsonwebtoken::Algorithm;
use operator::observed::{Observed, ServiceAccountKeys};
use operator::validate::{OperatorSettings, ValidServer, validate};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::command::repository;

use crate::support::client::PUBLIC_URL;
use crate::support::door::{Door, changed};
use crate::support::{Era, GatewayOptions};

/// A page for each provider, and how many tokens of it are accepted and refused.
macro_rules! pages {
    ($($name:ident: $accepted:literal and $refused:literal;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                assert_eq!(try_page(stringify!($name)).await, ($accepted, $refused), "accepted and refused tokens");
            }
        )*

        #[test]
        fn every_page_is_tried() {
            let folder = fs::read_dir(repository().join("docs/identity")).unwrap();
            let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            // What Keycloak's page says is tried with a real one, by `cargo identity`.
            let mut pages: Vec<String> = names.filter(|name| name != "README.md" && name != "keycloak.md").collect();
            pages.sort();
            let mut tried = [$(concat!(stringify!($name), ".md")),*];
            tried.sort_unstable();
            assert_eq!(pages, tried);
        }
    };
}

pages! {
    auth0: 4 and 2;
    descope: 4 and 4;
    dex: 2 and 1;
    entra: 3 and 2;
    kubernetes: 2 and 1;
    okta: 2 and 1;
    rfc9068: 3 and 3;
}

/// One token that a page shows.
struct Shown {
    heading: String,
    header: Value,
    claims: Value,
}

async fn try_page(name: &str) -> (usize, usize) {
    let text = fs::read_to_string(repository().join("docs/identity").join(format!("{name}.md"))).unwrap();
    let (document, tokens) = read_page(&text);
    let valid = valid(&document);
    assert_eq!(valid.config.public_url, PUBLIC_URL);
    let entries = valid.config.auth.issuers;
    let door = Door::with_options(GatewayOptions {
        policy: valid.policy,
        issuers: Box::new(move |issuers| {
            let stand_in = issuers.pop().unwrap();
            issuers.extend(entries.into_iter().map(|entry| standing_in(entry, &stand_in)));
        }),
        ..GatewayOptions::default()
    })
    .await;
    let mut counts = (0, 0);
    for Shown { heading, header, claims } in tokens {
        let times = json!({ "iat": door.now(), "exp": door.now() + 600 });
        let header = changed(json!({ "alg": "RS256", "kid": "rs256-0" }), &header);
        let token = door.gateway.issuer.mint_under(Algorithm::RS256, &header, &changed(claims, &times));
        let answer = door.ping(Era::Modern, &token).await;
        if heading.starts_with("Refused: ") {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}, {heading}: {}", answer.text());
            counts.1 += 1;
        } else {
            assert_eq!(answer.status, StatusCode::OK, "{name}, {heading}: {}", answer.text());
            counts.0 += 1;
        }
    }
    // An honest token of an issuer that the page does not name.
    let stranger = door.ping(Era::Modern, &door.token(&json!({}))).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED, "{name}: {}", stranger.text());
    counts
}

/// The one `McpServer` of a page, and its tokens in order.
fn read_page(text: &str) -> (String, Vec<Shown>) {
    let mut documents = Vec::new();
    let mut tokens = Vec::new();
    let mut heading = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut block = || lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n");
        if let Some(text) = line.strip_prefix("### ").or_else(|| line.strip_prefix("## ")) {
            text.clone_into(&mut heading);
        } else if line == "```yaml" {
            documents.push(block());
        } else if line == "```json" {
            let shown: Value = serde_json::from_str(&block()).unwrap();
            let part = |name: &str| shown[name].clone();
            tokens.push(Shown { heading: heading.clone(), header: part("header"), claims: part("claims") });
        }
    }
    assert_eq!(documents.len(), 1, "a page has one complete McpServer");
    (documents.remove(0), tokens)
}

/// What the operator makes of it.
fn valid(document: &str) -> ValidServer {
    let mut mcp_server: McpServer = serde_saphyr::from_str(document).unwrap();
    mcp_server.metadata.uid = Some("0c6f7f4e-0000-0000-0000-000000000000".to_owned());
    let issuer = mcp_server.spec.auth.issuers[0].issuer.clone();
    // What the API server would say of itself, where the page is about its tokens.
    let keys = ServiceAccountKeys { issuer, jwks: json!({ "keys": [] }), fetched_at: 0 };
    let observed = Observed { service_account_keys: Some(Ok(keys)), ..Observed::default() };
    validate(&mcp_server, &observed, &settings()).unwrap_or_else(|invalid| {
        panic!("{:?}", invalid.iter().map(operator::validate::Invalid::sentence).collect::<Vec<_>>())
    })
}

fn settings() -> OperatorSettings {
    OperatorSettings {
        server_image: "server:test".to_owned(),
        operator_namespace: "mcp-foundry-system".to_owned(),
        operator_pod_labels: [("app.kubernetes.io/name".to_owned(), "mcp-operator".to_owned())].into(),
        scraper_namespace_labels: std::collections::BTreeMap::new(),
        allow_private_addresses: true,
        cluster_domain: "cluster.local".to_owned(),
        api_server_host: None,
        host_policy: operator::host_policy::HostPolicy::default(),
    }
}

/// The page's issuer, with the keys of ours.
fn standing_in(page: IssuerConfig, ours: &IssuerConfig) -> IssuerConfig {
    IssuerConfig {
        jwks_uri: Some(format!("{}/jwks", ours.issuer)),
        jwks_file: None,
        ca_file: ours.ca_file.clone(),
        ..page
    }
}
