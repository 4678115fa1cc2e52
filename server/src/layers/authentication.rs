//! No handler behind this layer runs without a [`Principal`].
//!
//! Attached to routes, never to a path that is parsed again. The token stops here: it is neither kept
//! nor passed on.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{app::App, auth::Principal, error::Error};

/// Puts an `Arc<Principal>` into the extensions of the request, and of the answer for the log.
pub async fn authentication(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let principal = match app.authenticator() {
        Some(authenticator) => match authenticator.authenticate(request.headers()).await {
            Ok(principal) => principal,
            Err(refusal) => return Error::Unauthenticated(refusal).into_response(),
        },
        // Only under `auth.mode: None`, which takes two fields and is checked in `App::build`.
        None => Arc::new(Principal::anonymous()),
    };
    request.extensions_mut().insert(Arc::clone(&principal));
    let mut response = next.run(request).await;
    response.extensions_mut().insert(principal);
    response
}
