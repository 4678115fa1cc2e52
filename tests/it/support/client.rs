//! A client of one gateway: sends [`Message`]s under the public host name, over real HTTP.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use reqwest::{Certificate, Client, Method, Response, StatusCode, redirect::Policy};
use serde_json::Value;

use super::answer::Answer;
use super::events::{EventStream, Expected};
use super::message::{Era, Message};
use super::patience::{eventually, within};

/// The host of `publicUrl` in every test; requests name it and go to loopback.
pub(crate) const PUBLIC_HOST: &str = "mcp.example.com";

/// `publicUrl`: another scheme and port than those that requests come by, so that nothing can be taken from them.
pub(crate) const PUBLIC_URL: &str = "https://mcp.example.com/mcp";

/// Where one gateway listens, and a connection pool to it.
#[derive(Clone)]
pub(crate) struct McpClient {
    http: Client,
    /// What requests name in `Host`, beside the port.
    host: String,
    public: SocketAddr,
    admin: SocketAddr,
    /// By `Authorization` and revision: opened when it is first needed.
    sessions: Arc<Mutex<HashMap<(String, &'static str), String>>>,
}

impl McpClient {
    /// For a gateway whose public URL is [`PUBLIC_URL`].
    pub(crate) fn new(public: SocketAddr, admin: SocketAddr) -> Self {
        Self::under(PUBLIC_HOST, public, admin)
    }

    /// For a gateway that is called `host`.
    #[expect(clippy::disallowed_methods, reason = "a client of the suite: the server's own one refuses loopback")]
    pub(crate) fn under(host: &str, public: SocketAddr, admin: SocketAddr) -> Self {
        // A second client of the same process finds it installed.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = Client::builder()
            .resolve(host, public)
            .redirect(Policy::none())
            .no_proxy()
            .tls_certs_only([])
            .build()
            .unwrap();
        Self { http, host: host.to_owned(), public, admin, sessions: Arc::default() }
    }

    /// A client for other servers than the gateway, which trusts this authority alone.
    #[expect(clippy::disallowed_methods, reason = "a client of the suite: the server's own one refuses loopback")]
    pub(crate) fn trusting(ca_pem: &str) -> Client {
        let root = Certificate::from_pem(ca_pem.as_bytes()).unwrap();
        let client = Client::builder().tls_certs_only([root]).redirect(Policy::none()).no_proxy();
        client.build().unwrap()
    }

    /// Where the public listener is.
    pub(crate) fn public_address(&self) -> SocketAddr {
        self.public
    }

    /// Any request to the public listener.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let Self { http, host, public, .. } = self;
        http.request(method, format!("http://{host}:{}{path}", public.port()))
    }

    /// A GET on the public listener.
    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let request = self.request(Method::GET, path);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = Answer::read(request.send().await.unwrap()).await;
        answer.assert_discreet(token);
        answer
    }

    /// A GET on the admin listener.
    pub(crate) async fn admin(&self, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.admin);
        Answer::read(self.http.get(url).send().await.unwrap()).await
    }

    /// The sum of a counter's series whose labels contain all of `labels`, as `/metrics` has them now.
    pub(crate) async fn counted(&self, counter: &str, labels: &[&str]) -> usize {
        let metrics = self.admin("/metrics").await.text();
        let series = metrics.lines().filter_map(|line| line.strip_prefix(counter));
        series
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
            .sum()
    }

    /// A POST to the endpoint; the answer is checked against the schema and for what must not be in it.
    pub(crate) async fn send(&self, message: &Message, token: Option<&str>) -> Answer {
        let authorization = token.map(|token| format!("Bearer {token}"));
        let answer = self.send_as(message, authorization.as_deref()).await;
        answer.assert_discreet(token);
        answer
    }

    /// The same with any `Authorization`.
    pub(crate) async fn send_as(&self, message: &Message, authorization: Option<&str>) -> Answer {
        let session = match message.session_of {
            Some(revision) if !message.has_header("mcp-session-id") => self.session(revision, authorization).await,
            _ => None,
        };
        match session {
            Some(session) => self.send_raw(&message.clone().header("mcp-session-id", &session), authorization).await,
            None => self.send_raw(message, authorization).await,
        }
    }

    /// The client's session of this revision; `None` where none can be opened.
    pub(crate) async fn session(&self, revision: &'static str, authorization: Option<&str>) -> Option<String> {
        let key = (authorization.unwrap_or_default().to_owned(), revision);
        let known = self.sessions.lock().unwrap().get(&key).cloned();
        if known.is_some() {
            return known;
        }
        let answer = self.send_raw(&Message::initialize(revision), authorization).await;
        let id = answer.header("mcp-session-id")?.to_owned();
        self.sessions.lock().unwrap().insert(key, id.clone());
        Some(id)
    }

    async fn send_raw(&self, message: &Message, authorization: Option<&str>) -> Answer {
        let answer = Answer::read(self.post(message, authorization).await).await;
        answer.assert_wire(message);
        answer
    }

    async fn post(&self, message: &Message, authorization: Option<&str>) -> Response {
        let mut request = self.request(Method::POST, "/mcp");
        for (name, value) in &message.headers {
            request = request.header(name, value);
        }
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        within("the head of an answer", request.body(message.body.to_string()).send()).await.unwrap()
    }

    /// A POST that is answered by a stream, which is read while it comes.
    pub(crate) async fn stream(&self, message: &Message, token: &str) -> EventStream {
        let opened = self.stream_or_refusal(message, token).await;
        opened.unwrap_or_else(|refusal| panic!("no stream: {} {}", refusal.status, refusal.text()))
    }

    /// The same where it may be refused.
    pub(crate) async fn stream_or_refusal(&self, message: &Message, token: &str) -> Result<EventStream, Answer> {
        let response = self.post(message, Some(&format!("Bearer {token}"))).await;
        if response.status() != StatusCode::OK {
            return Err(Answer::read(response).await);
        }
        let expected = Expected { revision: message.revision(), answers: vec![message.body.clone()] };
        Ok(EventStream::of(response, expected))
    }

    /// A client of the same gateway with connections of its own, which end with it.
    pub(crate) fn another(&self) -> Self {
        Self::under(&self.host, self.public, self.admin)
    }

    /// Open connections of the public listener.
    pub(crate) async fn connections(&self) -> usize {
        self.counted("mcp_server_connections", &[]).await
    }

    /// `method` as an honest client of this era says it.
    pub(crate) async fn ask(&self, era: Era, method: &str, params: Value, token: &str) -> Answer {
        self.send(&Message::new(era, method, params), Some(token)).await
    }

    /// Until every issuer has given its keys.
    pub(crate) async fn until_ready(&self) {
        eventually("the gateway is ready", async || {
            (self.admin("/readyz").await.status == StatusCode::OK).then_some(())
        })
        .await;
    }

    /// `tools/call`.
    pub(crate) async fn call(&self, era: Era, tool: &str, arguments: Value, token: &str) -> Answer {
        self.send(&Message::call(era, tool, arguments), Some(token)).await
    }
}
