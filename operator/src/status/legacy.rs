//! What clients of older protocol revisions are offered. Told, and no trouble: it influences nothing else.

use crds::conditions::{ConditionStatus, Reason};

use super::concern::Concern;
use crate::validate::ValidServer;

/// `LegacyStreams`: what one process must remember works where there is only one, or where all share a store. Source: design.md, «The path of a request».
pub(super) fn legacy_streams(valid: &ValidServer) -> Concern {
    match valid.replicas {
        1.. if valid.redis.is_some() => Concern::good(
            Reason::SharedRedis,
            "clients of protocol revisions before 2026-07-28 are offered GET streams, subscriptions, logging level and requests of the \
             server by every pod: what one must remember is in the Redis",
        ),
        ..=0 => Concern::unknown(Reason::ScaledToZero, "there is no pod to offer anything"),
        1 => Concern::good(
            Reason::OneReplica,
            "clients of protocol revisions before 2026-07-28 are offered GET streams, subscriptions, logging level and requests of the server",
        ),
        2.. => Concern {
            status: ConditionStatus::False,
            ..Concern::good(
                Reason::SeveralReplicas,
                "clients of protocol revisions before 2026-07-28 are not offered GET streams, subscriptions, logging level and requests \
                 of the server: each pod keeps these in its own memory; let them share a Redis (spec.redis.mode), or set spec.replicas: 1",
            )
        },
    }
}
