//! How a connection ends when the process stops, so that no request is lost on it.
//!
//! HTTP/1.1 has one way to say that a connection closes: on an answer. A connection that is closed without it while it is idle
//! may meet the next request on its way, and the client cannot know whether that was read. So an idle connection is kept a
//! moment for one more request, whose answer says that it was the last. HTTP/2 has GOAWAY for it, and needs no moment.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Version, header::CONNECTION};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::activity::Activity;

/// When and how connections end. A cheap handle.
#[derive(Clone)]
pub(super) struct Ending {
    pub(super) stop: CancellationToken,
    /// For how long an idle connection is kept after `stop`.
    pub(super) linger: Duration,
}

impl Ending {
    /// Says on an answer that it is the last of its connection, if it is.
    pub(super) fn announce(&self, version: Version, headers: &mut HeaderMap) {
        if self.stop.is_cancelled() && version <= Version::HTTP_11 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// Ends when the connection is to be closed: after `stop`, once it has been idle long enough.
    pub(super) async fn linger(&self, activity: &Activity) {
        self.stop.cancelled().await;
        let stopped = Instant::now();
        while !activity.is_multiplexed() {
            let now = Instant::now();
            // While a request is under way, its end is looked for this often.
            let next_look = activity.quiet_since().map_or(now, |since| since.max(stopped)) + self.linger;
            if next_look <= now {
                return;
            }
            tokio::time::sleep_until(next_look).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::{super::activity::HeadBudget, *};

    const LINGER: Duration = Duration::from_secs(2);

    fn ending() -> Ending {
        Ending { stop: CancellationToken::new(), linger: LINGER }
    }

    /// Of a connection that has answered one request.
    fn idle(multiplexed: bool) -> Activity {
        let activity = Activity::new(Instant::now(), HeadBudget::default());
        activity.request_began(multiplexed);
        activity.request_ended(Instant::now());
        activity
    }

    #[test]
    fn answers_after_the_stop_are_the_last_where_one_must_say_so() {
        let ending = ending();
        let said = |version| {
            let mut headers = HeaderMap::new();
            ending.announce(version, &mut headers);
            headers.get(CONNECTION).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(said(Version::HTTP_11), None);
        ending.stop.cancel();
        assert_eq!(said(Version::HTTP_11).as_deref(), Some("close"));
        assert_eq!(said(Version::HTTP_10).as_deref(), Some("close"));
        // A connection's own header is an error there.
        assert_eq!(said(Version::HTTP_2), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_kept_a_moment_after_the_stop_and_not_before_it() {
        let (ending, activity) = (ending(), idle(false));
        tokio::time::advance(10 * LINGER).await;
        assert!(ending.linger(&activity).now_or_never().is_none());
        ending.stop.cancel();
        let stopped = Instant::now();
        ending.linger(&activity).await;
        assert_eq!(stopped.elapsed(), LINGER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_the_moment_is_answered_and_then_the_moment_begins_anew() {
        let (ending, activity) = (ending(), idle(false));
        ending.stop.cancel();
        let stopped = Instant::now();
        let request = async {
            tokio::time::sleep(LINGER / 2).await;
            assert!(activity.read(1, Instant::now()));
            activity.request_began(false);
            tokio::time::sleep(10 * LINGER).await;
            activity.request_ended(Instant::now());
        };
        tokio::join!(ending.linger(&activity), request);
        assert_eq!(stopped.elapsed(), LINGER / 2 + 11 * LINGER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_no_byte_came_by_is_kept_like_an_idle_one() {
        let (ending, activity) = (ending(), Activity::new(Instant::now(), HeadBudget::default()));
        ending.stop.cancel();
        let stopped = Instant::now();
        ending.linger(&activity).await;
        assert_eq!(stopped.elapsed(), LINGER);
    }

    #[tokio::test(start_paused = true)]
    async fn http2_is_told_at_once() {
        let (ending, activity) = (ending(), idle(true));
        ending.stop.cancel();
        assert!(ending.linger(&activity).now_or_never().is_some());
    }
}
