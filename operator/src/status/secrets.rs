//! Which revisions of generated Secrets are in use, and whether the last wish for new ones was taken up.

use crds::{McpServer, mcp_server::SecretsStatus};
use kube::ResourceExt;

use super::within_schema;
use crate::{
    desired::annotation,
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

/// The value of the annotation, once a rotation has begun for it of everything that there is to rotate.
pub(super) fn rotation_begun(mcp_server: &McpServer, valid: &ValidServer, observed: &Observed) -> Option<String> {
    let asked = mcp_server.annotations().get(annotation::ROTATE_AT)?;
    let records = [Some(&valid.sealing.record), managed(valid).map(|managed| &managed.credentials.record)];
    let is_begun = records.into_iter().flatten().all(|record| record.handled == observed.wish.asked);
    is_begun.then(|| within_schema(asked))
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
