//! Stub.
use crate::validate::ValidServer;
pub(super) fn deployment(_valid: &ValidServer) -> k8s_openapi::api::apps::v1::Deployment {
    Default::default()
}
