//! `/livez`, `/readyz` and `/metrics` on the admin port.
//!
//! Ready means: standing by, or leading with full caches. A standby must be ready, else a rollout of
//! two replicas would never end.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// How far this process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No answer from the Kubernetes API yet.
    Starting = 0,
    /// Another process leads.
    Standby = 1,
    /// Leading; caches are being filled.
    Syncing = 2,
    /// Leading.
    Leading = 3,
}

/// Where the stage is written by `run` and `controller`, and read by `/readyz`; cheap to clone.
#[derive(Clone, Default)]
pub struct Readiness(Arc<AtomicU8>);

impl Readiness {
    /// Says how far the process has come.
    pub fn set(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }

    fn answer(&self) -> (StatusCode, &'static str) {
        match self.0.load(Ordering::Relaxed) {
            stage if stage == Stage::Standby as u8 => (StatusCode::OK, "standby\n"),
            stage if stage == Stage::Leading as u8 => (StatusCode::OK, "leading\n"),
            stage if stage == Stage::Syncing as u8 => (StatusCode::SERVICE_UNAVAILABLE, "filling caches\n"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "no answer from the Kubernetes API yet\n"),
        }
    }
}

/// Answers on `listener` until `shutdown`.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(async |State(app): State<(Readiness, Metrics)>| app.0.answer()))
        .route("/metrics", get(async |State(app): State<(Readiness, Metrics)>| scrape(&app.1)))
        .with_state((readiness, metrics));
    axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

fn scrape(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => {
            let kind = [("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")];
            (StatusCode::OK, kind, text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standby_and_leading_are_ready_and_nothing_else_is() {
        let readiness = Readiness::default();
        assert_eq!(readiness.answer().0, StatusCode::SERVICE_UNAVAILABLE);
        for (stage, code) in
            [(Stage::Standby, 200), (Stage::Syncing, 503), (Stage::Leading, 200), (Stage::Starting, 503)]
        {
            readiness.set(stage);
            assert_eq!(readiness.answer().0.as_u16(), code, "{stage:?}");
        }
    }
}
