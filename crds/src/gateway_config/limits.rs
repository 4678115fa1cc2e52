//! Lifetimes, caps and buffers: the part of the policy that bounds what one caller may hold.
//!
//! The defaults stand here once: the CRD's schema, the operator and a server without a file read them.

use serde::{Deserialize, Serialize};

/// Default of [`LimitsPolicy::session_lifetime_seconds`]: a working day and a night.
pub const SESSION_LIFETIME_SECONDS: u32 = 86_400;

/// Default of [`LimitsPolicy::sessions_per_principal`]. Chosen: a person's editors and terminals many times over.
pub const SESSIONS_PER_PRINCIPAL: u32 = 64;

/// Default of [`LimitsPolicy::replay_events`]. Chosen: minutes of progress at a few events a second.
pub const REPLAY_EVENTS: u32 = 256;

/// Default of [`LimitsPolicy::streams_per_principal`].
pub const STREAMS_PER_PRINCIPAL: u32 = 32;

/// Default of [`LimitsPolicy::requests_in_flight_per_principal`].
pub const REQUESTS_IN_FLIGHT_PER_PRINCIPAL: u32 = 128;

/// Default of [`LimitsPolicy::keep_alive_interval_seconds`]: below the 30 s after which the strictest proxies give up.
pub const KEEP_ALIVE_INTERVAL_SECONDS: u32 = 25;

/// Default of [`LimitsPolicy::stream_buffer_bytes`]: 256 KiB.
pub const STREAM_BUFFER_BYTES: u32 = 262_144;

/// What one caller may hold, and for how long. Missing members have their defaults. In force without a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LimitsPolicy {
    /// A session of the older protocol revisions ends this long after it began, whatever its use.
    pub session_lifetime_seconds: u32,
    /// Sessions of the older revisions that a process keeps something of for one principal; beyond it the one used
    /// longest ago is forgotten, and its id stays good.
    pub sessions_per_principal: u32,
    /// Events of one stream that are kept for `Last-Event-ID`. 0: none is replayed.
    pub replay_events: u32,
    /// Streams (server-sent events) that one principal has open at once.
    pub streams_per_principal: u32,
    /// Requests of one principal that are worked on at once.
    pub requests_in_flight_per_principal: u32,
    /// A stream that says nothing for this long gets a comment, so that no proxy takes it for dead.
    pub keep_alive_interval_seconds: u32,
    /// Bytes that wait for a slow reader of one stream; beyond it the stream ends.
    pub stream_buffer_bytes: u32,
}

impl Default for LimitsPolicy {
    fn default() -> Self {
        Self {
            session_lifetime_seconds: SESSION_LIFETIME_SECONDS,
            sessions_per_principal: SESSIONS_PER_PRINCIPAL,
            replay_events: REPLAY_EVENTS,
            streams_per_principal: STREAMS_PER_PRINCIPAL,
            requests_in_flight_per_principal: REQUESTS_IN_FLIGHT_PER_PRINCIPAL,
            keep_alive_interval_seconds: KEEP_ALIVE_INTERVAL_SECONDS,
            stream_buffer_bytes: STREAM_BUFFER_BYTES,
        }
    }
}
