//! `POST /token`: the grants `authorization_code` with PKCE, and `client_credentials`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{DEFAULT_SCOPE, OAuthError};
use crate::issuer::mint::{self, DEFAULT_SUBJECT, TOKEN_LIFETIME_SECONDS};
use crate::issuer::state::Shared;

const INVALID_CLIENT: OAuthError = OAuthError::new("invalid_client", "unknown client or wrong secret");

type Form = HashMap<String, String>;

/// Who gets a token for what.
struct Grant {
    subject: String,
    client_id: String,
    resource: String,
    scope: String,
}

/// Answers with a bearer token, RS256.
pub(crate) async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let form: Form = form_urlencoded::parse(&body).into_owned().collect();
    match grant(&shared, &headers, &form) {
        Ok(grant) => {
            let no_store = [(header::CACHE_CONTROL, "no-store")];
            (no_store, axum::Json(answer(&shared, &grant))).into_response()
        }
        Err(error) => error.into_response(),
    }
}

fn grant(shared: &Shared, headers: &HeaderMap, form: &Form) -> Result<Grant, OAuthError> {
    match form.get("grant_type").map(String::as_str) {
        Some("authorization_code") => authorization_code(shared, headers, form),
        Some("client_credentials") => client_credentials(shared, headers, form),
        _ => Err(OAuthError::new("unsupported_grant_type", "grant_type is not served")),
    }
}

fn authorization_code(shared: &Shared, headers: &HeaderMap, form: &Form) -> Result<Grant, OAuthError> {
    let client_id = authenticated_client(shared, headers, form)?;
    let field = |name| form.get(name).map_or("", String::as_str);
    let code = shared.grants().redeem(field("code"), &client_id, field("redirect_uri"), field("code_verifier"))?;
    if form.get("resource").is_some_and(|resource| *resource != code.resource) {
        return Err(OAuthError::new("invalid_target", "resource is not the one of the code"));
    }
    Ok(Grant { subject: DEFAULT_SUBJECT.to_owned(), client_id, resource: code.resource, scope: code.scope })
}

fn client_credentials(shared: &Shared, headers: &HeaderMap, form: &Form) -> Result<Grant, OAuthError> {
    let client_id = authenticated_client(shared, headers, form)?;
    let confidential = shared.grants().client(&client_id).is_some_and(|client| client.secret.is_some());
    if !confidential {
        return Err(OAuthError::new("unauthorized_client", "a public client has no credentials"));
    }
    let missing = OAuthError::new("invalid_target", "resource is missing");
    Ok(Grant {
        subject: client_id.clone(),
        client_id,
        resource: form.get("resource").ok_or(missing)?.clone(),
        scope: form.get("scope").map_or(DEFAULT_SCOPE, String::as_str).to_owned(),
    })
}

/// The client that the request proves to come from: by Basic, by form fields, or (public) by its id alone.
fn authenticated_client(shared: &Shared, headers: &HeaderMap, form: &Form) -> Result<String, OAuthError> {
    let (id, secret) = basic(headers)
        .or_else(|| Some((form.get("client_id")?.clone(), form.get("client_secret").cloned())))
        .ok_or(INVALID_CLIENT)?;
    let grants = shared.grants();
    let client = grants.client(&id).ok_or(INVALID_CLIENT)?;
    if client.secret.is_some() && client.secret != secret {
        return Err(INVALID_CLIENT);
    }
    Ok(id)
}

fn basic(headers: &HeaderMap) -> Option<(String, Option<String>)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((decoded(id), Some(decoded(secret))))
}

/// Both halves are form-encoded before they are joined (RFC 6749, section 2.3.1).
fn decoded(text: &str) -> String {
    form_urlencoded::parse(format!("v={text}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn answer(shared: &Shared, grant: &Grant) -> Value {
    let scopes: Vec<&str> = grant.scope.split_ascii_whitespace().collect();
    let mut claims = mint::claims(&shared.url, &grant.subject, &scopes, &grant.resource);
    claims["client_id"] = json!(grant.client_id);
    json!({
        "access_token": shared.sign(Algorithm::RS256, &claims),
        "token_type": "Bearer",
        "expires_in": TOKEN_LIFETIME_SECONDS,
        "scope": grant.scope,
    })
}
