//! `POST /register`: dynamic client registration (RFC 7591), which SDK clients use when they know no id.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use url::{Host, Url};

use super::OAuthError;
use super::grants::Client;
use crate::issuer::state::Shared;

/// The members that matter here; the others are repeated in the answer.
#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
}

/// Registers any client whose redirect URIs are on loopback or https.
pub(crate) async fn register(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    match try_register(&shared, &body) {
        Ok(document) => {
            let no_store = [(header::CACHE_CONTROL, "no-store")];
            (StatusCode::CREATED, no_store, axum::Json(document)).into_response()
        }
        Err(error) => error.into_response(),
    }
}

fn try_register(shared: &Shared, body: &[u8]) -> Result<Value, OAuthError> {
    const MALFORMED: OAuthError = OAuthError::new("invalid_client_metadata", "the metadata cannot be read");
    let mut document: Value = serde_json::from_slice(body).map_err(|_| MALFORMED)?;
    let metadata = Metadata::deserialize(&document).map_err(|_| MALFORMED)?;
    let members = document.as_object_mut().ok_or(MALFORMED)?;
    if !metadata.redirect_uris.iter().all(|uri| may_redirect(uri)) {
        let text = "redirect URIs are https or on loopback";
        return Err(OAuthError::new("invalid_redirect_uri", text));
    }
    let method = metadata.token_endpoint_auth_method.unwrap_or_else(|| "none".to_owned());
    let secret = (method != "none").then(|| uuid::Uuid::new_v4().to_string());
    let id = uuid::Uuid::new_v4().to_string();
    members.insert("client_id".to_owned(), json!(id));
    members.insert("token_endpoint_auth_method".to_owned(), json!(method));
    if let Some(secret) = &secret {
        members.insert("client_secret".to_owned(), json!(secret));
        members.insert("client_secret_expires_at".to_owned(), json!(0));
    }
    let client = Client { secret, redirect_uris: metadata.redirect_uris };
    shared.grants().add_client(id, client)?;
    Ok(document)
}

fn may_redirect(uri: &str) -> bool {
    let Ok(uri) = Url::parse(uri) else {
        return false;
    };
    let loopback = match uri.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    uri.fragment().is_none() && (uri.scheme() == "https" || (uri.scheme() == "http" && loopback))
}

#[cfg(test)]
mod tests {
    use super::may_redirect;

    #[test]
    fn redirects_go_to_loopback_or_https_only() {
        for (uri, may) in [
            ("http://localhost:3030/callback", true),
            ("http://127.0.0.1:7/cb", true),
            ("http://[::1]/cb", true),
            ("https://client.example/cb", true),
            ("http://client.example/cb", false),
            ("https://client.example/cb#part", false),
            ("client:/cb", false),
            ("nonsense", false),
        ] {
            assert_eq!(may_redirect(uri), may, "{uri}");
        }
    }
}
