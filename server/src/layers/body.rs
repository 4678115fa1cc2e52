//! Reads a body: at most 4 MiB, counted while it comes, at a bounded slowness, within a budget that
//! all requests share.
//!
//! Called by the one handler that takes a body, after authentication: nobody unknown makes us buffer.

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use crate::error::Error;

/// Source: protocol.md, section 2.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// All bodies in memory together, in bytes. Chosen: 16 of the largest, so that a pod of 256 MiB
/// survives whatever the cap on requests in flight would otherwise allow.
const MAX_BUFFERED_BYTES: usize = 64 * 1024 * 1024;

/// A sender has this long before its rate counts. Source: protocol.md, section 2.
const GRACE: Duration = Duration::from_secs(5);

/// Afterwards each KiB buys one more second. Source: protocol.md, section 2.
const MIN_BYTES_PER_SECOND: u64 = 1024;

/// For a whole body, however steadily it comes. Chosen: 4 MiB at 70 KiB/s, so that no place and no part of
/// the budget is held for longer.
const MAX_DURATION: Duration = Duration::from_secs(60);

/// What all bodies may take together. One for each process.
#[derive(Clone, Debug)]
pub struct BodyBudget(Arc<Semaphore>);

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_BUFFERED_BYTES)))
    }
}

/// A body in memory, and its part of the budget until it is dropped. Without `Debug`: it is all that the caller sent.
pub struct BufferedBody {
    /// The bytes as they came.
    pub bytes: Bytes,
    _permit: Option<OwnedSemaphorePermit>,
}

/// Reads `body` to its end, or says why not.
pub async fn read<B>(mut body: B, budget: &BodyBudget) -> Result<BufferedBody, Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    // Too much is refused when it is announced. Nothing is reserved for it: a caller could announce
    // a lot, send nothing, and leave no room for the others.
    let announced = usize::try_from(body.size_hint().lower()).map_err(|_| Error::BodyTooLarge)?;
    if announced > MAX_BODY_BYTES {
        return Err(Error::BodyTooLarge);
    }
    let mut buffer = Buffer { budget, permit: None, announced, bytes: Vec::new() };
    let start = Instant::now();
    while !body.is_end_stream() {
        let deadline = start + allowed(buffer.bytes.len());
        let frame = if let Some(frame) = soon(&mut body).await {
            frame?
        } else {
            readable(timeout_at(deadline, body.frame()).await.map_err(|_| Error::BodyTooSlow)?)?
        };
        let Some(frame) = frame else { break };
        if let Some(data) = frame.data_ref() {
            buffer.push(data)?;
        }
    }
    Ok(BufferedBody { bytes: buffer.bytes.into(), _permit: buffer.permit })
}

