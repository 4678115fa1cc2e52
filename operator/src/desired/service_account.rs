//! The pods' own ServiceAccount: an identity with no rights and no token.
//!
//! Its own, so that nobody's binding to `default` reaches the gateway. It notes which sealing keys there may be, before any is
//! made; of the one that everything begins with it says nothing.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ServiceAccount;

use super::metadata::{annotation, hashed, metadata};
use crate::{
    rotation::{Record, sealing::Plan},
    validate::ValidServer,
};

/// `<name>`.
pub(super) fn service_account(valid: &ValidServer) -> ServiceAccount {
    let mut metadata = metadata(valid, valid.name.clone());
    metadata.annotations = notes(&valid.sealing);
    hashed(ServiceAccount { metadata, automount_service_account_token: Some(false), ..ServiceAccount::default() })
}

fn notes(plan: &Plan) -> Option<BTreeMap<String, String>> {
    let Plan { record, retire_at, keys: _, retired: _ } = plan;
    let retire_at = retire_at.map(|time| (annotation::SEALING_RETIRE_AT.to_owned(), time.to_string()));
    let said = Some(record).filter(|record| !record.is_of_the_beginning());
    let revisions = said.map(|record| Record::notes(record, annotation::SEALING_KEYS));
    let all: BTreeMap<String, String> = revisions.into_iter().flatten().chain(retire_at).collect();
    (!all.is_empty()).then_some(all)
}
