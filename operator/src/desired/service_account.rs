//! Stub.
use crate::validate::ValidServer;
pub(super) fn service_account(_valid: &ValidServer) -> k8s_openapi::api::core::v1::ServiceAccount {
    Default::default()
}
