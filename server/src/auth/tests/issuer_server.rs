//! An issuer on loopback with TLS and a certificate of its own, which answers exactly the bytes that a test wants.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::support::document;

/// What a path is answered.
#[derive(Clone)]
pub(super) enum Reply {
    /// These bytes, head and body, then the end of the connection.
    Raw(Vec<u8>),
    /// A chunked body without end, until the other side has enough.
    Endless,
    /// Nothing, for ever.
    Silence,
}

impl Reply {
    pub(super) fn json(body: &str) -> Self {
        Self::with("200 OK", "content-type: application/json\r\n", body)
    }

    pub(super) fn with(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
        Self::Raw(text.into_bytes())
    }
}

#[derive(Default)]
struct Shared {
    replies: Mutex<HashMap<String, Reply>>,
    requests: AtomicUsize,
    /// Bytes of endless bodies that the other side took.
    taken: AtomicUsize,
}

/// The running issuer; it ends with the runtime of its test.
pub(super) struct IssuerServer {
    /// `https://127.0.0.1:<port>`.
    pub(super) url: String,
    /// What to trust.
    pub(super) ca_pem: Vec<u8>,
    shared: Arc<Shared>,
}

impl IssuerServer {
    pub(super) async fn start() -> Self {
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        TaskTracker::new().spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Self { url, ca_pem: certified.cert.pem().into_bytes(), shared }
    }

    /// From now on `path` is answered like this; other paths 404.
    pub(super) fn reply(&self, path: &str, reply: Reply) {
        self.shared.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// Publishes a good discovery document and these keys.
    pub(super) fn publish(&self, keys: &[Value]) {
        self.discovery(&json!({ "issuer": self.url, "jwks_uri": self.jwks_uri(), "unknown": [] }));
        self.reply("/keys", Reply::json(&document(keys)));
    }

    pub(super) fn discovery(&self, document: &Value) {
        self.reply("/.well-known/openid-configuration", Reply::json(&document.to_string()));
    }

    pub(super) fn jwks_uri(&self) -> String {
        format!("{}/keys", self.url)
    }

    /// How many requests arrived.
    pub(super) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// How much of endless bodies the other side took.
    pub(super) fn taken(&self) -> usize {
        self.shared.taken.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let connections = TaskTracker::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            // A client that does not trust us ends here.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            answer(&mut stream, &shared).await;
        });
    }
}

async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), shared: &Shared) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let reply = shared.replies.lock().unwrap().get(path).cloned();
    match reply.unwrap_or_else(|| Reply::with("404 Not Found", "", "")) {
        Reply::Raw(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Endless => endless(stream, shared).await,
        Reply::Silence => std::future::pending().await,
    }
}

async fn endless(stream: &mut (impl AsyncWrite + Unpin), shared: &Shared) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let _ = stream.write_all(head.as_bytes()).await;
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    while stream.write_all(chunk.as_bytes()).await.is_ok() {
        shared.taken.fetch_add(0x4000, Ordering::SeqCst);
    }
}
