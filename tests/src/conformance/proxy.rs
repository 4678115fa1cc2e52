//! A proxy on loopback for a client that knows no tokens: the suite sends none, and insists on a loopback URL.
//!
//! It adds the token and says the public host and origin where the client said the proxy's own. A forged `Host` or `Origin`
//! passes as it is: to refuse it is the gateway's work. Bodies stream in both directions, and who hangs up is
//! hung up on.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use reqwest::Client;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::pass_on::pass_on;

/// Where the proxy leads.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    /// Reaches the gateway, and trusts whom it must.
    pub(super) client: Client,
    /// Scheme, host and port that the client connects to; the path is the caller's.
    pub(super) base: Url,
    /// `publicUrl`: what the gateway must be called.
    pub(super) public_url: Url,
    pub(super) token: String,
}

/// A running proxy. Dropping it stops it.
pub(super) struct Proxy {
    address: SocketAddr,
    shutdown: CancellationToken,
}

/// What each request needs.
#[derive(Clone)]
struct Route {
    client: Client,
    base: Url,
    authorization: HeaderValue,
    /// The proxy's own names, and what stands for them outside.
    host: (String, HeaderValue),
    origin: (String, HeaderValue),
}

impl Proxy {
    /// Listens on a free port; must be called within a runtime.
    pub(super) async fn start(upstream: Upstream) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("there is no free port on loopback")?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(forward).with_state(Route::new(upstream, address)?);
        let shutdown = CancellationToken::new();
        let stopped = shutdown.clone().cancelled_owned();
        TaskTracker::new().spawn(async move {
            let serve = axum::serve(listener, router).into_future();
            tokio::select! {
                () = stopped => {}
                // It only ends with the process.
                _ = serve => {}
            }
        });
        Ok(Self { address, shutdown })
    }

    /// As the suite must call it.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Route {
    fn new(upstream: Upstream, address: SocketAddr) -> Result<Self> {
        let Upstream { client, base, public_url, token } = upstream;
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}")).context("the token is no header")?;
        authorization.set_sensitive(true);
        let origin = public_url.origin().ascii_serialization();
        let (_, host) = origin.split_once("://").context("publicUrl has no host")?;
        Ok(Self {
            client,
            base,
            authorization,
            host: (address.to_string(), HeaderValue::try_from(host)?),
            origin: (format!("http://{address}"), HeaderValue::try_from(&origin)?),
        })
    }

    /// The headers as they go on.
    fn headers(&self, mut headers: HeaderMap) -> HeaderMap {
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        for (name, (own, public)) in [(header::HOST, &self.host), (header::ORIGIN, &self.origin)] {
            if headers.get(&name).is_some_and(|said| said.as_bytes() == own.as_bytes()) {
                headers.insert(name, public.clone());
            }
        }
        headers
    }
}

async fn forward(State(route): State<Route>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut url = route.base.clone();
    url.set_path(parts.uri.path());
    url.set_query(parts.uri.query());
    let has_body =
        parts.headers.contains_key(header::CONTENT_LENGTH) || parts.headers.contains_key(header::TRANSFER_ENCODING);
    let body = has_body.then(|| reqwest::Body::wrap_stream(body.into_data_stream()));
    match pass_on(&route.client, parts.method, url, route.headers(parts.headers), body).await {
        Ok(answer) => answer,
        Err(problem) => {
            (StatusCode::BAD_GATEWAY, format!("the proxy cannot reach the gateway: {problem}")).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{Json, body::Body, routing::any};
    use futures::StreamExt as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::mcp_client::{http_client, streaming_client};

    /// Answers with what arrived; `/stream` sends one line at once and never ends.
    async fn upstream() -> SocketAddr {
        let seen = async |request: Request| {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1024).await.unwrap();
            let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            Json(json!({
                "path": parts.uri.to_string(),
                "host": header("host"),
                "origin": header("origin"),
                "authorization": header("authorization"),
                "body": String::from_utf8_lossy(&body),
            }))
        };
        let line = || {
            futures::stream::iter([Ok::<_, std::convert::Infallible>("data: 1\n\n")]).chain(futures::stream::pending())
        };
        let router = Router::new().route("/stream", any(async move || Body::from_stream(line()))).fallback(seen);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        TaskTracker::new().spawn(axum::serve(listener, router).into_future());
        address
    }

    async fn proxy() -> Proxy {
        let address = upstream().await;
        let upstream = Upstream {
            client: streaming_client(None, "gateway.test", address).unwrap(),
            base: format!("http://gateway.test:{}", address.port()).parse().unwrap(),
            public_url: "https://gateway.test/mcp".parse().unwrap(),
            token: "secret".to_owned(),
        };
        Proxy::start(upstream).await.unwrap()
    }

    #[tokio::test]
    async fn own_names_become_public_ones_and_forged_ones_stay() {
        let proxy = proxy().await;
        let send = async |headers: &[(&str, &str)]| {
            let mut request = http_client(None).unwrap().post(proxy.url("/mcp?a=b")).body("{}");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.send().await.unwrap().json::<Value>().await.unwrap()
        };
        let own = format!("http://{}", proxy.address);
        assert_eq!(
            send(&[("Origin", &own)]).await,
            json!({
                "path": "/mcp?a=b",
                "host": "gateway.test",
                "origin": "https://gateway.test",
                "authorization": "Bearer secret",
                "body": "{}",
            })
        );
        let forged = send(&[("Host", "evil.example.com"), ("Origin", "http://evil.example.com")]).await;
        assert_eq!(
            (&forged["host"], &forged["origin"]),
            (&json!("evil.example.com"), &json!("http://evil.example.com"))
        );
    }

    #[tokio::test]
    async fn the_beginning_of_a_stream_does_not_wait_for_its_end() {
        let proxy = proxy().await;
        let answer = http_client(None).unwrap().get(proxy.url("/stream")).send().await.unwrap();
        let first = tokio::time::timeout(Duration::from_secs(5), answer.bytes_stream().next()).await;
        assert_eq!(first.expect("it comes at once").unwrap().unwrap(), "data: 1\n\n");
    }
}
