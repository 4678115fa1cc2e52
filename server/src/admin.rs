//! The admin listener: probes, the report and metrics, for the kubelet, the operator and the scraper.
//!
//! A listener of its own, so that nothing of it can ever be reached through the public one. It knows no
//! authentication: the NetworkPolicy decides who reaches it, and nothing here is secret.

use axum::{
    Json, Router,
    extract::State,
    middleware::from_fn,
    response::{IntoResponse, Response},
    routing::get,
};
use crds::gateway_report::REPORT_PATH;
use http::{StatusCode, header::CONTENT_TYPE};

use crate::{
    app::App,
    health::{Readiness, readiness},
    layers::{request_limits::request_limits, security_headers::security_headers},
    report::report,
};

/// Source: the OpenMetrics specification, 1.0.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The admin listener's routes.
pub fn admin(app: App) -> Router {
    Router::new()
        .route("/livez", get(|| async { "live\n" }))
        .route("/readyz", get(readyz))
        .route(REPORT_PATH, get(|State(app): State<App>| async move { Json(report(&app)) }))
        .route("/metrics", get(metrics))
        .layer(from_fn(request_limits))
        .layer(from_fn(security_headers))
        .with_state(app)
}

async fn readyz(State(app): State<App>) -> Response {
    match readiness(&app) {
        Readiness::Ready => "ready\n".into_response(),
        Readiness::WaitingForKeys => not_ready("not ready: an issuer has given no usable keys yet\n"),
        Readiness::Draining => not_ready("not ready: stopping\n"),
    }
}

fn not_ready(why: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
}

async fn metrics(State(app): State<App>) -> Response {
    let auth = app.authenticator().map(|authenticator| authenticator.health());
    ([(CONTENT_TYPE, OPEN_METRICS)], app.metrics().encode(auth.as_ref())).into_response()
}
