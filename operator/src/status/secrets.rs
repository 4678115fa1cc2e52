//! Which revisions of generated Secrets are in use, and whether the last wish for new ones was taken up.

use crds::mcp_server::SecretsStatus;

use crate::{
    observed::Observed,
    validate::{ManagedRedis, ValidRedis, ValidServer},
};

pub(super) fn secrets(valid: &ValidServer) -> SecretsStatus {
    let credentials = managed(valid).map(|managed| {
        let plan = &managed.credentials;
        let others = plan.accepted.iter().copied().filter(|revision| *revision != plan.gateway);
        numbers(std::iter::once(plan.gateway).chain(others))
    });
    SecretsStatus {
        sealing_keys: numbers(valid.sealing.keys.iter().copied()),
        redis_credentials: credentials.unwrap_or_default(),
    }
}

/// Begun, for everything that there is to rotate.
pub(super) fn rotation_is_begun(valid: &ValidServer, observed: &Observed) -> bool {
    let answers = |handled: &Option<String>| *handled == observed.wish.asked;
    let records = [Some(&valid.sealing.record), managed(valid).map(|managed| &managed.credentials.record)];
    observed.wish.asked.is_some() && records.into_iter().flatten().all(|record| answers(&record.handled))
}

fn managed(valid: &ValidServer) -> Option<&ManagedRedis> {
    match &valid.redis {
        Some(ValidRedis::Managed(managed)) => Some(managed),
        Some(ValidRedis::External(_)) | None => None,
    }
}

/// As many as the schema takes; more than two there are only after somebody's hand.
fn numbers(revisions: impl Iterator<Item = u32>) -> Vec<i64> {
    revisions.map(i64::from).take(8).collect()
}
