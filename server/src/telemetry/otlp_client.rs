//! How spans leave the process: the guarded HTTP client, behind the exporter's own trait.
//!
//! The exporter runs on a thread without a runtime, so each request becomes a task of ours. What the
//! collector answers is read up to a bound and interpreted by the exporter alone.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;

use crate::{net, tools::TelemetryHealth};

/// The largest answer that is read. A collector answers with a few bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Any other number: nothing was exported yet.
const EXPORTING: u8 = 1;
const FAILING: u8 = 2;

/// How the latest export went. Written by [`OtlpClient`], read by the tool `health_check`.
#[derive(Debug, Default)]
pub(super) struct ExportState(AtomicU8);

impl ExportState {
    pub(super) fn health(&self) -> TelemetryHealth {
        match self.0.load(Ordering::Relaxed) {
            EXPORTING => TelemetryHealth::Exporting,
            FAILING => TelemetryHealth::Failing,
            _ => TelemetryHealth::Idle,
        }
    }

    fn note(&self, succeeded: bool) {
        self.0.store(if succeeded { EXPORTING } else { FAILING }, Ordering::Relaxed);
    }
}

/// Sends the exporter's requests.
pub(super) struct OtlpClient {
    client: reqwest::Client,
    runtime: Handle,
    state: Arc<ExportState>,
}

impl OtlpClient {
    /// Must be called inside a Tokio runtime: requests run there.
    pub(super) fn new(client: reqwest::Client, state: Arc<ExportState>) -> Self {
        Self { client, runtime: Handle::current(), state }
    }
}

impl fmt::Debug for OtlpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtlpClient")
    }
}

impl HttpClient for OtlpClient {
    fn send_bytes<'life, 'async_trait>(
        &'life self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'async_trait>>
    where
        'life: 'async_trait,
        Self: 'async_trait,
    {
        // The client's own deadline bounds the task; the exporter waits for it.
        let task = self.runtime.spawn(send(self.client.clone(), request));
        Box::pin(async move {
            let answer = task.await.map_err(HttpError::from).and_then(|answer| answer);
            self.state.note(answer.as_ref().is_ok_and(|answer| answer.status().is_success()));
            answer
        })
    }
}

async fn send(client: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let answer = client.execute(request.try_into()?).await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = net::read_bounded(answer, MAX_ANSWER_BYTES).await?;
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
