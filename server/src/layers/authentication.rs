//! Without a [`Principal`] from here nothing of a caller's is served.
//!
//! The token stops here: it is neither kept nor passed on, and the request goes on without it.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName,
    header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION},
};

use crate::{app::App, auth::Principal, error::Error};

/// What may hold a credential. Nothing behind the door reads it, and nothing can leak what it does not have.
const CREDENTIALS: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// Who sent a request with these headers, from which every credential is taken away.
pub async fn authenticate(app: &App, headers: &mut HeaderMap) -> Result<Arc<Principal>, Error> {
    let principal = match app.authenticator() {
        Some(authenticator) => authenticator.authenticate(headers).await.map_err(Error::Unauthenticated)?,
        // Only under `auth.mode: None`, which takes two fields and is checked in `App::build`.
        None => Arc::new(Principal::anonymous()),
    };
    for credential in CREDENTIALS {
        headers.remove(credential);
    }
    Ok(principal)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::testing::TestApp;

    #[tokio::test]
    async fn a_request_goes_on_without_its_credentials() {
        let TestApp { app, token } = TestApp::new();
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        headers.insert(COOKIE, HeaderValue::from_static("session=canary"));
        headers.append(COOKIE, HeaderValue::from_static("another=canary"));
        headers.insert(PROXY_AUTHORIZATION, HeaderValue::from_static("Basic canary"));
        headers.insert("mcp-name", HeaderValue::from_static("ping"));
        authenticate(&app, &mut headers).await.unwrap();
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["mcp-name"]);
    }
}
