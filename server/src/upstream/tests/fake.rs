//! An upstream on loopback: a function from what arrives to what is answered, and a record of both ends.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, State},
    http::{HeaderMap, Method, Response},
};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    time::timeout,
};
use tokio_util::task::TaskTracker;

/// How long a test waits for what must happen.
pub(super) const SOON: Duration = Duration::from_secs(10);

/// What arrived.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) verb: Method,
    /// The other end of the connection.
    pub(super) from: SocketAddr,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    /// `null` if it is no JSON.
    pub(super) body: Value,
}

impl Received {
    /// The JSON-RPC method, or the HTTP one where there is no body.
    pub(super) fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or(self.verb.as_str())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// A request of the modern era says so in its body.
    pub(super) fn is_modern(&self) -> bool {
        self.body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
    }
}

/// What is answered.
#[derive(Clone)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pieces: Vec<Bytes>,
    end: End,
    /// The head comes only when this was told.
    after: Option<Arc<Notify>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The body ends.
    Ends,
    /// Nothing more comes, and the body does not end.
    Hangs,
    /// All pieces come again and again.
    Repeats,
    /// Not even a head.
    Silent,
}

impl Reply {
    pub(super) fn status(status: u16, body: &str) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        let pieces = vec![Bytes::from(body.to_owned())];
        Self { status, headers, pieces, end: End::Ends, after: None }
    }

    pub(super) fn json(body: &str) -> Self {
        Self::status(200, body)
    }

    /// The answer to `received` with this result.
    pub(super) fn result(received: &Received, result: &str) -> Self {
        Self::json(&answer(received, result))
    }

    pub(super) fn error(status: u16, received: &Received, code: i64) -> Self {
        let error = json!({ "code": code, "message": "secret of the upstream" });
        Self::status(status, &json!({ "jsonrpc": "2.0", "id": received.body["id"], "error": error }).to_string())
    }

    pub(super) fn events<T: AsRef<str>>(messages: impl IntoIterator<Item = T>) -> Self {
        let frame = |message: T| format!("event: message\ndata: {}\n\n", message.as_ref());
        Self::stream(messages.into_iter().map(frame))
    }

    /// An event stream of exactly these bytes.
    pub(super) fn stream(pieces: impl IntoIterator<Item = String>) -> Self {
        let headers = vec![("content-type", "text/event-stream".to_owned())];
        let pieces = pieces.into_iter().map(Bytes::from).collect();
        Self { status: 200, headers, pieces, end: End::Ends, after: None }
    }

    pub(super) fn silence() -> Self {
        Self { end: End::Silent, ..Self::json("") }
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(found, _)| *found != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn then_hangs(self) -> Self {
        Self { end: End::Hangs, ..self }
    }

    pub(super) fn again_and_again(self) -> Self {
        Self { end: End::Repeats, ..self }
    }

    pub(super) fn after(self, signal: &Arc<Notify>) -> Self {
        Self { after: Some(Arc::clone(signal)), ..self }
    }
}

/// The answer to `received` with this result, as text.
pub(super) fn answer(received: &Received, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, received.body["id"])
}

type Handler = dyn Fn(&Received) -> Reply + Send + Sync;

struct Shared {
    handler: Box<Handler>,
    received: Mutex<Vec<Received>>,
    /// How many arrived.
    count: watch::Sender<usize>,
    /// How many answers the other side did not take to their end.
    abandoned: watch::Sender<usize>,
}

/// The running upstream; it ends with the runtime of its test.
pub(super) struct Fake {
    pub(super) url: String,
    shared: Arc<Shared>,
}

impl Fake {
    pub(super) async fn start(handler: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            received: Mutex::default(),
            count: watch::Sender::new(0),
            abandoned: watch::Sender::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp?key=secret", listener.local_addr().unwrap());
        let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        TaskTracker::new().spawn(async move { axum::serve(listener, service).await });
        Self { url, shared }
    }

    /// Everything with this method that arrived so far.
    pub(super) fn received(&self, method: &str) -> Vec<Received> {
        self.shared.received.lock().unwrap().iter().filter(|one| one.method() == method).cloned().collect()
    }

    /// Waits until `count` with this method have arrived; returns them.
    pub(super) async fn wait_for(&self, method: &str, count: usize) -> Vec<Received> {
        let mut counts = self.shared.count.subscribe();
        let wait = counts.wait_for(|_| self.received(method).len() >= count);
        timeout(SOON, wait).await.expect("it did not arrive").unwrap();
        self.received(method)
    }

    /// Waits until the other side has closed `count` connections in the middle of an answer.
    pub(super) async fn wait_for_abandoned(&self, count: usize) {
        let mut abandoned = self.shared.abandoned.subscribe();
        timeout(SOON, abandoned.wait_for(|found| *found >= count)).await.expect("nobody left").unwrap();
    }

    pub(super) fn abandoned(&self) -> usize {
        *self.shared.abandoned.borrow()
    }
}

/// Counts an answer that was dropped before its end.
struct Guard {
    shared: Arc<Shared>,
    is_done: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.is_done {
            self.shared.abandoned.send_modify(|count| *count += 1);
        }
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    verb: Method,
    headers: HeaderMap,
    body: String,
) -> Response<Body> {
    let received = Received { verb, from, headers, body: serde_json::from_str(&body).unwrap_or_default(), text: body };
    let reply = (shared.handler)(&received);
    shared.received.lock().unwrap().push(received);
    shared.count.send_modify(|count| *count += 1);
    let mut guard = Guard { shared, is_done: false };
    if let Some(after) = &reply.after {
        after.notified().await;
    }
    if reply.end == End::Silent {
        futures::future::pending::<()>().await;
    }
    let builder = reply
        .headers
        .iter()
        .fold(Response::builder().status(reply.status), |builder, (name, value)| builder.header(*name, value));
    let pieces = stream::iter(reply.pieces).map(Ok::<_, Infallible>);
    let body = match reply.end {
        End::Ends => {
            guard.is_done = true;
            Body::from_stream(pieces)
        }
        End::Repeats => {
            let pieces: Vec<_> = pieces.collect().await;
            Body::from_stream(stream::iter(pieces.into_iter().cycle()).map(move |piece| {
                let _ = &guard;
                piece
            }))
        }
        End::Hangs | End::Silent => Body::from_stream(pieces.chain(stream::once(async move {
            let _guard = guard;
            futures::future::pending().await
        }))),
    };
    builder.body(body).unwrap()
}
