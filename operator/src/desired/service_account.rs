//! The pods' own ServiceAccount: an identity with no rights and no token.
//!
//! Its own, so that nobody's binding to `default` reaches the gateway.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::metadata::{hashed, metadata};
use crate::validate::ValidServer;

/// `<name>`.
pub(super) fn service_account(valid: &ValidServer) -> ServiceAccount {
    hashed(ServiceAccount {
        metadata: metadata(valid, valid.name.clone()),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    })
}
