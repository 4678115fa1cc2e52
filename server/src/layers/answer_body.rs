//! A whole answer on its way to a client that may read slowly: handed over in parts, so that whatever the request holds
//! is held until the last part has been taken, and within a budget that all answers share.
//!
//! Given whole, an answer would be out of our hands at once and lie in the connection's buffer, however large it is and
//! however many there are.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{error::Error, places::Place};

/// What is handed over at a time; an answer of this size takes nothing from the budget. Chosen: what a connection
/// buffers anyway.
const PART: usize = 64 * 1024;

/// All larger answers together, in bytes. Chosen: as for bodies of requests, 16 of the largest.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// How long an answer waits for others to be read. Chosen: shorter than any client waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// What all answers may take together. One for each process.
#[derive(Clone, Debug)]
pub struct AnswerBudget(Arc<Semaphore>);

impl Default for AnswerBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_BYTES)))
    }
}

/// An answer that has not been taken to its end.
pub struct AnswerBody {
    left: Bytes,
    _place: Arc<Place>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AnswerBody {
    /// `bytes` as a body that holds `place` until they are taken. [`Error::Overloaded`] if others leave no room.
    pub async fn new(bytes: Bytes, place: Arc<Place>, budget: &AnswerBudget) -> Result<Self, Error> {
        let permit = if bytes.len() > PART {
            // One that is larger than the whole budget waits until it is alone.
            let wanted = u32::try_from(bytes.len().min(MAX_BYTES)).map_err(|_| Error::Overloaded)?;
            let permit = timeout(PATIENCE, Arc::clone(&budget.0).acquire_many_owned(wanted)).await;
            Some(permit.ok().and_then(Result::ok).ok_or(Error::Overloaded)?)
        } else {
            None
        };
        Ok(Self { left: bytes, _place: place, _permit: permit })
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let part = self.left.len().min(PART);
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(part)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::{auth::Principal, places::Places};

    fn place(places: &Places) -> Arc<Place> {
        Arc::new(places.take(&Arc::new(Principal::anonymous()), 1).unwrap())
    }

    #[tokio::test]
    async fn an_answer_comes_in_parts_and_holds_its_place_to_the_last() {
        let (places, budget) = (Places::new(1), AnswerBudget::default());
        let bytes = Bytes::from(vec![b'x'; 2 * PART + 1]);
        let mut body = AnswerBody::new(bytes.clone(), place(&places), &budget).await.unwrap();
        assert_eq!(body.size_hint().exact(), Some(bytes.len() as u64));
        for expected in [PART, PART, 1] {
            assert_eq!(places.taken(), 1);
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), expected);
        }
        assert!(body.is_end_stream());
        drop(body);
        assert_eq!((places.taken(), budget.0.available_permits()), (0, MAX_BYTES));
    }

    #[tokio::test(start_paused = true)]
    async fn large_answers_that_nobody_reads_leave_no_room_for_more_and_small_ones_pass() {
        let (places, budget) = (Places::new(8), AnswerBudget::default());
        let large = Bytes::from(vec![b'x'; MAX_BYTES]);
        let unread = AnswerBody::new(large.clone(), place(&places), &budget).await.unwrap();
        let refused = AnswerBody::new(large.slice(..=PART), place(&places), &budget).await;
        assert_eq!(refused.err().map(|error| error.reason()), Some("overloaded"));
        assert!(AnswerBody::new(large.slice(..PART), place(&places), &budget).await.is_ok());
        drop(unread);
        assert!(AnswerBody::new(large, place(&places), &budget).await.is_ok());
    }
}
