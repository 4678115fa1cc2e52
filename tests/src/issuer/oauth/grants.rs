//! Clients and authorization codes: plain maps with bounds, no clock and no network.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::OAuthError;

/// Registered clients, and codes that nobody has exchanged yet. Chosen: more than any walk needs.
const MAX_ENTRIES: usize = 256;

/// A client that exists from the start, with a secret for `client_credentials`.
#[derive(Clone, Debug)]
pub struct StaticClient {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: String,
}

/// What the issuer knows about a client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// `None`: a public client, which proves itself by PKCE alone.
    pub(super) secret: Option<String>,
    /// Compared whole.
    pub(super) redirect_uris: Vec<String>,
}

/// What a code stands for.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    /// `code_challenge`, method S256.
    pub(super) challenge: String,
    /// The audience of the token.
    pub(super) resource: String,
    pub(super) scope: String,
}

/// Clients and codes of one issuer.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    clients: HashMap<String, Client>,
    codes: HashMap<String, Code>,
}

impl Grants {
    pub(crate) fn new(clients: &[StaticClient]) -> Self {
        let clients = clients.iter().map(|client| {
            let secret = Some(client.secret.clone());
            (client.id.clone(), Client { secret, redirect_uris: Vec::new() })
        });
        Self { clients: clients.collect(), codes: HashMap::new() }
    }

    pub(super) fn client(&self, id: &str) -> Option<&Client> {
        self.clients.get(id)
    }

    pub(super) fn add_client(&mut self, id: String, client: Client) -> Result<(), OAuthError> {
        if self.clients.len() >= MAX_ENTRIES {
            return Err(OAuthError::new("invalid_client_metadata", "too many clients"));
        }
        self.clients.insert(id, client);
        Ok(())
    }

    pub(super) fn add_code(&mut self, code: String, grant: Code) -> Result<(), OAuthError> {
        if self.codes.len() >= MAX_ENTRIES {
            return Err(OAuthError::new("server_error", "too many codes"));
        }
        self.codes.insert(code, grant);
        Ok(())
    }

    /// The grant behind `code`, if the one who asks is the one it was made for. A code serves once,
    /// also when the check fails.
    pub(super) fn redeem(
        &mut self,
        code: &str,
        client_id: &str,
        redirect_uri: &str,
        verifier: &str,
    ) -> Result<Code, OAuthError> {
        let refused = OAuthError::new("invalid_grant", "the code does not fit this request");
        let grant = self.codes.remove(code).ok_or(refused)?;
        let fits = grant.client_id == client_id
            && grant.redirect_uri == redirect_uri
            && grant.challenge == challenge(verifier);
        if fits { Ok(grant) } else { Err(refused) }
    }
}

/// `code_challenge` of a `code_verifier` (RFC 7636, S256).
pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_code_serves_once_and_only_its_own_client() {
        let mut grants = Grants::new(&[]);
        for (client_id, verifier, served) in [("a", "right", true), ("a", "wrong", false), ("b", "right", false)] {
            grants.add_code("code".to_owned(), code()).unwrap();
            let first = grants.redeem("code", client_id, "http://localhost/cb", verifier);
            assert_eq!(first.is_ok(), served, "{client_id} {verifier}");
            assert!(grants.redeem("code", "a", "http://localhost/cb", "right").is_err());
        }
    }

    fn code() -> Code {
        Code {
            client_id: "a".to_owned(),
            redirect_uri: "http://localhost/cb".to_owned(),
            challenge: challenge("right"),
            resource: "https://mcp.example.com/mcp".to_owned(),
            scope: String::new(),
        }
    }
}
