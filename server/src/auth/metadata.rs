//! The protected resource metadata document (RFC 9728). Where it lives is said by [`crate::config::EndpointUrl`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use url::Url;

/// What a client needs to get a token for this endpoint. Readable without one, from any origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectedResourceMetadata {
    /// `publicUrl`, byte for byte: clients compare it with what they asked for.
    pub resource: String,
    /// The issuers, in the order of the configuration.
    pub authorization_servers: Vec<String>,
    /// Sorted, without `offline_access`: what the tools need, no more.
    pub scopes_supported: Vec<String>,
    /// Always `["header"]`.
    pub bearer_methods_supported: Vec<String>,
}

impl ProtectedResourceMetadata {
    /// The document of an endpoint.
    pub fn new<'a>(
        public_url: &str,
        issuers: impl IntoIterator<Item = &'a str>,
        scopes: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let scopes: BTreeSet<&str> = scopes.into_iter().filter(|scope| *scope != "offline_access").collect();
        Self {
            resource: public_url.to_owned(),
            authorization_servers: authorization_servers(issuers.into_iter().collect()),
            scopes_supported: scopes.into_iter().map(ToOwned::to_owned).collect(),
            bearer_methods_supported: vec!["header".to_owned()],
        }
    }
}

/// The issuers that a client can look up. An issuer that is not a URL (a bare project id) helps no client,
/// but the list must not be empty, so such issuers stay where there is no other.
fn authorization_servers(issuers: Vec<&str>) -> Vec<String> {
    let is_url = |issuer: &&str| Url::parse(issuer).is_ok_and(|url| url.has_host());
    let (urls, others): (Vec<&str>, Vec<&str>) = issuers.into_iter().partition(is_url);
    let listed = if urls.is_empty() { others } else { urls };
    listed.into_iter().map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_document_has_exactly_these_fields() {
        let document = ProtectedResourceMetadata::new(
            "https://mcp.example.com/mcp",
            ["https://login.example.com/", "P2project"],
            ["tools:ping", "offline_access", "tools:echo", "tools:ping"],
        );
        expect![[r#"
            {
              "resource": "https://mcp.example.com/mcp",
              "authorization_servers": [
                "https://login.example.com/"
              ],
              "scopes_supported": [
                "tools:echo",
                "tools:ping"
              ],
              "bearer_methods_supported": [
                "header"
              ]
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&document).unwrap());
    }

    #[test]
    fn there_is_always_an_authorization_server() {
        let document = ProtectedResourceMetadata::new("https://mcp.example.com", ["P2project"], []);
        assert_eq!(document.authorization_servers, ["P2project"]);
    }
}
