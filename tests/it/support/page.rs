//! A page of `docs/identity`: the one `McpServer` that it shows, as the operator would run it, and the tokens.

use std::fs;

use crds::McpServer;
use crds::gateway_config::IssuerConfig;
use operator::observed::{Observed, ServiceAccountKeys};
use operator::validate::{OperatorSettings, ValidServer, validate};
use serde_json::{Value, json};
use tests::command::repository;

/// What a page shows.
pub(crate) struct Page {
    pub(crate) valid: ValidServer,
    pub(crate) tokens: Vec<Shown>,
}

/// One token that a page shows.
pub(crate) struct Shown {
    /// Begins with `Refused: ` where it must be refused.
    pub(crate) heading: String,
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Page {
    /// The page of this name, without `.md`.
    pub(crate) fn open(name: &str) -> Self {
        let text = fs::read_to_string(repository().join("docs/identity").join(format!("{name}.md"))).unwrap();
        let (document, tokens) = read(&text);
        Self { valid: valid(&document), tokens }
    }
}

/// The one `McpServer` of a page, and its tokens in order.
fn read(text: &str) -> (String, Vec<Shown>) {
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
    mcp_server.metadata.namespace.get_or_insert_with(|| "default".to_owned());
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
        redis_image: String::new(),
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
pub(crate) fn standing_in(page: IssuerConfig, ours: &IssuerConfig) -> IssuerConfig {
    IssuerConfig {
        jwks_uri: Some(format!("{}/jwks", ours.issuer)),
        jwks_file: None,
        ca_file: ours.ca_file.clone(),
        ..page
    }
}
