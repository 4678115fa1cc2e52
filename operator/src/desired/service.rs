//! Stub.
use crate::validate::ValidServer;
pub(super) fn service(_valid: &ValidServer) -> k8s_openapi::api::core::v1::Service {
    Default::default()
}
