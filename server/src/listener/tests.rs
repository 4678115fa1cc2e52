//! The end of a listener as its clients see it, over real sockets.

use axum::{body::Body, routing::get};
use futures::StreamExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
};

use super::*;

/// For what comes at once, on a machine that does something else as well.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longer than any test: what ends earlier does so for another reason.
const LONG: Duration = Duration::from_secs(600);

const PING: &str = "GET /ping HTTP/1.1\r\nhost: a\r\n\r\n";
const STREAM: &str = "GET /stream HTTP/1.1\r\nhost: a\r\n\r\n";

struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    connection: TcpStream,
    /// Lets `/stream` end.
    end: std::sync::Arc<Notify>,
    running: tokio::task::JoinHandle<usize>,
}

/// A listener with an answer and a stream, and one connection to it.
async fn served(linger: Duration) -> Served {
    let (stop, end) = (CancellationToken::new(), std::sync::Arc::new(Notify::new()));
    let ended = std::sync::Arc::clone(&end);
    let stream = async move || {
        let rest = futures::stream::once(async move {
            ended.notified().await;
            "end"
        });
        let events = futures::stream::iter(["begin"]).chain(rest);
        Body::from_stream(events.map(Ok::<_, std::convert::Infallible>))
    };
    let router = Router::new().route("/ping", get(async || "pong")).route("/stream", get(stream));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connection = TcpStream::connect(address).await.unwrap();
    let drain = Drain { linger, deadline: LONG };
    let running = TaskTracker::new().spawn(run(listener, router, Limits::default(), None, stop.clone(), drain));
    Served { address, stop, connection, end, running }
}

impl Served {
    async fn send(&mut self, request: &str) {
        self.connection.write_all(request.as_bytes()).await.unwrap();
    }

    /// Stops, and waits until nobody listens any more.
    async fn stop(&mut self) {
        self.stop.cancel();
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// What comes until `end`, in small letters.
    async fn read_to(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            let byte = tokio::time::timeout(PATIENCE, self.connection.read_u8()).await.expect("it comes").unwrap();
            text.push(byte.to_ascii_lowercase().into());
        }
        text
    }

    /// The server has closed the connection, and then ends.
    async fn ends(mut self) {
        assert_eq!(self.connection.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(tokio::time::timeout(PATIENCE, self.running).await.expect("it ends").unwrap(), 0);
    }
}

#[tokio::test]
async fn an_idle_connection_serves_one_more_request_after_the_stop_and_says_that_it_was_the_last() {
    let mut served = served(LONG).await;
    served.send(PING).await;
    assert!(!served.read_to("pong").await.contains("connection:"));
    served.stop().await;
    served.send(PING).await;
    assert!(served.read_to("pong").await.contains("connection: close\r\n"));
    served.ends().await;
}

#[tokio::test]
async fn a_stream_that_ends_after_the_stop_leaves_its_connection_to_one_more_request() {
    let mut served = served(LONG).await;
    served.send(STREAM).await;
    served.read_to("begin\r\n").await;
    served.stop().await;
    served.end.notify_one();
    served.read_to("0\r\n\r\n").await;
    served.send(PING).await;
    assert!(served.read_to("pong").await.contains("connection: close\r\n"));
    served.ends().await;
}

#[tokio::test]
async fn a_connection_that_nobody_uses_any_more_is_closed() {
    let mut served = served(Duration::from_millis(10)).await;
    served.send(PING).await;
    served.read_to("pong").await;
    served.stop().await;
    served.ends().await;
}
