//! Accepts connections and serves each within bounds: how many, how long, how large.
//!
//! `axum::serve` exposes none of these settings, and hyper applies no timeout unless it is told to, so
//! the listener is built on hyper-util. hyper's own header timeout would also count the silence between
//! two requests; [`activity`] tells the two apart.

mod activity;
mod connection;
mod ending;
mod slots;

use std::{net::SocketAddr, time::Duration};

use axum::{Router, response::Response};
use bytes::Bytes;
use http::Request;
use hyper::{body::Body as HttpBody, rt::Executor as _};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use crate::metrics::Metrics;
use activity::HeadBudget;
use connection::{Tasks, serve_connection};
use ending::Ending;
use slots::Slots;

/// What answers requests. A cheap handle.
///
/// Not tower's trait: there the answer has a named type, and to be named it must be boxed.
pub trait Service: Clone + Send + Sync + 'static {
    /// Answers a request of `client`.
    fn answer<B>(&self, client: Option<SocketAddr>, request: Request<B>) -> impl Future<Output = Response> + Send
    where
        B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + Unpin + 'static;
}

impl Service for Router {
    async fn answer<B>(&self, _: Option<SocketAddr>, request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + Unpin + 'static,
    {
        self.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
    }
}

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// In all. Default 12,288: about 150 MiB while all are idle.
    pub connections: usize,
    /// From one address. Default 10,752: an ingress is one address for all its clients and their streams, and some are left
    /// for others.
    pub connections_per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 12_288, connections_per_address: 10_752 }
    }
}

/// How connections end after the signal to stop.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// For how long an idle connection is kept, for a request that is on its way.
    pub linger: Duration,
    /// For everything; what is left then is cut off.
    pub deadline: Duration,
}

/// After an error of `accept`, such as no free file descriptor: long enough that some may be freed,
/// short enough to go unnoticed. Chosen.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);

/// Serves `service` until `stop`, then lets calls in flight finish as `drain` says. `metrics` count
/// the connections, where somebody wants to know.
///
/// Returns how many connections were cut off at the deadline.
pub async fn run(
    listener: TcpListener,
    service: impl Service,
    limits: Limits,
    metrics: Option<&Metrics>,
    stop: CancellationToken,
    drain: Drain,
) -> usize {
    let tasks = Tasks { tracker: TaskTracker::new(), cut_off: CancellationToken::new() };
    let slots = Slots::new(limits);
    let heads = HeadBudget::default();
    let ending = Ending { stop, linger: drain.linger };
    loop {
        let accepted = tokio::select! {
            () = ending.stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, address)) = accepted else {
            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            continue;
        };
        // A connection too many is closed at once; the listener lives.
        let slot = match slots.take(address.ip()) {
            Ok(slot) => slot,
            Err(reason) => {
                metrics.inspect(|metrics| metrics.refused(reason));
                continue;
            }
        };
        let held = (slot, metrics.map(Metrics::connection_opened));
        let (service, ending, heads) = (service.clone(), ending.clone(), heads.clone());
        tasks.execute(serve_connection(stream, address, service, tasks.clone(), ending, heads, held));
    }
    // Closed before the drain: new connections go to another pod.
    drop(listener);
    let Tasks { tracker, cut_off } = tasks;
    tracker.close();
    let drained = tokio::time::timeout(drain.deadline, tracker.wait()).await;
    let left = if drained.is_err() { tracker.len() } else { 0 };
    cut_off.cancel();
    tracker.wait().await;
    left
}

#[cfg(test)]
mod tests;
