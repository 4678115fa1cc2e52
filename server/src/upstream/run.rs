//! The background task of an upstream: meets it, keeps its list fresh, listens for changes, says good-bye.

use std::sync::Arc;

use tokio::{
    select,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Upstream, backoff::Backoff, catalog::Catalog, failure::Failure, limits::MAX_CALLS, peer::Peer, standing::Standing,
};
use crate::features::Change;

impl Upstream {
    /// Runs until `shutdown`, and then until the calls in flight have ended and the session is closed.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let work = async { tokio::join!(self.keep_fresh(), self.keep_listening()) };
        let _ = shutdown.run_until_cancelled(work).await;
        self.stopped.cancel();
        self.say_goodbye().await;
    }

    async fn keep_fresh(&self) {
        let mut backoff = self.backoff();
        loop {
            let failure = self.refresh().await.err();
            let looked_at = Instant::now();
            self.tell(failure);
            self.standing.send_modify(|standing| standing.looked(failure));
            let wait = if failure.is_some() {
                backoff.wait()
            } else {
                backoff.forget();
                self.link.timing.poll
            };
            // Whoever asks for another look soon, one follows the other at some distance.
            let after_gap = looked_at + self.link.timing.gap;
            select! {
                () = sleep(wait) => {}
                () = self.lost.notified() => sleep_until(after_gap).await,
                () = self.link.changed.notified(), if failure.is_none() => sleep_until(after_gap).await,
            }
        }
    }

    /// One look at the list; at an upstream that has become another one it is met anew.
    async fn refresh(&self) -> Result<(), Failure> {
        let known = self.standing.borrow().peer.clone();
        if let Some(peer) = known {
            let result = if peer.is_lost() { Err(Failure::SessionLost) } else { self.look(&peer).await };
            match result {
                Err(failure) if !failure.is_passing() => self.leave(&peer, failure),
                result => return result,
            }
        }
        let met = self.link.meet().await;
        let peer = met.inspect_err(|_| {
            self.standing.send_modify(|standing| standing.peer = None);
        })?;
        let peer = Arc::new(peer);
        self.standing.send_modify(|standing| standing.peer = Some(Arc::clone(&peer)));
        self.look(&peer).await
    }

    async fn look(&self, peer: &Peer) -> Result<(), Failure> {
        let listing = self.link.list(peer).await?;
        let catalog = Catalog::new(&self.name, &listing.tools, peer.version, self.deadline, listing.problems);
        let before = self.catalog.load_full();
        let (tools, problems) = (catalog.offer.tools.len(), catalog.problems.clone());
        let is_change = !catalog.offers_the_same_as(&before);
        self.catalog.store(Arc::new(catalog));
        if is_change {
            let name = &self.name;
            tracing::info!(upstream.name = %name, "upstream {name} offers {tools} tools");
            self.changes.tell(Change::Tools);
        }
        if problems != before.problems && problems.count > 0 {
            let (name, count, first) = (&self.name, problems.count, problems.texts.first());
            tracing::warn!(upstream.name = %name, first, "upstream {name} has {count} problems in its tool list");
        }
        Ok(())
    }

    /// A session that is of no use any more is given back, if it is not gone already.
    fn leave(&self, peer: &Peer, failure: Failure) {
        if peer.session.is_some() && failure != Failure::SessionLost {
            self.link.aside.end_session(peer.session_headers());
        }
    }

    fn tell(&self, failure: Option<Failure>) {
        let name = &self.name;
        let was_ready = self.standing.borrow().ready();
        match failure {
            Some(failure) => {
                let host = self.link.transport.host();
                tracing::warn!(upstream.name = %name, server.address = host, "upstream {name} {failure}");
            }
            None if !was_ready => tracing::info!(upstream.name = %name, "upstream {name} is ready"),
            None => {}
        }
    }

    async fn keep_listening(&self) {
        let mut standing = self.standing.subscribe();
        let mut backoff = self.backoff();
        loop {
            let met = standing.wait_for(|standing| announcing(standing).is_some()).await;
            let Some(peer) = met.ok().and_then(|standing| announcing(&standing)) else { return };
            let began = Instant::now();
            let watch = timeout(self.link.timing.watch, self.link.watch(&peer));
            let ended = select! {
                ended = watch => ended.unwrap_or(Ok(())),
                () = self.replaced(&peer) => continue,
            };
            match ended {
                // Either the session is gone or there is no such stream: the list shows which.
                Err(Failure::SessionLost) => self.link.changed.notify_one(),
                // It has no such stream, whatever it announces.
                Err(Failure::Status(405) | Failure::Rpc(-32601)) => {
                    self.replaced(&peer).await;
                    continue;
                }
                Ok(()) | Err(_) => {}
            }
            if began.elapsed() >= self.link.timing.backoff_most {
                backoff.forget();
            }
            sleep(backoff.wait()).await;
        }
    }

    /// Until another than `peer` is called.
    async fn replaced(&self, peer: &Arc<Peer>) {
        let mut standing = self.standing.subscribe();
        let is_same = |standing: &Standing| standing.peer.as_ref().is_some_and(|current| Arc::ptr_eq(current, peer));
        let _ = standing.wait_for(|standing| !is_same(standing)).await;
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(self.link.timing.backoff_first, self.link.timing.backoff_most)
    }

    /// Calls in flight need their session until they end.
    async fn say_goodbye(&self) {
        let all = u32::try_from(MAX_CALLS).unwrap_or(u32::MAX);
        let _ = timeout(self.deadline, self.calls.acquire_many(all)).await;
        let peer = self.standing.borrow().peer.clone();
        if let Some(peer) = peer.filter(|peer| peer.session.is_some() && !peer.is_lost()) {
            self.link.aside.end_session(peer.session_headers());
        }
        self.link.aside.finished().await;
    }
}

/// Who is called, if it tells of changes.
fn announcing(standing: &Standing) -> Option<Arc<Peer>> {
    standing.peer.clone().filter(|peer| peer.announces_changes && !peer.is_lost())
}
