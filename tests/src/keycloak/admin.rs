//! What an administrator does meanwhile: ends sessions, and changes the keys that sign.

use anyhow::{Context, Result, ensure};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{
    Keycloak,
    realm::{PERSON, PERSONAL, REALM},
};

/// Of the administrator that a new Keycloak begins with.
pub(super) const NAME: &str = "admin";

const KEYS: &str = "org.keycloak.keys.KeyProvider";

impl Keycloak {
    /// Ends all sessions of [`PERSON`], and all that was issued to that person in an earlier second.
    pub async fn end_sessions(&self) -> Result<()> {
        let path = format!("{}/logout", self.person().await?);
        self.administer(Method::POST, &path, None).await.map(drop)
    }

    /// Takes back what [`PERSON`] has granted to the client `person`, offline tokens included.
    pub async fn revoke_consent(&self) -> Result<()> {
        let path = format!("{}/consents/{PERSONAL}", self.person().await?);
        self.administer(Method::DELETE, &path, None).await.map(drop)
    }

    /// The path of [`PERSON`].
    async fn person(&self) -> Result<String> {
        let users = self.administer(Method::GET, &format!("users?username={PERSON}"), None).await?;
        let users: Value = users.json().await?;
        let id = users[0]["id"].as_str().with_context(|| format!("{PERSON} is not in {users}"))?;
        Ok(format!("users/{id}"))
    }

    /// A new key signs from now on; the old ones stay published.
    pub async fn rotate_keys(&self) -> Result<()> {
        let highest = self.signing_keys().await?.into_iter().map(|(priority, _)| priority).max();
        let priority = highest.context("nothing gives a key for RS256")? + 1;
        let provider = json!({
            "name": format!("rsa-{priority}"), "providerId": "rsa-generated", "providerType": KEYS,
            "config": { "priority": [priority.to_string()], "algorithm": ["RS256"] },
        });
        self.administer(Method::POST, "components", Some(&provider)).await.map(drop)
    }

    /// Only the newest key stays published.
    pub async fn remove_old_keys(&self) -> Result<()> {
        let mut keys = self.signing_keys().await?;
        keys.sort_by_key(|(priority, _)| *priority);
        keys.pop();
        for (_, id) in keys {
            self.administer(Method::DELETE, &format!("components/{id}"), None).await?;
        }
        Ok(())
    }

    /// Priority and id of everything that gives a key for RS256.
    async fn signing_keys(&self) -> Result<Vec<(usize, String)>> {
        let found = self.administer(Method::GET, &format!("components?type={KEYS}"), None).await?;
        let found: Vec<Value> = found.json().await?;
        let signing = found.iter().filter(|provider| provider["providerId"] == "rsa-generated");
        let described = |provider: &Value| {
            let priority = provider["config"]["priority"][0].as_str().and_then(|text| text.parse().ok());
            Some((priority?, provider["id"].as_str()?.to_owned()))
        };
        signing.map(|provider| described(provider).with_context(|| format!("no key provider: {provider}"))).collect()
    }

    /// The default and the optional client scopes of a client, each sorted.
    pub async fn client_scopes(&self, client_id: &str) -> Result<(Vec<String>, Vec<String>)> {
        let found = self.administer(Method::GET, &format!("clients?clientId={client_id}"), None).await?;
        let found: Value = found.json().await?;
        let names = |member: &str| -> Result<Vec<String>> {
            let names = found[0][member].as_array().with_context(|| format!("no {member} in {found}"))?;
            let mut names: Vec<_> = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            names.sort();
            Ok(names)
        };
        Ok((names("defaultClientScopes")?, names("optionalClientScopes")?))
    }

    async fn administer(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", NAME),
            ("password", &self.secrets.admin_password),
        ];
        let token = self.token_of("master", &form).await.context("the administrator gets no token")?.access_token;
        let url = format!("https://{}/admin/realms/{REALM}/{path}", self.address);
        let request = self.http.request(method.clone(), url).bearer_auth(token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await?;
        let status = response.status();
        ensure!(status.is_success(), "{method} {path} of the administrator is {status}");
        Ok(response)
    }
}
