//! Requests to the Kubernetes API: which clients there are, how long a call may take, what is tried again.
//!
//! Three clients, because their deadlines contradict each other: watches stay open for a minute,
//! requests end within seconds, and the Lease must not queue behind a burst. None retries by itself:
//! the library's own policy goes on for minutes and repeats a POST blindly.

use std::time::Duration;

use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
    core::Status,
};
use tokio::time::{Instant, sleep, timeout};
use tower::limit::RateLimitLayer;

use crate::{
    args::Args,
    backoff::jittered,
    clock::chance,
    leader::Fence,
    metrics::{CountRequests, Metrics},
};

/// The longest a call may take, waiting for a permit of the rate limit included. Shorter than the
/// Lease, so that at most one write is under way when it is lost.
pub const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// No try starts later than this after the first.
pub const RETRY_BUDGET: Duration = Duration::from_secs(2);

/// How often a call is tried.
const TRIES: u32 = 3;

/// Waited before the second try; the third waits three times as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Longer than a watch lasts (60 s) plus the 5 s after which the watcher itself gives up.
const WATCH_READ_TIMEOUT: Duration = Duration::from_secs(75);

/// Connecting to the API server, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The API server said no.
    #[error("the Kubernetes API answered {} {}", .0.code, .0.reason)]
    Refused(Box<Status>),
    /// No answer.
    #[error("the Kubernetes API cannot be reached")]
    Transport(#[source] Box<kube::Error>),
    /// No answer within [`CALL_DEADLINE`].
    #[error("the Kubernetes API did not answer within {} s", CALL_DEADLINE.as_secs())]
    Deadline,
    /// The Lease has run out: another process may be writing.
    #[error("the Lease has run out, so nothing is written")]
    NotLeader,
}

impl CallError {
    /// The HTTP code of a refusal; 0 without an answer.
    pub fn code(&self) -> u16 {
        match self {
            Self::Refused(status) => status.code,
            Self::Transport(_) | Self::Deadline | Self::NotLeader => 0,
        }
    }

    /// Whether the same call will fail until somebody acts: 403, 422 and other refusals of the content.
    pub fn is_permanent(&self) -> bool {
        // 401: the token is being replaced. 404: the namespace is going. 408, 409, 429: come again.
        matches!(self.code(), 400..500) && !matches!(self.code(), 401 | 404 | 408 | 409 | 429)
    }

    /// Whether the API server takes nothing new, because the namespace is going.
    pub fn is_namespace_terminating(&self) -> bool {
        let Self::Refused(status) = self else { return false };
        let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
        status.code == 403 && causes.iter().any(|cause| cause.reason == "NamespaceTerminating")
    }

    /// How long the API server asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        let Self::Refused(status) = self else { return None };
        let seconds = status.details.as_ref()?.retry_after_seconds;
        (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)))
    }

    fn may_pass(&self) -> bool {
        match self {
            Self::Refused(status) => matches!(status.code, 429 | 500 | 503 | 504),
            Self::Transport(_) => true,
            Self::Deadline | Self::NotLeader => false,
        }
    }
}

impl From<kube::Error> for CallError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused(status),
            other => Self::Transport(Box::new(other)),
        }
    }
}

/// Whether a call changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// GET.
    Read,
    /// Everything else that may be repeated: server-side apply, DELETE with preconditions.
    Write,
    /// POST: never repeated, the first may have arrived.
    WriteOnce,
}

/// The client for everything but watches and the Lease, with the fence of the present leadership.
#[derive(Clone)]
pub struct Requests {
    /// For `Api::namespaced`; every call goes through [`Self::call`].
    pub client: Client,
    fence: Fence,
}

impl Requests {
    /// Calls through `client` are allowed while `fence` stands.
    pub fn new(client: Client, fence: Fence) -> Self {
        Self { client, fence }
    }

    /// Sends `request`, up to three times within two seconds where that is safe, each within [`CALL_DEADLINE`].
    pub async fn call<T, F>(&self, access: Access, request: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = kube::Result<T>>,
    {
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut tries_left = if access == Access::WriteOnce { 1 } else { TRIES };
        loop {
            if access != Access::Read && !self.fence.stands() {
                return Err(CallError::NotLeader);
            }
            let error = match timeout(CALL_DEADLINE, request()).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => CallError::from(error),
                Err(_) => CallError::Deadline,
            };
            tries_left -= 1;
            let wait = error.retry_after().unwrap_or_else(|| jittered(pause, chance()));
            if tries_left == 0 || !error.may_pass() || start.elapsed() + wait > RETRY_BUDGET {
                return Err(error);
            }
            sleep(wait).await;
            pause *= 3;
        }
    }
}

