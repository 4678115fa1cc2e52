//! The sealing key: drawn and sent in one step, by a POST that an existing Secret refuses.
//!
//! Never applied and never asked for: the answer to either would be a read of a Secret. That one exists is known by the
//! Deployment that mounts it, so it is asked for only when the Deployment is about to be written, or when pods have waited
//! for their volumes too long because somebody deleted it.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, ResourceExt, api::PostParams};

use super::{ApplyError, Writer};
use crate::{
    desired::SEALING_KEY,
    requests::{Access, CallError},
};

/// As the API server says it of a name that is taken; other conflicts are not that.
const ALREADY_EXISTS: &str = "AlreadyExists";

/// Makes `secret` with a new key, unless an earlier run has made it.
pub(super) async fn create_once(writer: &Writer<'_>, secret: &Secret) -> Result<(), ApplyError> {
    let name = secret.name_any();
    let key = writer.entropy.sealing_key().map_err(ApplyError::NoEntropy)?;
    let data = Some([(SEALING_KEY.to_owned(), ByteString(key.expose().to_vec()))].into());
    let whole = Secret { data, ..secret.clone() };
    let api: Api<Secret> = Api::namespaced(writer.requests.client.clone(), writer.namespace);
    let params = PostParams { field_manager: Some(super::FIELD_MANAGER.to_owned()), ..PostParams::default() };
    match writer.requests.call(Access::WriteOnce, || api.create(&params, &whole)).await {
        Ok(_) => Ok(()),
        Err(CallError::Refused(status)) if status.code == 409 && status.reason == ALREADY_EXISTS => Ok(()),
        Err(source) => Err(ApplyError::Call { verb: "create", kind: "Secret", name, source }),
    }
}
