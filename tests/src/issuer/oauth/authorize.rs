//! `GET /authorize`: the authorization endpoint. Nobody is asked: every well-formed request is approved.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use super::grants::Code;
use super::{DEFAULT_SCOPE, OAuthError};
use crate::issuer::state::Shared;

/// Redirects with a code, or with an error; both name the issuer (RFC 9207).
pub(crate) async fn authorize(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let parameter = |name: &str| query.get(name).map(String::as_str);
    // Until client and redirect URI are known to belong together, nobody is sent anywhere.
    let mut location = match redirect_target(&shared, &parameter) {
        Ok(location) => location,
        Err(error) => return error.into_response(),
    };
    {
        let mut pairs = location.query_pairs_mut();
        match approve(&shared, &parameter) {
            Ok(code) => pairs.append_pair("code", &code),
            Err(error) => pairs.append_pair("error", error.code).append_pair("error_description", error.description),
        };
        if let Some(state) = parameter("state") {
            pairs.append_pair("state", state);
        }
        pairs.append_pair("iss", &shared.url);
    }
    let no_store = (header::CACHE_CONTROL, "no-store".to_owned());
    (StatusCode::FOUND, [(header::LOCATION, location.to_string()), no_store]).into_response()
}

fn redirect_target<'a>(shared: &Shared, parameter: &impl Fn(&str) -> Option<&'a str>) -> Result<Url, OAuthError> {
    const UNKNOWN: OAuthError = OAuthError::new("invalid_request", "unknown client, or not its redirect_uri");
    let client_id = parameter("client_id").ok_or(UNKNOWN)?;
    let redirect_uri = parameter("redirect_uri").ok_or(UNKNOWN)?;
    let grants = shared.grants();
    let client = grants.client(client_id).ok_or(UNKNOWN)?;
    if !client.redirect_uris.iter().any(|registered| registered == redirect_uri) {
        return Err(UNKNOWN);
    }
    Url::parse(redirect_uri).map_err(|_| UNKNOWN)
}

fn approve<'a>(shared: &Shared, parameter: &impl Fn(&str) -> Option<&'a str>) -> Result<String, OAuthError> {
    if parameter("response_type") != Some("code") {
        return Err(OAuthError::new("unsupported_response_type", "response_type is `code`"));
    }
    if parameter("code_challenge_method") != Some("S256") {
        return Err(OAuthError::new("invalid_request", "code_challenge_method is `S256`"));
    }
    let required = |name, text| parameter(name).ok_or(OAuthError::new("invalid_request", text));
    let grant = Code {
        client_id: required("client_id", "client_id is missing")?.to_owned(),
        redirect_uri: required("redirect_uri", "redirect_uri is missing")?.to_owned(),
        challenge: required("code_challenge", "code_challenge is missing")?.to_owned(),
        resource: parameter("resource").ok_or(OAuthError::new("invalid_target", "resource is missing"))?.to_owned(),
        scope: parameter("scope").unwrap_or(DEFAULT_SCOPE).to_owned(),
    };
    let code = uuid::Uuid::new_v4().to_string();
    shared.grants().add_code(code.clone(), grant)?;
    Ok(code)
}
