//! A whole server: two listeners, background tasks, and an end in order.
//!
//! The order of the end: unready, no new connections, `Connection: close` or GOAWAY to those that are there, calls finish, background
//! tasks stop, the admin listener closes, telemetry is flushed. Every wait in it has a deadline.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    admin,
    app::App,
    clock_watch, issuers,
    listener::{self, Drain, Limits},
    policy_file::{self, PolicySource},
    router,
};

/// For idle connections after the signal to stop. Chosen: whoever calls every second or two uses each connection once more
/// meanwhile, and learns that it closes; an idle process still ends in good time.
const LINGER: Duration = Duration::from_secs(2);

/// For probes and scrapes in flight after the drain. Who asks here asks again.
const ADMIN_DRAIN: Drain = Drain { linger: Duration::ZERO, deadline: Duration::from_secs(1) };

/// For background tasks, which are told to stop and need no time for it.
const BACKGROUND: Duration = Duration::from_secs(2);

/// For the last spans.
const FLUSH: Duration = Duration::from_secs(3);

/// Connections of the admin listener: a kubelet, an operator with two replicas, a few scrapers.
const ADMIN_LIMITS: Limits = Limits { connections: 128, connections_per_address: 64 };

/// Where a process listens. Bound before anything is served, so that a taken port is found out at start.
#[derive(Debug)]
pub struct Listeners {
    /// For clients.
    pub public: TcpListener,
    /// For the kubelet, the operator and the scraper.
    pub admin: TcpListener,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or not of this machine.
    #[error("cannot listen on {address}")]
    Bind {
        /// As given.
        address: String,
        /// In the words of the system.
        #[source]
        source: io::Error,
    },
}

impl Listeners {
    /// Binds both. Port 0 takes a free one.
    pub async fn bind(
        public: impl ToSocketAddrs + ToString,
        admin: impl ToSocketAddrs + ToString,
    ) -> Result<Self, ServeError> {
        Ok(Self { public: bind(public).await?, admin: bind(admin).await? })
    }

    /// Where clients connect, with the port that was taken.
    pub fn public_address(&self) -> Result<SocketAddr, ServeError> {
        let unknown = |source| ServeError::Bind { address: "the public address".to_owned(), source };
        self.public.local_addr().map_err(unknown)
    }

    /// Where the operator connects, with the port that was taken.
    pub fn admin_address(&self) -> Result<SocketAddr, ServeError> {
        let unknown = |source| ServeError::Bind { address: "the admin address".to_owned(), source };
        self.admin.local_addr().map_err(unknown)
    }

    /// Whether only this machine can reach the public listener.
    pub fn on_loopback(&self) -> bool {
        self.public.local_addr().is_ok_and(|address| address.ip().is_loopback())
    }
}

async fn bind(address: impl ToSocketAddrs + ToString) -> Result<TcpListener, ServeError> {
    let name = address.to_string();
    TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address: name, source })
}

/// Serves until `shutdown`, then drains; returns when everything that it started has ended.
pub async fn serve(listeners: Listeners, app: App, shutdown: CancellationToken) -> Result<(), ServeError> {
    // For calls in flight after the signal to stop: the longest that one may take, also if it came at the last moment. The
    // operator's grace period (`operator/src/desired/deployment.rs`) has room for it, for the waits above and for its own
    // `preStop`.
    let drain = Drain { linger: LINGER, deadline: LINGER + app.longest_deadline() };
    let tasks = TaskTracker::new();
    let background = CancellationToken::new();
    start_background(&app, &tasks, &background);

    let stop_public = CancellationToken::new();
    let stop_admin = CancellationToken::new();
    let public = async {
        let router = router::public(app.clone());
        let metrics = Some(app.metrics());
        let stop = stop_public.clone();
        let cut_off = listener::run(listeners.public, router, Limits::default(), metrics, stop, drain).await;
        if cut_off > 0 {
            tracing::warn!("{cut_off} connections were not done within {} s", drain.deadline.as_secs());
        }
        // Probes see `draining` until here.
        stop_admin.cancel();
    };
    let router = admin::admin(app.clone());
    let admin = listener::run(listeners.admin, router, ADMIN_LIMITS, None, stop_admin.clone(), ADMIN_DRAIN);
    let signal = async {
        shutdown.cancelled().await;
        tracing::info!("stopping: calls in flight have {} s", drain.deadline.as_secs());
        app.start_draining();
        stop_public.cancel();
    };
    tokio::join!(public, admin, signal);

    // Calls of the older era whose clients went away.
    if !ended(app.mcp().tasks(), BACKGROUND).await {
        tracing::warn!(
            "{} calls without a client did not end within {} s",
            app.mcp().tasks().len(),
            BACKGROUND.as_secs()
        );
    }
    app.mcp().leave_replicas(&app.lists()).await;
    background.cancel();
    if !ended(&tasks, BACKGROUND).await {
        tracing::warn!("{} background tasks did not end within {} s", tasks.len(), BACKGROUND.as_secs());
    }
    app.telemetry().shutdown(FLUSH).await;
    tracing::info!("stopped");
    Ok(())
}

/// Whether all `tasks` ended by `deadline`: one that hangs does not keep the process.
async fn ended(tasks: &TaskTracker, deadline: Duration) -> bool {
    tasks.close();
    tokio::time::timeout(deadline, tasks.wait()).await.is_ok()
}

fn start_background(app: &App, tasks: &TaskTracker, shutdown: &CancellationToken) {
    tasks.spawn(clock_watch::run(app.clone(), shutdown.clone()));
    let lists = app.clone();
    tasks.spawn(app.mcp().clone().hear_replicas(Box::new(move || lists.lists()), shutdown.clone()));
    if let Some(authenticator) = app.authenticator() {
        tasks.spawn(issuers::run(app.clone(), authenticator, tasks.clone(), shutdown.clone()));
    }
    if let Some(redis) = app.redis() {
        tasks.spawn(Arc::clone(redis).run(shutdown.clone()));
    }
    for upstream in app.upstreams() {
        tasks.spawn(Arc::clone(upstream).run(shutdown.clone()));
    }
    if let PolicySource::File(path) = app.policy_source() {
        tasks.spawn(policy_file::watch(app.clone(), path.clone(), shutdown.clone()));
    }
}

/// The addresses in use, for the log line of the start.
impl std::fmt::Display for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |address: Result<SocketAddr, _>| address.map_or("?".to_owned(), |at| at.to_string());
        write!(f, "{}, admin {}", name(self.public_address()), name(self.admin_address()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_hangs_does_not_keep_the_process() {
        let tasks = TaskTracker::new();
        tasks.spawn(std::future::pending::<()>());
        assert!(!ended(&tasks, Duration::ZERO).await);
        assert!(ended(&TaskTracker::new(), BACKGROUND).await);
    }
}