/// The clients of this process.
pub struct Clients {
    /// For watches: no deadline of its own but that of a dead connection.
    pub watch: Client,
    /// For everything that reconciling sends: rate limited.
    pub request: Client,
    /// For the Lease: neither limited nor retried.
    pub lease: Client,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// `--kubeconfig` cannot be used.
    #[error("--kubeconfig cannot be used")]
    Kubeconfig(#[source] kube::config::KubeconfigError),
    /// Not in a pod.
    #[error("no service account of a pod is mounted; outside a cluster say --kubeconfig FILE")]
    InCluster(#[source] kube::config::InClusterError),
    /// The TLS or proxy settings cannot be used.
    #[error("no client can be made of the configuration")]
    Build(#[source] kube::Error),
}

/// Makes the clients that `args` ask for.
pub async fn clients(args: &Args, metrics: &Metrics) -> Result<Clients, ClientError> {
    let mut patient = config(args).await?;
    patient.default_retry = false;
    patient.connect_timeout = Some(CONNECT_TIMEOUT);
    patient.write_timeout = Some(CALL_DEADLINE);
    // Without this the time that a pooled connection was idle counts.
    patient.reset_reader_on_write = true;
    patient.read_timeout = Some(WATCH_READ_TIMEOUT);
    let mut quick = patient.clone();
    quick.read_timeout = Some(CALL_DEADLINE);

    let count = CountRequests(metrics.clone());
    let builder = |config| ClientBuilder::try_from(config).map_err(ClientError::Build);
    Ok(Clients {
        watch: builder(patient)?.with_layer(&count).build(),
        lease: builder(quick.clone())?.with_layer(&count).build(),
        request: builder(quick)?.with_layer(&count).with_layer(&rate_limit(args)).build(),
    })
}

async fn config(args: &Args) -> Result<Config, ClientError> {
    let Some(file) = &args.kubeconfig else {
        return Config::incluster().map_err(ClientError::InCluster);
    };
    let kubeconfig = Kubeconfig::read_from(file).map_err(ClientError::Kubeconfig)?;
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(ClientError::Kubeconfig)
}

/// A burst in each span of `burst / rate` seconds: on average never more than the rate.
fn rate_limit(args: &Args) -> RateLimitLayer {
    let burst = args.request_burst.max(args.requests_per_second);
    let span = Duration::from_secs_f64(f64::from(burst) / f64::from(args.requests_per_second));
    RateLimitLayer::new(u64::from(burst), span)
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use kube::client::Body;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_three_times_within_two_seconds() {
        let start = Instant::now();
        assert_eq!(tries(Access::Write, 503, 0).await, (3, 503));
        assert!(start.elapsed() <= RETRY_BUDGET);
    }

    #[tokio::test(start_paused = true)]
    async fn a_post_is_sent_once() {
        assert_eq!(tries(Access::WriteOnce, 503, 0).await, (1, 503));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_not_repeated() {
        for code in [403, 404, 409, 422] {
            assert_eq!(tries(Access::Write, code, 0).await, (1, code));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_obeyed_or_handed_on() {
        assert_eq!(tries(Access::Write, 429, 2).await, (2, 429));
        assert_eq!(tries(Access::Write, 429, 30).await, (1, 429));
        assert_eq!(refusal(429, 30).retry_after(), Some(Duration::from_secs(30)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_answer_ends_at_its_deadline() {
        let requests = Requests::new(unused_client(), Fence::open());
        let error = requests.call(Access::Write, std::future::pending::<kube::Result<()>>).await.unwrap_err();
        assert!(matches!(error, CallError::Deadline));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_written_without_the_lease_and_reading_goes_on() {
        let requests = Requests::new(unused_client(), Fence::default());
        let write = requests.call(Access::Write, async || Ok(())).await;
        assert!(matches!(write, Err(CallError::NotLeader)));
        assert!(requests.call(Access::Read, async || Ok(())).await.is_ok());
    }

    #[test]
    fn permanent_is_what_only_a_person_can_change() {
        let permanent: Vec<u16> = [400, 401, 403, 404, 409, 415, 422, 429, 500, 503]
            .into_iter()
            .filter(|code| refusal(*code, 0).is_permanent())
            .collect();
        assert_eq!(permanent, [400, 403, 415, 422]);
    }

    async fn tries(access: Access, code: u16, retry_after: u32) -> (u32, u16) {
        let count = AtomicU32::new(0);
        let requests = Requests::new(unused_client(), Fence::open());
        let answer: Result<(), CallError> = requests
            .call(access, || {
                count.fetch_add(1, Ordering::Relaxed);
                async move { Err(kube::Error::Api(status(code, retry_after).boxed())) }
            })
            .await;
        (count.into_inner(), answer.unwrap_err().code())
    }

    fn refusal(code: u16, retry_after: u32) -> CallError {
        kube::Error::Api(status(code, retry_after).boxed()).into()
    }

    fn status(code: u16, retry_after: u32) -> Status {
        let details = serde_json::from_value(serde_json::json!({ "retryAfterSeconds": retry_after })).unwrap();
        Status::failure("because", "Because").with_code(code).with_details(details)
    }

    fn unused_client() -> Client {
        let (service, _) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        Client::new(service, "default")
    }
}
