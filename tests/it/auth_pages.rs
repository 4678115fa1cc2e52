//! The pages under `docs/identity`: the `McpServer` of each is run as the operator would run it, and each token that the
//! page shows is minted and sent. A test issuer stands in for the provider: it signs whatever the page says.

use std::fs;

use crds::gateway_config::{
    AuthorizationDefault, AuthorizationPolicy, AuthorizationRule, GatewayPolicy, IssuerConfig, PrincipalKind,
};
use jsonwebtoken::Algorithm;
use reqwest::StatusCode;
use serde_json::json;
use tests::command::repository;

use crate::support::client::PUBLIC_URL;
use crate::support::door::{Door, changed, reason};
use crate::support::page::{Page, Shown, standing_in};
use crate::support::{Era, GatewayOptions};

/// A page for each provider, and what becomes of each of its tokens: who calls with it, or why it is refused.
macro_rules! pages {
    ($($name:ident: $outcomes:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                assert_eq!(try_page(stringify!($name)).await, $outcomes);
            }
        )*

        #[test]
        fn every_page_is_tried() {
            let folder = fs::read_dir(repository().join("docs/identity")).unwrap();
            let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            // What Keycloak's page says is tried with a real one, by `cargo identity`.
            let is_tried = |name: &String| name.ends_with(".md") && name != "README.md" && name != "keycloak.md";
            let mut pages: Vec<String> = names.filter(is_tried).collect();
            pages.sort();
            let mut tried = [$(concat!(stringify!($name), ".md")),*];
            tried.sort_unstable();
            assert_eq!(pages, tried);
        }
    };
}

pages! {
    auth0: ["human", "workload", "human", "workload", "audience", "audience"];
    descope: ["human", "human", "human", "workload", "token_type", "audience", "audience", "token_type"];
    dex: ["human", "human", "audience"];
    entra: ["human", "workload", "workload", "audience", "audience"];
    kubernetes: ["workload", "workload", "audience"];
    okta: ["human", "workload", "audience"];
    rfc9068: ["human", "human", "workload", "token_type", "token_type", "bound"];
}

/// The words for each token of the page, in its order.
async fn try_page(name: &str) -> Vec<&'static str> {
    let Page { valid, tokens } = Page::open(name);
    assert_eq!(valid.config.public_url, PUBLIC_URL);
    let issuers = valid.config.auth.issuers;
    let door = door(issuers.clone(), valid.policy).await;
    let only_workloads = door_for_workloads(issuers).await;
    let mut outcomes = Vec::new();
    for shown in &tokens {
        let answer = door.ping(Era::Modern, &token(&door, shown)).await;
        let heading = &shown.heading;
        if heading.starts_with("Refused: ") {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}, {heading}: {}", answer.text());
            outcomes.push(reason(&answer));
            continue;
        }
        assert_eq!(answer.status, StatusCode::OK, "{name}, {heading}: {}", answer.text());
        let kind = only_workloads.ping(Era::Modern, &token(&only_workloads, shown)).await;
        outcomes.push(if kind.status == StatusCode::OK { "workload" } else { "human" });
    }
    // An honest token of an issuer that the page does not name.
    let stranger = door.ping(Era::Modern, &door.token(&json!({}))).await;
    assert_eq!(reason(&stranger), "issuer", "{name}: {}", stranger.text());
    outcomes
}

async fn door(issuers: Vec<IssuerConfig>, policy: GatewayPolicy) -> Door {
    let stand_in = move |ours: &mut Vec<IssuerConfig>| {
        let stand_in = ours.pop().unwrap();
        ours.extend(issuers.into_iter().map(|issuer| standing_in(issuer, &stand_in)));
    };
    Door::with_options(GatewayOptions { policy, issuers: Box::new(stand_in), ..GatewayOptions::default() }).await
}

/// The same issuers before a tool that is for workloads, whatever their scopes.
async fn door_for_workloads(issuers: Vec<IssuerConfig>) -> Door {
    let rule = AuthorizationRule {
        principal_kinds: vec![PrincipalKind::Workload],
        ..AuthorizationRule::scopes(["ping"], [""; 0])
    };
    door(issuers, GatewayPolicy::of(AuthorizationPolicy::new(AuthorizationDefault::Deny, vec![rule]))).await
}

fn token(door: &Door, shown: &Shown) -> String {
    let times = json!({ "iat": door.now(), "exp": door.now() + 600 });
    let header = changed(json!({ "alg": "RS256", "kid": "rs256-0" }), &shown.header);
    door.gateway.issuer.mint_under(Algorithm::RS256, &header, &changed(shown.claims.clone(), &times))
}
