//! One connection from its first byte to its last: transport, HTTP settings, watchdog, graceful end.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Version};
use hyper::{
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    rt::Executor,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_util::{future::FutureExt as _, sync::CancellationToken, task::TaskTracker};

use super::{
    Service,
    activity::{Activity, HeadBudget, watch},
    ending::Ending,
};

/// What hyper itself reads of a head: more than [`crate::layers::request_limits`] accepts, so that the
/// refusal of what lies between is ours. Beyond, hyper answers a bare 431 and closes.
const MAX_HEADER_FIELDS: usize = 256;
const MAX_HEAD_BYTES: usize = 72 * 1024;

/// Requests at a time on one HTTP/2 connection. Chosen: a proxy's usual pool; more open another connection.
const MAX_STREAMS: u32 = 128;

/// What is buffered for one slow reader. Source: protocol.md, section 2.
const MAX_SEND_BUFFER_BYTES: usize = 256 * 1024;

/// Streams that were reset before we saw them. Source: CVE-2023-44487; hyper's own default, stated.
const MAX_PENDING_RESETS: usize = 20;

/// An HTTP/2 peer that is gone without a word is found out after both. Chosen.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Tasks of HTTP/2 streams: owned by the listener like the connections themselves.
#[derive(Clone)]
pub(super) struct Tasks {
    pub(super) tracker: TaskTracker,
    /// Ends whatever is left after the drain.
    pub(super) cut_off: CancellationToken,
}

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        // An `async` block around it would hold the future twice.
        self.tracker.spawn(future.with_cancellation_token_owned(self.cut_off.clone()));
    }
}

/// Serves `stream` until its end, until the watchdog closes it, or after `ending` until nothing happens on it any more. Holds
/// `_held` for as long.
pub(super) async fn serve_connection(
    stream: TcpStream,
    client: SocketAddr,
    service: impl Service,
    tasks: Tasks,
    ending: Ending,
    heads: HeadBudget,
    _held: impl Send,
) {
    // Answers are small and complete: waiting for more only delays them. A socket without the option works too.
    let _ = stream.set_nodelay(true);
    let activity = Arc::new(Activity::new(Instant::now(), heads));
    let transport = TokioIo::new(Watched { stream, activity: Arc::clone(&activity) });
    // Each request is noted from its head to the end of its answer.
    let counted = service_fn(|request: Request<Incoming>| {
        activity.request_began(request.version() == Version::HTTP_2);
        let in_progress = InProgress(Arc::clone(&activity));
        let (service, ending, version) = (service.clone(), ending.clone(), request.version());
        async move {
            // On the heap, and given back once there is an answer: the library keeps room for this future for as long as the
            // connection lives, which is 5 KiB for each open stream.
            let mut response = Box::pin(service.answer(Some(client), request)).await;
            ending.announce(version, response.headers_mut());
            let answer = in_progress.0.answer_began(Instant::now());
            Ok::<_, Infallible>(response.map(|body| UntilSent { body, answer, in_progress }))
        }
    });
    let builder = builder(tasks);
    let mut connection = pin!(builder.serve_connection(transport, counted));
    tokio::select! {
        // A broken connection concerns nobody but its client, who knows.
        _ = connection.as_mut() => return,
        () = watch(&activity) => return,
        () = ending.linger(&activity) => {}
    }
    if activity.is_untouched() {
        return;
    }
    // GOAWAY where HTTP/2 is spoken, nothing new, then the end.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = watch(&activity) => {}
    }
}

fn builder(tasks: Tasks) -> Builder<Tasks> {
    let mut builder = Builder::new(tasks);
    builder
        .http1()
        // See `super`: the watchdog does this better.
        .header_read_timeout(None)
        .max_headers(MAX_HEADER_FIELDS)
        .max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_send_buf_size(MAX_SEND_BUFFER_BYTES);
    builder
}

/// A request until its answer is handed over, also when its client goes away in the middle.
struct InProgress(Arc<Activity>);

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.request_ended(Instant::now());
    }
}

/// A body that keeps its request in progress until its end, and notes when it finds no room.
struct UntilSent {
    body: Body,
    /// Its number, in HTTP/2 alone.
    answer: Option<u64>,
    in_progress: InProgress,
}

impl Drop for UntilSent {
    fn drop(&mut self) {
        self.answer.inspect(|answer| self.in_progress.0.answer_moves(*answer));
    }
}

impl HttpBody for UntilSent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(answer) = self.answer else { return Pin::new(&mut self.body).poll_frame(context) };
        self.in_progress.0.answer_moves(answer);
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(_)) = frame {
            self.in_progress.0.answer_waits(answer, Instant::now());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A transport that notes when bytes move.
struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let within_budget = self.activity.read(buffer.filled().len() - before, Instant::now());
        Poll::Ready(if within_budget { Ok(()) } else { Err(io::ErrorKind::OutOfMemory.into()) })
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.activity.wrote(written.is_ready(), Instant::now());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.activity.wrote(written.is_ready(), Instant::now());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
