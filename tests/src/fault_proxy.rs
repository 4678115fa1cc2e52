//! A reverse proxy between an operator and the API server that stops the operator in the middle of a write, so that a test can
//! kill it there.
//!
//! ```text
//! operator ── http ──▶ proxy ── https ──▶ API server
//!                        │ `write`: what a request writes   pure
//!                        │ `faults`: whether it passes      pure
//!                        └ tells the test at which write the operator stands still
//! ```
//!
//! The operator brings its own token, so that it has the rights that it has in a pod and the audit log names it. One proxy serves
//! one process and ends with it: what a killed process had under way is never taken for a request of the next one.
//!
//! Source: operator.md, 1.1.

mod faults;
mod write;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use reqwest::Client;
use tokio::{net::TcpListener, runtime::Runtime};
use url::Url;

pub use faults::{Fault, Faults};
pub use write::Write;

use crate::{mcp_client::streaming_client, pass_on::pass_on};
use faults::Verdict;

/// The largest object that etcd takes is 1.5 MiB.
const MAX_BODY_BYTES: usize = 4 << 20;

/// A proxy for one operator process. Dropping it closes every connection.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    faults: Arc<Mutex<Faults>>,
    stopped_at: mpsc::Receiver<Write>,
    /// Owns every task; `None` once it has ended.
    runtime: Option<Runtime>,
}

/// What each request needs.
#[derive(Clone)]
struct Route {
    api_server: Url,
    client: Client,
    fault: Fault,
    namespace: String,
    faults: Arc<Mutex<Faults>>,
    stopped: mpsc::Sender<Write>,
}

impl FaultProxy {
    /// Listens on a free port of `ip`. `ca_pem` is whose certificate the API server must have, if it has one.
    pub fn start(ip: IpAddr, api_server: &Url, ca_pem: Option<&str>, faults: Faults) -> Result<Self> {
        let host = api_server.host_str().context("the API server has no host")?;
        let reached = api_server.socket_addrs(|| None).context("the API server has no address")?;
        let client = streaming_client(ca_pem, host, *reached.first().context("the API server has no address")?)?;
        let (stopped, stopped_at) = mpsc::channel();
        let (fault, namespace) = (faults.fault, faults.namespace.clone());
        let faults = Arc::new(Mutex::new(faults));
        let route =
            Route { api_server: api_server.clone(), client, fault, namespace, faults: Arc::clone(&faults), stopped };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((ip, 0))).with_context(|| format!("no free port on {ip}"))?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(handle).with_state(route);
        runtime.spawn(axum::serve(listener, router).into_future());
        Ok(Self { address, faults, stopped_at, runtime: Some(runtime) })
    }

    /// What the operator must take for the API server.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The write at which the operator stands still, if it does so within `patience`. Told once.
    pub fn stopped_at(&self, patience: Duration) -> Option<Write> {
        self.stopped_at.recv_timeout(patience).ok()
    }

    /// Ends it, and hands on what was faulted, for the next process.
    pub fn end(mut self) -> Faults {
        self.close();
        lock(&self.faults).clone().go_on()
    }

    fn close(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Tasks end where they wait, which is at once.
            runtime.shutdown_background();
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.close();
    }
}

async fn handle(State(route): State<Route>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "no object is as large").into_response();
    };
    let write = Write::read(&route.namespace, &parts.method, parts.uri.path(), &body);
    let verdict = lock(&route.faults).judge(write.as_ref());
    match (verdict, write) {
        (Verdict::Pass, _) => route.forward(parts, body).await,
        (Verdict::Stop, Some(write)) => route.stop_at(write, parts, body).await,
        // Until the process is dead and its connection with it.
        (Verdict::Stop | Verdict::Hold, _) => std::future::pending().await,
    }
}

