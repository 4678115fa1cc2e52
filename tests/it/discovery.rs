//! What a client can learn without knowing anything: challenge, metadata, and what the endpoint can do.

use crds::gateway_config::IssuerConfig;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::issuer::Fault;
use url::Url;

use crate::support::client::{McpClient, PUBLIC_URL};
use crate::support::in_process::spawn_gateway_without_waiting;
use crate::support::message::{LEGACY, MODERN};
use crate::support::{Era, GatewayOptions, Message, spawn_gateway};

const METADATA_PATH: &str = "/.well-known/oauth-protected-resource/mcp";

#[tokio::test]
async fn the_metadata_names_resource_issuers_and_scopes_and_needs_no_token() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let answer = gateway.client.get(METADATA_PATH, None).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.json(),
        json!({
            "resource": PUBLIC_URL,
            "authorization_servers": [gateway.issuer.issuer_url()],
            "scopes_supported": ["tools:echo", "tools:ping"],
            "bearer_methods_supported": ["header"],
        })
    );
}

/// Clients go to the first: the order is the administrator's, not the alphabet's.
#[tokio::test]
async fn the_metadata_names_the_issuers_in_the_order_of_the_configuration() {
    let names = ["https://z.example.com", "https://a.example.com"];
    let gateway = spawn_gateway(GatewayOptions {
        issuers: Box::new(move |issuers| {
            let first = issuers.remove(0);
            let keys = format!("{}/jwks", first.issuer);
            let entry =
                |name: &str| IssuerConfig { issuer: name.to_owned(), jwks_uri: Some(keys.clone()), ..first.clone() };
            issuers.extend(names.map(entry));
        }),
        ..GatewayOptions::default()
    })
    .await;
    assert_eq!(gateway.client.get(METADATA_PATH, None).await.json()["authorization_servers"], json!(names));
}

#[tokio::test]
async fn the_metadata_is_readable_from_any_origin() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let request = gateway.client.request(Method::GET, METADATA_PATH);
    let answer = request.header("origin", "https://anywhere.example").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert!(answer.headers().get("access-control-allow-credentials").is_none());
}

#[tokio::test]
async fn the_root_form_of_the_metadata_does_not_exist_beside_a_path() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let root = gateway.client.get("/.well-known/oauth-protected-resource", None).await;
    assert_eq!(root.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn by_opt_in_the_root_form_is_the_same_document() {
    let mut options = GatewayOptions::default();
    options.config.auth.root_metadata = true;
    let gateway = spawn_gateway(options).await;
    let root = gateway.client.get("/.well-known/oauth-protected-resource", None).await;
    assert_eq!(root.status, StatusCode::OK);
    assert_eq!(root.json(), gateway.client.get(METADATA_PATH, None).await.json());
    assert_eq!(root.header("access-control-allow-origin"), Some("*"));
}

/// For clients of 2025-03-26, which look for the authorization server under the host of the endpoint.
#[tokio::test]
async fn by_opt_in_the_issuers_metadata_is_served_byte_for_byte_once_it_is_there() {
    const MIRROR: &str = "/.well-known/oauth-authorization-server";
    let mut options = GatewayOptions::default();
    options.config.auth.issuer_metadata_mirror = true;
    let gateway = spawn_gateway_without_waiting(options, Fault::Down).await;
    let waiting = gateway.client.get(MIRROR, None).await;
    assert_eq!(waiting.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(waiting.header("retry-after"), Some("1"));
    assert_eq!(waiting.json()["error"], "metadata_unavailable");

    gateway.issuer.set_fault(Fault::None);
    gateway.until_ready().await;
    let issuer = McpClient::trusting(gateway.issuer.ca_pem());
    let url = format!("{}/.well-known/openid-configuration", gateway.issuer.issuer_url());
    let original = issuer.get(url).send().await.unwrap().bytes().await.unwrap();
    let mirrored = gateway.client.get(MIRROR, None).await;
    assert_eq!((mirrored.status, &mirrored.body), (StatusCode::OK, &original.to_vec()));
    assert_eq!(mirrored.header("content-type"), Some("application/json"));
    assert_eq!(mirrored.header("access-control-allow-origin"), Some("*"));
    let head = gateway.client.request(Method::HEAD, MIRROR).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], original.len().to_string().as_str());
    let post = gateway.client.request(Method::POST, MIRROR).send().await.unwrap();
    assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);

    // Without the issuer it stays as it was fetched last.
    gateway.issuer.set_fault(Fault::Down);
    assert_eq!(gateway.client.get(MIRROR, None).await.body, original.to_vec());
}

