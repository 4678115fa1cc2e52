//! Listens for changes of the tool list: `subscriptions/listen` in the modern era, the GET stream in the older one.
//!
//! What is missed is found by polling; this only makes it sooner.

use http::HeaderMap;

use super::{
    failure::Failure,
    limits::MAX_WATCH_BYTES,
    link::Link,
    message::Message,
    peer::Peer,
    reading::{Budget, Messages},
    request,
};

impl Link {
    /// Listens until the stream ends. Its opening counts as a change, since nobody has listened before.
    pub(super) async fn watch(&self, peer: &Peer) -> Result<(), Failure> {
        let mut messages = self.open_watch(peer).await?;
        if !messages.is_stream() {
            return Err(Failure::Malformed);
        }
        self.changed.notify_one();
        let mut inbox = self.inbox(peer, None);
        while let Some(message) = messages.next().await? {
            match message {
                // The orderly end of `subscriptions/listen`, or its refusal.
                Message::Answer { reply, .. } => return reply.map(drop).map_err(|error| Failure::Rpc(error.code)),
                other => inbox.take(other),
            }
        }
        Ok(())
    }

    async fn open_watch(&self, peer: &Peer) -> Result<Box<Messages>, Failure> {
        let budget = Budget::new(MAX_WATCH_BYTES);
        if !peer.version.is_modern() {
            return self.stream(peer, HeaderMap::new(), budget).await;
        }
        let outgoing = request::listen(peer);
        let response = self.transport.post(outgoing.headers, outgoing.body).await?;
        self.opened(peer, response, budget).await
    }
}
