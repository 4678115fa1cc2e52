//! `spec.sessions` and `spec.limits`: what one caller may hold, and for how long.
//!
//! Defaults are those of the policy file: they stand once, in [`crate::gateway_config::limits`].

use super::{Deserialize, KubeSchema, Serialize};
use crate::gateway_config::limits;

/// Sessions of clients that speak a protocol revision before 2026-07-28; newer ones have none. A change is in force without a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sessions {
    /// How long a session lasts from its beginning, whatever its use; then the client begins a new one. Example: 3600.
    /// Default: 86400, one day.
    #[serde(default = "lifetime_seconds")]
    #[schemars(range(min = 60, max = 604_800))]
    pub lifetime_seconds: i32,

    /// How many sessions of one caller a pod keeps streams and subscriptions of. A new one beyond it takes the place of the one used
    /// longest ago: its streams end, its subscriptions are forgotten, its id stays good. Example: 8. Default: 64.
    #[serde(default = "max_per_principal")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_per_principal: i32,

    /// How many events of a stream are kept, so that a client that lost its connection gets what it missed (Last-Event-ID). 0 keeps none.
    /// Example: 1000. Default: 256.
    #[serde(default = "replay_events")]
    #[schemars(range(min = 0, max = 10_000))]
    pub replay_events: i32,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            lifetime_seconds: lifetime_seconds(),
            max_per_principal: max_per_principal(),
            replay_events: replay_events(),
        }
    }
}

/// What one caller may use at once, in each pod. A change is in force without a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// How many streams (server-sent events) one caller has open at once; beyond it a new one is refused. Example: 8. Default: 32.
    #[serde(default = "streams_per_principal")]
    #[schemars(range(min = 1, max = 1000))]
    pub streams_per_principal: i32,

    /// How many requests of one caller are worked on at once; beyond it they are answered with 429. Example: 16. Default: 128.
    #[serde(default = "requests_in_flight_per_principal")]
    #[schemars(range(min = 1, max = 512))]
    pub requests_in_flight_per_principal: i32,

    /// After how many seconds of silence a stream gets a comment, so that no proxy between takes it for dead. Keep it below the shortest
    /// idle timeout on the way. Example: 10. Default: 25.
    #[serde(default = "keep_alive_interval_seconds")]
    #[schemars(range(min = 1, max = 300))]
    pub keep_alive_interval_seconds: i32,

    /// How many bytes of one stream wait for a slow reader; beyond it the stream is closed. Example: 1048576. Default: 262144.
    #[serde(default = "stream_buffer_bytes")]
    #[schemars(range(min = 16_384, max = 16_777_216))]
    pub stream_buffer_bytes: i32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams_per_principal: streams_per_principal(),
            requests_in_flight_per_principal: requests_in_flight_per_principal(),
            keep_alive_interval_seconds: keep_alive_interval_seconds(),
            stream_buffer_bytes: stream_buffer_bytes(),
        }
    }
}

fn lifetime_seconds() -> i32 {
    limits::SESSION_LIFETIME_SECONDS.cast_signed()
}

fn max_per_principal() -> i32 {
    limits::SESSIONS_PER_PRINCIPAL.cast_signed()
}

fn replay_events() -> i32 {
    limits::REPLAY_EVENTS.cast_signed()
}

fn streams_per_principal() -> i32 {
    limits::STREAMS_PER_PRINCIPAL.cast_signed()
}

fn requests_in_flight_per_principal() -> i32 {
    limits::REQUESTS_IN_FLIGHT_PER_PRINCIPAL.cast_signed()
}

fn keep_alive_interval_seconds() -> i32 {
    limits::KEEP_ALIVE_INTERVAL_SECONDS.cast_signed()
}

fn stream_buffer_bytes() -> i32 {
    limits::STREAM_BUFFER_BYTES.cast_signed()
}
