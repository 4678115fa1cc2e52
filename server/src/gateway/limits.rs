//! `LimitsPolicy` in the units that are counted with: what one caller may hold, and for how long.

use std::time::Duration;

use crds::gateway_config::LimitsPolicy;

/// What one caller may hold, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A session ends this long after it began.
    pub session_lifetime: Duration,
    /// Sessions that one principal has at once.
    pub sessions_per_principal: usize,
    /// Events of one stream that are kept for whoever comes back.
    pub replay_events: usize,
    /// Streams that one principal has open at once.
    pub streams_per_principal: usize,
    /// Requests of one principal that are worked on at once.
    pub requests_in_flight_per_principal: usize,
    /// A stream that says nothing for this long gets a comment.
    pub keep_alive_interval: Duration,
    /// Bytes that wait for a slow reader of one stream.
    pub stream_buffer_bytes: usize,
}

impl From<LimitsPolicy> for Limits {
    fn from(policy: LimitsPolicy) -> Self {
        let LimitsPolicy {
            session_lifetime_seconds,
            sessions_per_principal,
            replay_events,
            streams_per_principal,
            requests_in_flight_per_principal,
            keep_alive_interval_seconds,
            stream_buffer_bytes,
        } = policy;
        Self {
            session_lifetime: Duration::from_secs(session_lifetime_seconds.into()),
            sessions_per_principal: size(sessions_per_principal),
            replay_events: size(replay_events),
            streams_per_principal: size(streams_per_principal),
            requests_in_flight_per_principal: size(requests_in_flight_per_principal),
            keep_alive_interval: Duration::from_secs(keep_alive_interval_seconds.into()),
            stream_buffer_bytes: size(stream_buffer_bytes),
        }
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
