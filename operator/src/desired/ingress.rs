//! Stub.
use crate::validate::ValidServer;
pub(super) fn ingress(_valid: &ValidServer) -> Option<k8s_openapi::api::networking::v1::Ingress> {
    None
}
