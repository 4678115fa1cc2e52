//! The token endpoint, and the whole way of a person to it: authorization code with PKCE through the login form.

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    Keycloak,
    browser::{Browser, with_form},
    realm::{PERSON, PERSONAL, REALM, WORKLOAD, random},
};

/// A redirect of a program on the person's own machine. The port is not in the realm: any one will do (RFC 8252, 7.3).
const REDIRECT: &str = "http://localhost:49152/callback";

/// What the token endpoint gives.
#[derive(Clone, Deserialize)]
pub struct Tokens {
    /// For the gateway.
    pub access_token: String,
    /// For the token endpoint; a workload has none.
    pub refresh_token: Option<String>,
    /// For whoever asked with the scope `openid`.
    pub id_token: Option<String>,
}

impl Tokens {
    /// The payload of the access token, unchecked.
    pub fn claims(&self) -> Value {
        part(&self.access_token, 1)
    }

    /// Which key has signed the access token.
    pub fn key_id(&self) -> String {
        part(&self.access_token, 0)["kid"].as_str().expect("Keycloak names the key").to_owned()
    }
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("a JWT has three parts");
    let json = URL_SAFE_NO_PAD.decode(part).expect("the parts of a JWT are base64url");
    serde_json::from_slice(&json).expect("header and payload of a JWT are JSON")
}

impl Keycloak {
    /// A token of the client `workload`, which acts for nobody.
    pub async fn client_credentials(&self, scopes: &[&str]) -> Result<Tokens> {
        self.client_credentials_with(scopes, &[]).await
    }

    /// The same with more parameters.
    pub async fn client_credentials_with(&self, scopes: &[&str], more: &[(&str, &str)]) -> Result<Tokens> {
        self.client_credentials_of((WORKLOAD, &self.secrets.client_secret), scopes, more).await
    }

    /// The same of any client, by its id and secret.
    pub async fn client_credentials_of(
        &self,
        (id, secret): (&str, &str),
        scopes: &[&str],
        more: &[(&str, &str)],
    ) -> Result<Tokens> {
        let scope = scopes.join(" ");
        let mut form = vec![("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        // Keycloak refuses an empty one.
        form.extend((!scopes.is_empty()).then_some(("scope", scope.as_str())));
        form.extend(more);
        self.token(&form).await
    }

    /// Tokens of the client `person` for [`PERSON`], who signs in.
    pub async fn code_flow(&self, scopes: &[&str]) -> Result<Tokens> {
        self.code_flow_of(PERSON, scopes).await
    }

    /// The same for somebody else.
    pub async fn code_flow_of(&self, person: &str, scopes: &[&str]) -> Result<Tokens> {
        let (verifier, state) = (random(), random());
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let proof = [("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
        let mut browser = Browser::new(&self.http);
        let arrived =
            browser.sign_in(self.authorization(scopes, &state, &proof)?, person, &self.secrets.password).await?;
        let answer = |name: &str| arrived.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value);
        ensure!(answer("state").as_deref() == Some(&state), "another state came back: {arrived}");
        ensure!(answer("iss").as_deref() == Some(&self.issuer_url()), "another issuer came back: {arrived}");
        let code = answer("code").with_context(|| format!("no code came back: {arrived}"))?;
        self.token(&[
            ("grant_type", "authorization_code"),
            ("client_id", PERSONAL),
            ("redirect_uri", REDIRECT),
            ("code", &code),
            ("code_verifier", &verifier),
        ])
        .await
    }

    /// Where an authorization request without PKCE is sent back to.
    pub async fn authorization_without_pkce(&self, scopes: &[&str]) -> Result<Url> {
        Browser::new(&self.http).redirected(self.authorization(scopes, "state", &[])?).await
    }

    fn authorization(&self, scopes: &[&str], state: &str, more: &[(&str, &str)]) -> Result<Url> {
        let scope = scopes.join(" ");
        let mut url = Url::parse(&format!("{}/protocol/openid-connect/auth", self.issuer_url()))?;
        url.query_pairs_mut()
            .extend_pairs([("response_type", "code"), ("client_id", PERSONAL), ("redirect_uri", REDIRECT)])
            .extend_pairs([("scope", scope.as_str()), ("state", state)])
            .extend_pairs(more);
        Ok(url)
    }

    /// New tokens of the same session.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens> {
        self.token(&[("grant_type", "refresh_token"), ("client_id", PERSONAL), ("refresh_token", refresh_token)]).await
    }

    /// An unknown program registers, by RFC 7591; the answer's status and body.
    pub async fn register(&self, metadata: &Value) -> Result<(StatusCode, Value)> {
        self.register_as("openid-connect", metadata).await
    }

    /// The same in a form of Keycloak's own, `default`, that can say all about a client.
    pub async fn register_as(&self, form: &str, metadata: &Value) -> Result<(StatusCode, Value)> {
        let url = format!("{}/clients-registrations/{form}", self.issuer_url());
        let response = self.http.post(url).json(metadata).send().await?;
        Ok((response.status(), response.json().await?))
    }

    async fn token(&self, form: &[(&str, &str)]) -> Result<Tokens> {
        self.token_of(REALM, form).await
    }

    pub(super) async fn token_of(&self, realm: &str, form: &[(&str, &str)]) -> Result<Tokens> {
        let url = format!("https://{}/realms/{realm}/protocol/openid-connect/token", self.address);
        let response = with_form(self.http.post(url), form).send().await;
        let response = response.context("the token endpoint does not answer")?;
        let status = response.status();
        if status != StatusCode::OK {
            bail!("the token endpoint answers {status}: {}", response.text().await?);
        }
        response.json().await.context("the token endpoint's answer has no access token")
    }
}
