//! What the process says about its health: to probes, to the public, to the tool `health_check`.
//!
//! Live as long as it answers; ready once it could serve every caller, until it drains. Losing an issuer or the shared
//! store later degrades and never makes unready. No answer names a host, a path or a value.

use std::sync::Arc;

use arc_swap::ArcSwap;
use crds::gateway_report::{KeySetState, RedisState};
use serde::Serialize;

use crate::{
    app::App,
    auth::Authenticator,
    memory,
    store::{Standing, Store},
    telemetry::Telemetry,
    tools::{HealthInputs, HealthProbe, IssuerHealth, TelemetryHealth},
};

/// Whether the pod may get requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It may.
    Ready,
    /// An issuer has not given a usable key set yet.
    WaitingForKeys,
    /// The shared store is required, and was not reached yet.
    WaitingForStore,
    /// The process has been told to stop.
    Draining,
}

/// `/readyz`.
pub fn readiness(app: &App) -> Readiness {
    if app.draining() {
        Readiness::Draining
    } else if app.authenticator().is_some_and(|authenticator| !authenticator.ready()) {
        Readiness::WaitingForKeys
    } else if app.redis().is_some_and(|redis| redis.required() && !was_reached(&redis.standing())) {
        Readiness::WaitingForStore
    } else {
        Readiness::Ready
    }
}

/// Never goes back: a later loss concerns all replicas at once.
fn was_reached(standing: &Standing) -> bool {
    match standing {
        Standing::Own => true,
        Standing::Shared { connected_once, .. } => *connected_once,
    }
}

/// The body of `/health` on the public listener.
#[derive(Debug, Serialize)]
pub struct PublicHealth {
    status: &'static str,
    service: &'static str,
    version: &'static str,
}

/// `/health`: for those who know nothing else of us; always answered with 200.
pub fn public(app: &App) -> PublicHealth {
    let degraded = readiness(app) != Readiness::Ready
        || app.authenticator().is_some_and(|authenticator| has_lost_keys(&authenticator))
        || redis(&app.store().standing()).is_some_and(|state| state != RedisState::Ready)
        || app.telemetry().health() == Some(TelemetryHealth::Failing);
    PublicHealth {
        status: if degraded { "degraded" } else { "healthy" },
        service: "mcp-server",
        version: env!("CARGO_PKG_VERSION"),
    }
}

fn has_lost_keys(authenticator: &Authenticator) -> bool {
    authenticator.health().issuers.iter().any(|issuer| issuer.state != KeySetState::Ready)
}

/// The facts behind the tool `health_check`.
pub struct Probe {
    /// `None` when nobody authenticates.
    pub authenticator: Option<Arc<ArcSwap<Authenticator>>>,
    /// Knows how exports go.
    pub telemetry: Telemetry,
    /// Knows how it stands.
    pub store: Arc<dyn Store>,
}

impl HealthProbe for Probe {
    fn health(&self) -> HealthInputs {
        HealthInputs {
            issuers: self.authenticator.as_ref().map(|current| issuers(&current.load())),
            memory: memory::measure(),
            telemetry: self.telemetry.health(),
            redis: redis(&self.store.standing()),
        }
    }
}

/// `None` when nothing is shared.
fn redis(standing: &Standing) -> Option<RedisState> {
    match standing {
        Standing::Own => None,
        Standing::Shared { state, .. } => Some(*state),
    }
}

fn issuers(authenticator: &Authenticator) -> Vec<IssuerHealth> {
    let issuers = authenticator.health().issuers;
    let health = |issuer: crate::auth::IssuerHealth| IssuerHealth {
        state: issuer.state,
        key_age: issuer.key_age,
        last_refresh_failed: issuer.last_error.is_some(),
    };
    issuers.into_iter().map(health).collect()
}
