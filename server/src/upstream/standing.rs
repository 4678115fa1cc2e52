//! How the gateway stands with an upstream: written by its background task alone, read by calls and reports.

use std::sync::Arc;

use super::{Upstream, failure::Failure, peer::Peer};

/// A snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// Who is called. `None` before it was met, and after it could not be met again.
    pub(super) peer: Option<Arc<Peer>>,
    /// Why the last look at the list failed; `None` if it did not, or if there was none so far.
    pub(super) failure: Option<Failure>,
    /// Whether the list was ever read.
    pub(super) connected_once: bool,
    /// How many looks there were.
    looks: u64,
}

impl Standing {
    /// Whether the last look at the list has worked.
    pub(super) fn ready(&self) -> bool {
        self.looks > 0 && self.failure.is_none()
    }

    /// What one more look has shown.
    pub(super) fn looked(&mut self, failure: Option<Failure>) {
        self.looks += 1;
        self.failure = failure;
        self.connected_once |= failure.is_none();
    }

    fn has_other_than(&self, peer: &Arc<Peer>) -> bool {
        self.peer.as_ref().is_some_and(|current| !Arc::ptr_eq(current, peer))
    }
}

impl Upstream {
    /// Who is called now. After a session was lost that is who is met next.
    pub(super) async fn peer(&self) -> Result<Arc<Peer>, Failure> {
        let (peer, failure) = {
            let standing = self.standing.borrow();
            (standing.peer.clone(), standing.failure)
        };
        match peer {
            Some(peer) if peer.is_lost() => self.successor(&peer).await,
            Some(peer) => Ok(peer),
            None => Err(failure.unwrap_or(Failure::TimedOut)),
        }
    }

    /// Waits until the background task has met the upstream anew, instead of `lost`. Many calls may wait for the same.
    pub(super) async fn successor(&self, lost: &Arc<Peer>) -> Result<Arc<Peer>, Failure> {
        lost.lose();
        self.lost.notify_one();
        let mut standing = self.standing.subscribe();
        // A look that was under way did not know of the loss; the next one does.
        let enough = standing.borrow().looks + 2;
        let is_over = |standing: &Standing| standing.has_other_than(lost) || standing.looks >= enough;
        let wait = async { standing.wait_for(is_over).await.ok().map(|found| (*found).clone()) };
        let found = self.stopped.run_until_cancelled(wait).await.flatten().ok_or(Failure::SessionLost)?;
        match found.peer {
            Some(peer) if !Arc::ptr_eq(&peer, lost) => Ok(peer),
            _ => Err(found.failure.unwrap_or(Failure::SessionLost)),
        }
    }
}