#[tokio::test]
async fn the_endpoint_is_no_authorization_server() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    for path in [
        "/authorize",
        "/token",
        "/register",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
    ] {
        assert_eq!(gateway.client.get(path, None).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_capabilities_document_says_what_discover_says() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let token = gateway.issuer.token(&[], PUBLIC_URL);
    assert_eq!(gateway.client.get("/mcp/capabilities", None).await.status, 401);
    let answer = gateway.client.get("/mcp/capabilities", Some(&token)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let document = answer.json();
    let members: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(members, ["apiVersion", "capabilities", "serverInfo"]);

    let discover = gateway.client.ask(Era::Modern, "server/discover", json!({}), &token).await;
    let discover = discover.result();
    assert_eq!(discover["capabilities"], document["capabilities"]);
    let server_info = &discover["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(*server_info, document["serverInfo"]);
    assert_eq!(discover["supportedVersions"], json!([MODERN, LEGACY, "2025-06-18", "2025-03-26"]));
}

#[tokio::test]
async fn initialize_opens_a_session_of_the_revision_asked_for_or_our_latest_of_that_era() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let token = gateway.issuer.token(&[], PUBLIC_URL);
    let rows = [(LEGACY, LEGACY), (MODERN, LEGACY), ("1999-01-01", LEGACY), ("2025-06-18", "2025-06-18")];
    for (asked, negotiated) in rows {
        let answer = gateway.client.send(&Message::initialize(asked), Some(&token)).await;
        let result = answer.result();
        assert_eq!(result["protocolVersion"], negotiated, "asked for {asked}");
        assert_eq!(result["capabilities"], json!({ "tools": { "listChanged": true } }));
        assert!(result["serverInfo"]["name"].is_string());
        assert!(answer.header("mcp-session-id").is_some());
    }
    let ready = Message::legacy("notifications/initialized", json!({})).without("/id");
    assert_eq!(gateway.client.send(&ready, Some(&token)).await.status, 202);
    let pong = gateway.client.ask(Era::Legacy, "ping", json!({}), &token).await;
    assert_eq!(pong.result(), json!({}));
}

/// P1-02: nothing is announced that a call rejects, and nothing is served that is not announced.
#[tokio::test]
async fn every_listed_tool_can_be_called_and_the_list_is_stable() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let token = gateway.issuer.token(&["tools:ping", "tools:echo"], PUBLIC_URL);
    for era in Era::BOTH {
        let list = gateway.client.ask(era, "tools/list", json!({}), &token).await;
        let again = gateway.client.ask(era, "tools/list", json!({}), &token).await;
        assert_eq!(list.body, again.body, "a list is byte-stable");
        let result = list.result();
        let tools = result["tools"].as_array().unwrap();
        let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["ping", "echo", "health_check"]);
        for name in names {
            let arguments = if name == "echo" { json!({ "message": "a" }) } else { json!({}) };
            let called = gateway.client.call(era, name, arguments, &token).await;
            assert_ne!(called.result()["isError"], true, "{name}");
        }
    }
    for undeclared in ["resources/list", "resources/read", "prompts/list", "completion/complete"] {
        let answer = gateway.client.ask(Era::Modern, undeclared, json!({}), &token).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, -32601), "{undeclared}");
    }
}

