//! Reads a body: at most 4 MiB, counted while it comes, at a bounded slowness, within a budget that
//! all requests share.
//!
//! Called by the one handler that takes a body, after authentication: nobody unknown makes us buffer.

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
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

/// What all bodies may take together. One for each process.
#[derive(Clone, Debug)]
pub struct BodyBudget(Arc<Semaphore>);

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_BUFFERED_BYTES)))
    }
}

/// A body in memory, and its part of the budget until it is dropped.
#[derive(Debug)]
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
    // A length that is announced is refused, or reserved, before a byte is read.
    let announced = body.size_hint().lower();
    let announced = usize::try_from(announced).map_err(|_| Error::BodyTooLarge)?;
    let mut held = Held { budget, permit: None, bytes: 0 };
    held.grow_to(announced)?;
    let mut bytes = BytesMut::with_capacity(announced);
    let start = Instant::now();
    while !body.is_end_stream() {
        let frame = if let Some(frame) = soon(&mut body).await {
            frame?
        } else {
            let frame = timeout_at(start + allowed(bytes.len()), body.frame());
            readable(frame.await.map_err(|_| Error::BodyTooSlow)?)?
        };
        let Some(frame) = frame else { break };
        if let Some(data) = frame.data_ref() {
            held.grow_to(bytes.len() + data.len())?;
            bytes.extend_from_slice(data);
        }
    }
    Ok(BufferedBody { bytes: bytes.freeze(), _permit: held.permit })
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
    GRACE + Duration::from_secs(bytes as u64 / MIN_BYTES_PER_SECOND)
}

struct Held<'a> {
    budget: &'a BodyBudget,
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Held<'_> {
    fn grow_to(&mut self, bytes: usize) -> Result<(), Error> {
        if bytes > MAX_BODY_BYTES {
            return Err(Error::BodyTooLarge);
        }
        let Some(more) = bytes.checked_sub(self.bytes).filter(|more| *more > 0) else { return Ok(()) };
        let more_permits = u32::try_from(more).map_err(|_| Error::BodyTooLarge)?;
        let permit = Arc::clone(&self.budget.0).try_acquire_many_owned(more_permits).map_err(|_| Error::Overloaded)?;
        match &mut self.permit {
            Some(held) => held.merge(permit),
            None => self.permit = Some(permit),
        }
        self.bytes = bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures::stream;

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

    #[test]
    fn a_sender_has_5_seconds_and_one_more_for_each_kib() {
        assert_eq!(allowed(0), Duration::from_secs(5));
        assert_eq!(allowed(1023), Duration::from_secs(5));
        assert_eq!(allowed(10 * 1024), Duration::from_secs(15));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_refused() {
        let broken = stream::iter([Ok(Bytes::from("{")), Err(std::io::Error::other("reset"))]);
        assert_eq!(answer(Body::from_stream(broken), &BodyBudget::default()).await, Err("body_unreadable"));
    }
}
