//! How long the token that opened a stream is good. A stream outlives the request that opened it, and must not outlive
//! its token: nothing carries an identity over (auth.md, `no-inherited-identity`).

use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::auth::Principal;

/// The end of a token, on the monotonic clock: a step of the time of day neither prolongs it nor ends it early.
#[derive(Clone, Copy, Debug)]
pub(super) struct Credential {
    /// `None`: nobody was authenticated, by configuration.
    ends_at: Option<Instant>,
}

impl Credential {
    pub(super) fn of(principal: &Principal, now: Timestamp) -> Self {
        let remaining = |second: i64| Duration::from_secs((second - now.as_second()).max(0).cast_unsigned());
        Self { ends_at: principal.ends_at().map(|second| Instant::now() + remaining(second)) }
    }

    /// Returns when the token is no longer good; never, when there is none.
    pub(super) async fn ended(self) {
        match self.ends_at {
            Some(ends_at) => tokio::time::sleep_until(ends_at).await,
            None => std::future::pending().await,
        }
    }

    /// The same events, until then.
    pub(super) fn limit(self, events: BoxStream<'static, Bytes>) -> BoxStream<'static, Bytes> {
        events.take_until(Box::pin(self.ended())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn credential(principal: &Principal) -> Credential {
        Credential::of(principal, Timestamp::from_second(NOW).unwrap())
    }

    fn alice() -> Principal {
        Principal::new("https://issuer.example", "alice")
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_the_token_to_the_second() {
        let begun = Instant::now();
        let silent = stream::pending().boxed();
        assert_eq!(credential(&alice().until(NOW + 90)).limit(silent).next().await, None);
        assert_eq!(begun.elapsed().as_secs(), 90);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_has_ended_tells_nothing_more() {
        let ready = stream::repeat(Bytes::from_static(b"x")).boxed();
        assert_eq!(credential(&alice().until(NOW - 1)).limit(ready).next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_token_nothing_runs_out() {
        let day = tokio::time::timeout(Duration::from_secs(86_400), credential(&Principal::anonymous()).ended());
        assert!(day.await.is_err());
    }
}