/// The next frame, if it is here by the next turn of the task: a body mostly came with its head, and the
/// connection hands it over in that turn. To wait with a timer costs more than the rest of the reading.
async fn soon<B: Body + Unpin>(body: &mut B) -> Option<Result<Option<Frame<B::Data>>, Error>> {
    let mut turned = false;
    poll_fn(|context| match Pin::new(&mut *body).poll_frame(context) {
        Poll::Ready(frame) => Poll::Ready(Some(readable(frame))),
        Poll::Pending if turned => Poll::Ready(None),
        Poll::Pending => {
            turned = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// What went wrong on the way concerns the client alone, who knows.
fn readable<D, E>(frame: Option<Result<Frame<D>, E>>) -> Result<Option<Frame<D>>, Error> {
    frame.transpose().map_err(|_| Error::BodyUnreadable)
}

/// How long a sender may have taken after `bytes`.
fn allowed(bytes: usize) -> Duration {
    MAX_DURATION.min(GRACE + Duration::from_secs(bytes as u64 / MIN_BYTES_PER_SECOND))
}

/// What has come, and the part of the budget that it takes: as much as is allocated.
struct Buffer<'a> {
    budget: &'a BodyBudget,
    permit: Option<OwnedSemaphorePermit>,
    /// How long the body says that it will be at least.
    announced: usize,
    bytes: Vec<u8>,
}

impl Buffer<'_> {
    fn push(&mut self, data: &[u8]) -> Result<(), Error> {
        let needed = self.bytes.len() + data.len();
        if needed > MAX_BODY_BYTES {
            return Err(Error::BodyTooLarge);
        }
        if needed > self.bytes.capacity() {
            self.grow_to(needed)?;
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Doubles, so that little is copied, and goes no further than the body will: the budget first.
    fn grow_to(&mut self, needed: usize) -> Result<(), Error> {
        let end = if self.announced >= needed { self.announced } else { MAX_BODY_BYTES };
        let capacity = needed.max(2 * self.bytes.capacity()).min(end);
        let more = u32::try_from(capacity - self.bytes.capacity()).map_err(|_| Error::BodyTooLarge)?;
        let permit = Arc::clone(&self.budget.0).try_acquire_many_owned(more).map_err(|_| Error::Overloaded)?;
        match &mut self.permit {
            Some(held) => held.merge(permit),
            None => self.permit = Some(permit),
        }
        self.bytes.reserve_exact(capacity - self.bytes.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Context};

    use axum::body::Body;
    use futures::stream;
    use hyper::body::{Body as HttpBody, SizeHint};

    use super::*;

    fn chunks(count: usize, bytes: usize) -> Body {
        let chunk = Bytes::from(vec![b'x'; bytes]);
        Body::from_stream(stream::iter((0..count).map(move |_| Ok::<_, std::io::Error>(chunk.clone()))))
    }

    async fn answer(body: Body, budget: &BodyBudget) -> Result<usize, &'static str> {
        read(body, budget).await.map(|body| body.bytes.len()).map_err(|error| error.reason())
    }

    #[tokio::test]
    async fn the_cap_holds_with_and_without_an_announced_length() {
        let budget = BodyBudget::default();
        assert_eq!(answer(Body::from(vec![0; MAX_BODY_BYTES]), &budget).await, Ok(MAX_BODY_BYTES));
        assert_eq!(answer(chunks(4, MAX_BODY_BYTES / 4), &budget).await, Ok(MAX_BODY_BYTES));
        assert_eq!(answer(Body::from(vec![0; MAX_BODY_BYTES + 1]), &budget).await, Err("body_too_large"));
        assert_eq!(answer(chunks(5, MAX_BODY_BYTES / 4), &budget).await, Err("body_too_large"));
    }

    #[tokio::test]
    async fn a_body_counts_until_it_is_dropped() {
        let budget = BodyBudget(Arc::new(Semaphore::new(100)));
        let first = read(chunks(6, 10), &budget).await.unwrap();
        assert_eq!(answer(chunks(5, 10), &budget).await, Err("overloaded"));
        drop(first);
        assert_eq!(answer(chunks(5, 10), &budget).await, Ok(50));
        assert_eq!(budget.0.available_permits(), 100);
    }

    /// Announces so many bytes, and sends none.
    struct Announced(u64);

    impl HttpBody for Announced {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
            Poll::Pending
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0)
        }
    }

    #[tokio::test]
    async fn what_is_only_announced_takes_nothing_from_the_others() {
        let budget = BodyBudget::default();
        let mut idle: Vec<_> = (0..17).map(|_| Box::pin(read(Announced(MAX_BODY_BYTES as u64), &budget))).collect();
        for reading in &mut idle {
            assert!(futures::poll!(reading).is_pending());
        }
        assert_eq!(budget.0.available_permits(), MAX_BUFFERED_BYTES);
        assert_eq!(answer(Body::from(vec![0; 64]), &budget).await, Ok(64));
    }

    #[tokio::test]
    async fn too_much_is_refused_when_it_is_announced() {
        let announced = Announced(MAX_BODY_BYTES as u64 + 1);
        let refusal = read(announced, &BodyBudget::default()).await.map(|body| body.bytes).unwrap_err();
        assert_eq!(refusal.reason(), "body_too_large");
    }

    #[test]
    fn no_body_may_take_longer_than_a_minute() {
        assert_eq!(allowed(55 * 1024), Duration::from_secs(60));
        assert_eq!(allowed(MAX_BODY_BYTES), Duration::from_secs(60));
    }

    #[test]
    fn a_sender_has_5_seconds_and_one_more_for_each_kib() {
        assert_eq!(allowed(0), Duration::from_secs(5));
        assert_eq!(allowed(1023), Duration::from_secs(5));
        assert_eq!(allowed(10 * 1024), Duration::from_secs(15));
    }

    #[tokio::test]
    async fn after_one_turn_only_the_timer_waits_for_a_body() {
        let mut body = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let mut soon = pin!(soon(&mut body));
        assert!(futures::poll!(soon.as_mut()).is_pending());
        assert!(matches!(futures::poll!(soon.as_mut()), Poll::Ready(None)));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_refused() {
        let broken = stream::iter([Ok(Bytes::from("{")), Err(std::io::Error::other("reset"))]);
        assert_eq!(answer(Body::from_stream(broken), &BodyBudget::default()).await, Err("body_unreadable"));
    }
}
