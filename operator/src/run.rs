//! The process: admin port, clients, election, and a controller while this process leads.
//!
//! `main` calls it with parsed arguments and a shutdown signal; tests may do the same.

use std::time::Duration;

use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    admin::{self, Readiness, Stage},
    args::Args,
    caches::Scope,
    clock::{Clock, draw},
    controller::{self, Setup},
    entropy::Entropy,
    leader::Candidate,
    metrics::Metrics,
    requests::{ClientError, Clients, Requests, clients},
    validate::OperatorSettings,
    verify::Prober,
};

/// How long runs under way may take after SIGTERM. Shorter than a pod's usual grace period (30 s), so
/// that the Lease is still handed over.
const DRAIN: Duration = Duration::from_secs(20);

/// How long answers on the admin port may take after that.
const ADMIN_DRAIN: Duration = Duration::from_secs(1);

/// Why the process cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The admin port is taken, or may not be used.
    #[error("cannot listen on --admin-listen {address}")]
    Listen {
        /// As given.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No client.
    #[error("cannot connect to a Kubernetes API")]
    Client(#[source] ClientError),
    /// No client for pods.
    #[error("cannot make a client that asks pods")]
    Prober(#[source] reqwest::Error),
}

/// Runs until `shutdown`; the Lease is released last.
pub async fn run(args: Args, shutdown: CancellationToken) -> Result<(), RunError> {
    let (metrics, readiness, clock) = (Metrics::default(), Readiness::default(), Clock::system());
    let address = args.admin_listen.to_string();
    let listener = TcpListener::bind(args.admin_listen).await.map_err(|source| RunError::Listen { address, source })?;
    let tasks = TaskTracker::new();
    let end = CancellationToken::new();
    tasks.spawn(admin::serve(listener, readiness.clone(), metrics.clone(), end.clone()));

    let Clients { watch, request, lease } = clients(&args, &metrics).await.map_err(RunError::Client)?;
    let identity = identity(&args);
    let mut candidate =
        Candidate::new(lease, &args.operator_namespace, args.lease_name.clone(), identity.clone(), clock.clone());
    let setup = Setup {
        watch_client: watch,
        requests: Requests::new(request, candidate.fence()),
        settings: settings(&args),
        scopes: Scope::each(&args.watched_namespaces()),
        concurrency: args.concurrency,
        streaming_lists: args.streaming_lists,
        identity,
        prober: Prober::new().map_err(RunError::Prober)?,
        clock,
        entropy: Entropy::system(),
        metrics: metrics.clone(),
        readiness: readiness.clone(),
    };
    lead(&mut candidate, &setup, &shutdown).await;
    candidate.release().await;
    end.cancel();
    tasks.close();
    if timeout(ADMIN_DRAIN, tasks.wait()).await.is_err() {
        warn!("a request on the admin port did not end within {} s and is left", ADMIN_DRAIN.as_secs());
    }
    Ok(())
}

/// Leads whenever the Lease can be had, until `shutdown`.
async fn lead(candidate: &mut Candidate, setup: &Setup, shutdown: &CancellationToken) {
    while candidate.acquire(shutdown, || setup.readiness.set(Stage::Standby)).await {
        info!(identity = setup.identity, "this process leads");
        setup.metrics.leads(true);
        setup.readiness.set(Stage::Syncing);
        let too_long = async {
            shutdown.cancelled().await;
            sleep(DRAIN).await;
        };
        let lost = tokio::select! {
            () = controller::run(setup, shutdown.clone()) => false,
            // What is under way is dropped at once: another process may write now.
            () = candidate.keep() => true,
            () = too_long => {
                warn!("runs under way did not end within {} s and are left", DRAIN.as_secs());
                false
            }
        };
        setup.metrics.leads(false);
        setup.readiness.set(Stage::Standby);
        if !lost {
            break;
        }
    }
}

/// Unique for each process, so that one that starts again on the same host never takes itself for the other.
fn identity(args: &Args) -> String {
    let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let host = args.identity.clone().unwrap_or_else(host);
    format!("{host}_{}_{:08x}", std::process::id(), draw())
}

fn settings(args: &Args) -> OperatorSettings {
    OperatorSettings {
        server_image: args.server_image.clone(),
        redis_image: args.redis_image.clone(),
        operator_namespace: args.operator_namespace.clone(),
        operator_pod_labels: args.pod_labels(),
        scraper_namespace_labels: args.scraper_labels(),
        allow_private_addresses: !args.deny_private_addresses,
        cluster_domain: args.cluster_domain.clone(),
        api_server_host: args.kubernetes_service_host.clone(),
        host_policy: args.host_policy(),
    }
}

/// Cancelled by SIGTERM or Ctrl-C.
pub fn shutdown_signal(tasks: &TaskTracker) -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let shutdown = token.clone();
    tasks.spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        info!("asked to stop: runs under way end, then the Lease is released");
        shutdown.cancel();
    });
    Ok(token)
}
