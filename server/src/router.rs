//! Every route of the public listener, and the layers before them, top to bottom.
//!
//! All paths come from `publicUrl` and are exact; an ingress must hand them on unchanged.

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::{any, get},
};

use crate::{
    app::App,
    config::Route,
    endpoint,
    error::Error,
    layers::{
        answer::answer, authentication::authentication, catch_panic::catch_panic, correlation::correlation, host::host,
        in_flight::in_flight, origin::origin, request_limits::request_limits, security_headers::security_headers,
        trace::trace,
    },
};

/// The public listener.
pub fn public(app: App) -> Router {
    let url = &app.config().endpoint;
    let path = |route| url.path_of(route).expect("only `Unknown` has no path");

    let authenticated = Router::new()
        .route(path(Route::Endpoint), any(endpoint::mcp))
        .route(path(Route::Capabilities), get(endpoint::capabilities))
        // Innermost first. Only known callers take a place, and a body is read in one only.
        .route_layer(from_fn_with_state(app.clone(), in_flight))
        .route_layer(from_fn_with_state(app.clone(), authentication));
    let pages = authenticated
        .route(path(Route::Health), get(endpoint::public_health))
        // Before authentication: a preflight has no token, and a 401 must be readable by its page.
        .route_layer(from_fn_with_state(app.clone(), origin));
    pages
        // Beside `origin`: this document alone is for pages of any origin.
        .route(path(Route::Metadata), get(endpoint::metadata))
        .method_not_allowed_fallback(|| async { Error::MethodNotAllowed { allow: "GET" } })
        .fallback(|| async { Error::NotFound })
        // Innermost first again; read from the bottom up.
        // Before routing, so that an unknown host learns nothing of the paths.
        .layer(from_fn_with_state(app.clone(), host))
        // Before anything reads the head.
        .layer(from_fn(request_limits))
        // Around all that is not a few lines of its own, and inside of what turns errors into answers.
        .layer(from_fn(catch_panic))
        // Knows path and correlation id: errors of everything below become bytes here.
        .layer(from_fn_with_state(app.clone(), answer))
        // Sees the status that the caller sees.
        .layer(from_fn_with_state(app.clone(), trace))
        // On every answer, refusals included.
        .layer(from_fn(security_headers))
        // Outermost: every answer and every log line has the id.
        .layer(from_fn(correlation))
        .with_state(app)
}

#[cfg(test)]
mod tests;