impl Route {
    async fn stop_at(&self, write: Write, parts: Parts, body: axum::body::Bytes) -> Response {
        let answer = match self.fault {
            Fault::BeforeForward => None,
            Fault::AfterCommit | Fault::AfterAnswer => Some(self.forward(parts, body).await),
        };
        let answer = match answer {
            Some(refusal) if !refusal.status().is_success() => {
                lock(&self.faults).take_back(&write);
                return refusal;
            }
            answer => answer,
        };
        // Nobody listens any more when the test is over.
        let _ = self.stopped.send(write);
        match answer {
            // Whether the operator still reads it before it is killed is nobody's concern: nothing that it does with it gets out.
            Some(answer) if self.fault == Fault::AfterAnswer => answer,
            _ => std::future::pending().await,
        }
    }

    async fn forward(&self, parts: Parts, body: axum::body::Bytes) -> Response {
        let mut url = self.api_server.clone();
        url.set_path(parts.uri.path());
        url.set_query(parts.uri.query());
        let mut headers = parts.headers;
        // Said anew of the API server and of this body.
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        let body = (!body.is_empty()).then(|| reqwest::Body::from(body));
        match pass_on(&self.client, parts.method, url, headers, body).await {
            Ok(answer) => answer,
            Err(problem) => (StatusCode::BAD_GATEWAY, Body::from(problem.to_string())).into_response(),
        }
    }
}

fn lock(faults: &Mutex<Faults>) -> MutexGuard<'_, Faults> {
    faults.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    use crate::mcp_client::http_client;

    use super::*;

    /// For what must happen.
    const PATIENCE: Duration = Duration::from_secs(5);

    #[test]
    fn the_write_is_lost_done_or_told_and_nothing_after_it_passes() {
        for (fault, arrived, answered) in
            [(Fault::BeforeForward, 0, false), (Fault::AfterCommit, 1, false), (Fault::AfterAnswer, 1, true)]
        {
            let api_server = ApiServer::start();
            let proxy = api_server.proxy(Faults::new(fault, "team-a"));
            let answers = ask(&proxy);
            assert_eq!(proxy.stopped_at(PATIENCE).map(|write| write.to_string()).as_deref(), Some("POST secrets new"));
            assert_eq!(api_server.writes.load(Ordering::SeqCst), arrived, "{fault:?}");
            if answered {
                assert_eq!(answers.recv_timeout(PATIENCE), Ok(true), "{fault:?}");
            }
            // What is held ends with the connection.
            let faults = proxy.end();
            let rest: Vec<bool> = answers.iter().collect();
            assert_eq!(rest, vec![false; 2 - usize::from(answered)], "{fault:?}");

            let proxy = api_server.proxy(faults);
            let all: Vec<bool> = ask(&proxy).iter().collect();
            assert_eq!(all, [true, true], "{fault:?}: the next process is not stopped at the same write");
            assert_eq!(proxy.stopped_at(Duration::ZERO), None);
        }
    }

    /// Writes, then asks, as an operator does; whether each was answered.
    fn ask(proxy: &FaultProxy) -> mpsc::Receiver<bool> {
        let url = format!("{}/api/v1/namespaces/team-a/secrets", proxy.url());
        let (answered, answers) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = http_client(None).unwrap();
                let write = client.post(&url).body(r#"{"metadata":{"name":"new"}}"#);
                for request in [write, client.get(&url)] {
                    answered.send(request.send().await.is_ok()).unwrap();
                }
            });
        });
        answers
    }

    struct ApiServer {
        url: Url,
        writes: Arc<AtomicUsize>,
        _runtime: Runtime,
    }

    impl ApiServer {
        fn start() -> Self {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
            let writes = Arc::new(AtomicUsize::new(0));
            let seen = Arc::clone(&writes);
            let answer = async move |request: Request| {
                seen.fetch_add(usize::from(request.method() == http::Method::POST), Ordering::SeqCst);
            };
            runtime.spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
            Self { url, writes, _runtime: runtime }
        }

        fn proxy(&self, faults: Faults) -> FaultProxy {
            FaultProxy::start([127, 0, 0, 1].into(), &self.url, None, faults).unwrap()
        }
    }
}