#[tokio::test]
async fn a_disabled_tool_is_absent_and_unknown() {
    let mut options = GatewayOptions::default();
    options.config.builtins.echo = false;
    let gateway = spawn_gateway(options).await;
    let token = gateway.issuer.token(&["tools:ping", "tools:echo"], PUBLIC_URL);
    let list = gateway.client.ask(Era::Modern, "tools/list", json!({}), &token).await.result();
    assert_eq!(list["tools"].as_array().unwrap().len(), 2);
    let disabled = gateway.client.call(Era::Modern, "echo", json!({ "message": "a" }), &token).await;
    let unknown = gateway.client.call(Era::Modern, "no_such", json!({ "message": "a" }), &token).await;
    assert_eq!((disabled.status, disabled.code()), (StatusCode::BAD_REQUEST, -32602));
    assert_eq!(disabled.body, unknown.body, "an answer that tells the two apart");
}

/// auth.md, section 2, `client-walk`: nothing is known but the endpoint's URL, everything else is followed.
#[tokio::test]
async fn a_client_that_knows_only_the_url_finds_its_way_to_a_tool_call() {
    let gateway = spawn_gateway(GatewayOptions::default()).await;
    let ping = Message::call(Era::Modern, "ping", json!({}));
    let refused = gateway.client.send(&ping, None).await;
    let challenge = refused.header("www-authenticate").unwrap();
    let metadata_url = Url::parse(parameter(challenge, "resource_metadata")).unwrap();
    assert_eq!(metadata_url.origin(), Url::parse(PUBLIC_URL).unwrap().origin());
    let metadata = gateway.client.get(metadata_url.path(), None).await.json();
    assert_eq!(metadata["resource"], PUBLIC_URL);

    let walk = Walk {
        http: McpClient::trusting(gateway.issuer.ca_pem()),
        resource: metadata["resource"].as_str().unwrap().to_owned(),
        scope: parameter(challenge, "scope").to_owned(),
    };
    let token = walk.token(metadata["authorization_servers"][0].as_str().unwrap()).await;
    let answer = gateway.client.send(&ping, Some(&token)).await;
    assert_eq!(answer.result()["structuredContent"]["message"], "pong");
}

/// The part of the walk between the metadata and the token: registration, PKCE, the two endpoints.
struct Walk {
    http: reqwest::Client,
    resource: String,
    scope: String,
}

impl Walk {
    async fn token(&self, issuer: &str) -> String {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let redirect_uri = "http://localhost:3030/callback";
        let server = self.get(&format!("{issuer}/.well-known/oauth-authorization-server")).await;
        assert_eq!(server["code_challenge_methods_supported"], json!(["S256"]));
        let endpoint = |name: &str| server[name].as_str().unwrap();

        let metadata = json!({ "client_name": "walk", "redirect_uris": [redirect_uri] });
        let registered = self.http.post(endpoint("registration_endpoint")).json(&metadata).send().await;
        let registered: Value = registered.unwrap().json().await.unwrap();
        let client_id = registered["client_id"].as_str().unwrap();

        let query = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect_uri),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
            ("resource", &self.resource),
            ("scope", &self.scope),
        ];
        let url = Url::parse_with_params(endpoint("authorization_endpoint"), query).unwrap();
        let redirect = self.http.get(url).send().await.unwrap();
        let location = Url::parse(redirect.headers()["location"].to_str().unwrap()).unwrap();
        let code = |name: &str| location.query_pairs().find(|(key, _)| key == name).unwrap().1;
        assert_eq!(code("iss"), issuer);

        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client_id),
            ("redirect_uri", redirect_uri),
            ("code", &code("code")),
            ("code_verifier", verifier),
            ("resource", &self.resource),
        ];
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.http.post(endpoint("token_endpoint")).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn get(&self, url: &str) -> Value {
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }
}

/// A parameter of a challenge.
fn parameter<'a>(challenge: &'a str, name: &str) -> &'a str {
    let (_, after) = challenge.split_once(&format!("{name}=\"")).unwrap();
    after.split_once('"').unwrap().0
}
