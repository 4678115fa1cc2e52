//! HTTP requests to one upstream: one URL, no credentials, no redirects, no retries.
//!
//! Answers come back unread. Whoever waits for them brings the deadline.

use std::sync::Arc;

use http::{HeaderMap, Method};
use reqwest::{Client, Response};
use url::Url;

use super::failure::Failure;

/// A cheap handle. Without `Debug`: the URL may hold a secret.
#[derive(Clone)]
pub(super) struct Transport {
    client: Client,
    url: Url,
    /// The upstream's configured name: for the log.
    name: Arc<str>,
}

impl Transport {
    pub(super) fn new(client: Client, url: Url, name: Arc<str>) -> Self {
        Self { client, url, name }
    }

    pub(super) async fn post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<Response, Failure> {
        let request = self.client.post(self.url.clone()).headers(headers).body(body);
        self.answered(request.send().await)
    }

    /// GET or DELETE.
    pub(super) async fn send(&self, method: Method, headers: HeaderMap) -> Result<Response, Failure> {
        self.answered(self.client.request(method, self.url.clone()).headers(headers).send().await)
    }

    fn answered(&self, result: reqwest::Result<Response>) -> Result<Response, Failure> {
        let response = result.map_err(|problem| self.broken(problem))?;
        if response.status().is_redirection() { Err(Failure::Redirect) } else { Ok(response) }
    }

    /// The host of the upstream, for the log. The rest of the URL may hold a secret.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// What a broken exchange comes down to. Whoever gets the failure logs it as such; here is what it came from.
    pub(super) fn broken(&self, problem: reqwest::Error) -> Failure {
        let failure = Failure::from(&problem);
        let (name, problem) = (&self.name, problem.without_url());
        tracing::debug!(upstream.name = %name, error = ?problem, "upstream {name} {failure}");
        failure
    }
}
