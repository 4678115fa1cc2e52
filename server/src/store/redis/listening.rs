//! The subscription: a connection of its own, that says "there may be a gap" whenever it begins anew.

use std::time::Duration;

use bytes::Bytes;
use redis::{PushInfo, PushKind, Value, cmd};
use tokio::{
    select,
    sync::broadcast,
    time::{Instant, sleep, timeout},
};

use super::{
    RedisAddress, RedisStore, Topology,
    backoff::Backoff,
    dial::{Connection, OnPush},
    fault::Fault,
    link::Link,
    run::{MountedReader, PROBE_INTERVAL, STEADY},
};
use crate::{
    files::Reader,
    store::{Heard, MAX_MESSAGE_BYTES},
};

/// For an answer on this connection, where nobody waits for one. Chosen: as long as connecting may take.
const ANSWER: Duration = Duration::from_secs(1);

impl RedisStore {
    pub(super) async fn keep_listening(&self) {
        let (reader, mut backoff) = (Reader::new(), Backoff::default());
        let mut attempt = 0;
        loop {
            match self.listen(&reader, attempt).await {
                Ok(connection) => {
                    let since = Instant::now();
                    self.note_and_say(|conditions, now| conditions.listening(None, now));
                    // Nobody listens: nobody has missed anything.
                    let _ = self.heard.send(Heard::Gap);
                    self.until_silent(&connection).await;
                    if since.elapsed() >= STEADY {
                        backoff.forget();
                        continue;
                    }
                }
                Err(fault) => {
                    self.measures.failed(fault);
                    self.note_and_say(|conditions, now| conditions.listening(Some(fault), now));
                }
            }
            attempt += 1;
            sleep(backoff.wait(rand::random())).await;
        }
    }

    async fn listen(&self, reader: &MountedReader, attempt: usize) -> Result<Connection, Fault> {
        let mounted = self.mounted(reader).await?;
        let connection = self.dial(&mounted, attempt, Some(self.pass_on())).await?;
        let mut redis = connection.redis.clone();
        let subscribed = timeout(ANSWER, redis.subscribe(self.names.channel())).await;
        subscribed
            .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
            .map_err(Fault::of_redis)?;
        Ok(connection)
    }

    fn pass_on(&self) -> OnPush {
        let (heard, channel) = (self.heard.clone(), self.names.channel());
        Box::new(move |push| pass_on(&heard, &channel, push))
    }

    /// Returns when the connection has ended, does not answer, or is to another server than requests are sent to.
    async fn until_silent(&self, connection: &Connection) {
        let answers = async {
            loop {
                sleep(PROBE_INTERVAL).await;
                let mut redis = connection.redis.clone();
                let Ok(answer) = timeout(ANSWER, cmd("PING").query_async::<Value>(&mut redis)).await else { return };
                // One whose disk is full says so even to this, and goes on telling.
                if answer.is_err_and(|error| Fault::of_redis(error).ends_connection()) {
                    return;
                }
            }
        };
        select! {
            () = connection.ended.cancelled() => {}
            () = answers => {}
            () = self.moved_from(&connection.address) => {}
        }
    }

    /// Until requests go elsewhere. All nodes of a cluster pass messages on to each other.
    async fn moved_from(&self, address: &RedisAddress) {
        if self.settings.topology == Topology::Cluster {
            std::future::pending::<()>().await;
        }
        let mut link = self.link.subscribe();
        let is_elsewhere = |link: &Link| matches!(link, Link::Up(nodes) if nodes.first.address != *address);
        let _ = link.wait_for(is_elsewhere).await;
    }
}

/// What is no message to us is dropped.
fn pass_on(heard: &broadcast::Sender<Heard>, channel: &str, push: PushInfo) {
    if push.kind != PushKind::Message {
        return;
    }
    let Ok([Value::BulkString(from), Value::BulkString(message)]) = <[Value; 2]>::try_from(push.data) else { return };
    if from == channel.as_bytes() && message.len() <= MAX_MESSAGE_BYTES {
        let _ = heard.send(Heard::Message(Bytes::from(message)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_our_channel_and_size_are_heard() {
        let heard = broadcast::Sender::new(8);
        let mut listener = heard.subscribe();
        let bulk = |text: &[u8]| Value::BulkString(text.to_vec());
        let push = |kind, data| pass_on(&heard, "a:events", PushInfo { kind, data });
        push(PushKind::Subscribe, vec![bulk(b"a:events"), Value::Int(1)]);
        push(PushKind::Message, vec![bulk(b"b:events"), bulk(b"of another")]);
        push(PushKind::Message, vec![bulk(b"a:events"), Value::Nil]);
        push(PushKind::Message, vec![bulk(b"a:events"), bulk(&vec![0; MAX_MESSAGE_BYTES + 1])]);
        push(PushKind::Message, vec![bulk(b"a:events"), bulk(b"hello")]);
        assert_eq!(listener.try_recv(), Ok(Heard::Message(Bytes::from_static(b"hello"))));
        assert!(listener.try_recv().is_err());
    }
}
