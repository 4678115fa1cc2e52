//! Without a [`Principal`] from here nothing of a caller's is served.
//!
//! The token stops here: it is neither kept nor passed on.

use std::sync::Arc;

use http::HeaderMap;

use crate::{app::App, auth::Principal, error::Error};

/// Who sent a request with these headers.
pub async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Arc<Principal>, Error> {
    match app.authenticator() {
        Some(authenticator) => authenticator.authenticate(headers).await.map_err(Error::Unauthenticated),
        // Only under `auth.mode: None`, which takes two fields and is checked in `App::build`.
        None => Ok(Arc::new(Principal::anonymous())),
    }
}
