//! Stub.
use crate::validate::ValidServer;
pub(super) fn network_policy(_valid: &ValidServer) -> k8s_openapi::api::networking::v1::NetworkPolicy {
    Default::default()
}
