//! The admin listener: probes, the report and metrics, for the kubelet, the operator and the scraper.
//!
//! A listener of its own, so that nothing of it can ever be reached through the public one. It knows no
//! authentication: the NetworkPolicy decides who reaches it, and nothing here is secret.

use axum::{
    Json, Router,
    extract::{Request, State},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use crds::gateway_report::REPORT_PATH;
use http::{StatusCode, header::CONTENT_TYPE};

use crate::{
    app::App,
    health::{Readiness, readiness},
    layers::{request_limits, security_headers},
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
        .layer(from_fn(guarded))
        .with_state(app)
}

/// The bounds and the headers of the public listener.
async fn guarded(request: Request, next: Next) -> Response {
    let mut response = match request_limits::check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.status().into_response(),
    };
    security_headers::write(response.headers_mut());
    response
}

async fn readyz(State(app): State<App>) -> Response {
    match readiness(&app) {
        Readiness::Ready => "ready\n".into_response(),
        Readiness::WaitingForKeys => not_ready("not ready: an issuer has given no usable keys yet\n"),
        Readiness::WaitingForStore => not_ready("not ready: the shared store has not been reached yet\n"),
        Readiness::Draining => not_ready("not ready: stopping\n"),
    }
}

fn not_ready(why: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
}

async fn metrics(State(app): State<App>) -> Response {
    let (streams, sessions) = app.mcp().open();
    app.metrics().set_open(streams, sessions, app.places().taken());
    let auth = app.authenticator().map(|authenticator| authenticator.health());
    ([(CONTENT_TYPE, OPEN_METRICS)], app.metrics().encode(auth.as_ref())).into_response()
}

#[cfg(test)]
mod tests {
    use crds::gateway_report::GatewayReport;
    use serde_json::Value;

    use super::*;
    use crate::{
        auth::{IssuerSettings, KeySource},
        dev::DEV_ISSUER,
        testing::{TestApp, app, request, send},
    };

    async fn answer(app: &App, path: &str) -> (u16, Value) {
        let answer = send(admin(app.clone()), request("GET", path)).await;
        (answer.status.as_u16(), answer.body)
    }

    #[tokio::test]
    async fn a_pod_is_ready_until_it_drains_and_live_to_the_end() {
        let app = TestApp::new().app;
        assert_eq!(answer(&app, "/readyz").await, (200, "ready\n".into()));
        app.start_draining();
        assert_eq!(answer(&app, "/readyz").await, (503, "not ready: stopping\n".into()));
        assert_eq!(answer(&app, "/livez").await, (200, "live\n".into()));
        assert_eq!(answer(&app, "/report").await.1["draining"], true);
    }

    #[tokio::test]
    async fn a_pod_without_keys_is_live_and_not_ready() {
        let app = app(vec![IssuerSettings::new(DEV_ISSUER, vec!["a".to_owned()], KeySource::Unavailable)]);
        assert_eq!(answer(&app, "/readyz").await.0, 503);
        assert_eq!(answer(&app, "/livez").await.0, 200);
        assert_eq!(answer(&app, "/report").await.1["issuers"][0]["state"], "Pending");
    }

    #[tokio::test]
    async fn the_operator_can_read_the_report() {
        let app = TestApp::new().app;
        let (_, document) = answer(&app, "/report").await;
        let report = GatewayReport::parse(document.to_string().as_bytes()).unwrap();
        assert_eq!(report, crate::report::report(&app));
        assert_eq!(report.eras, ["2026-07-28", "2025-11-25"]);
    }

    #[tokio::test]
    async fn nothing_of_the_public_listener_is_here() {
        let app = TestApp::new().app;
        for path in ["/mcp", "/health", "/.well-known/oauth-protected-resource/mcp", "/"] {
            assert_eq!(answer(&app, path).await.0, 404, "{path}");
        }
    }
}
