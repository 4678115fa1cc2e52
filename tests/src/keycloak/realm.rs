//! The realm that is imported: the one of the documents, with what only a test may have. Pure but for reading that file.

use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::command::repository;

/// Keycloak wants the realm's name to begin it.
pub(super) const FILE: &str = "foundry-realm.json";

/// Its name in the file.
pub(super) const REALM: &str = "foundry";

/// The client of a program that calls by itself, in the file.
pub(super) const WORKLOAD: &str = "workload";

/// The client of a program that calls for a person, in the file.
pub(super) const PERSONAL: &str = "person";

/// What the file stands for until a reader puts in the URL of an endpoint.
const PLACEHOLDER: &str = "https://mcp.example.com/mcp";

/// How long an access token is valid, in the file.
pub const ACCESS_TOKEN_SECONDS: i64 = 300;

/// Who signs in, a member of [`GROUP`].
pub const PERSON: &str = "alice";

/// Who may sign in as well, and is a member of nothing.
pub const OUTSIDER: &str = "bob";

/// Whose members may use tools, in the file.
pub const GROUP: &str = "mcp-users";

/// Made anew for each run.
pub(super) struct Secrets {
    pub(super) admin_password: String,
    pub(super) client_secret: String,
    pub(super) password: String,
}

impl Secrets {
    pub(super) fn random() -> Self {
        let [admin_password, client_secret, password] = [(); 3].map(|()| random());
        Self { admin_password, client_secret, password }
    }
}

/// 64 letters and digits; enough for a secret and for a PKCE verifier.
pub(super) fn random() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// The realm of the documents with these audiences, and with secrets.
pub(super) fn import(audiences: &[&str], secrets: &Secrets) -> Result<Value> {
    let file = repository().join("docs/identity").join(FILE);
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let realm = serde_json::from_str(&text).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(filled(realm, audiences, secrets))
}

fn filled(mut realm: Value, audiences: &[&str], secrets: &Secrets) -> Value {
    for scope in members(&mut realm, "clientScopes") {
        let mappers = members(scope, "protocolMappers");
        let position = mappers.iter().position(|mapper| mapper["config"]["included.custom.audience"] == PLACEHOLDER);
        if let Some(position) = position {
            let template = mappers.remove(position);
            mappers.extend(audiences.iter().map(|audience| mapper(&template, audience)));
        }
    }
    for client in members(&mut realm, "clients") {
        if client["clientId"] == WORKLOAD {
            client["secret"] = secrets.client_secret.clone().into();
        }
    }
    let people = [(PERSON, vec![format!("/{GROUP}")]), (OUTSIDER, Vec::new())];
    members(&mut realm, "users").extend(people.map(|(name, groups)| person(name, &groups, secrets)));
    realm
}

fn person(name: &str, groups: &[String], secrets: &Secrets) -> Value {
    json!({
        "username": name, "enabled": true, "groups": groups,
        "credentials": [{ "type": "password", "value": secrets.password }],
        // Whoever lacks one of these is asked for it at the first sign-in.
        "email": format!("{name}@example.com"), "firstName": name, "lastName": "Example",
        // An import leaves it away, while everybody else has it: without it there is no refresh token with `offline_access`.
        "realmRoles": [format!("default-roles-{REALM}")],
    })
}

fn mapper(template: &Value, audience: &str) -> Value {
    let mut mapper = template.clone();
    mapper["name"] = audience.into();
    mapper["config"]["included.custom.audience"] = audience.into();
    // A switch that a user may turn on as well: then only its `typ` keeps an ID token from being one for the gateway.
    mapper["config"]["id.token.claim"] = "true".into();
    mapper
}

fn members<'a>(value: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    value[name].as_array_mut().unwrap_or_else(|| panic!("the realm of the documents has no list {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realm(audiences: &[&str]) -> Value {
        import(audiences, &Secrets::random()).unwrap()
    }

    #[test]
    fn each_scope_of_a_tool_brings_every_audience() {
        let realm = realm(&["https://a.test/mcp", "https://b.test/mcp"]);
        assert!(!realm.to_string().contains(PLACEHOLDER));
        let scopes = realm["clientScopes"].as_array().unwrap().iter();
        let of_tools: Vec<_> = scopes.filter(|scope| scope["name"].as_str().unwrap().starts_with("tools:")).collect();
        assert_eq!(of_tools.len(), 2);
        for scope in of_tools {
            let mappers = scope["protocolMappers"].as_array().unwrap().iter();
            let audiences: Vec<_> = mappers.map(|mapper| &mapper["config"]["included.custom.audience"]).collect();
            assert_eq!(audiences, ["https://a.test/mcp", "https://b.test/mcp"]);
        }
    }

    #[test]
    fn the_constants_are_those_of_the_file() {
        let realm = realm(&[]);
        assert_eq!(realm["realm"], REALM);
        assert_eq!(realm["accessTokenLifespan"], ACCESS_TOKEN_SECONDS);
        let clients: Vec<_> = realm["clients"].as_array().unwrap().iter().map(|client| &client["clientId"]).collect();
        assert_eq!(clients, [WORKLOAD, PERSONAL]);
        assert_eq!(realm["groups"][0]["name"], GROUP);
    }
}
