//! Deletes one child, in the version that was looked at and no other.

use kube::{
    Api,
    api::{DeleteParams, Preconditions},
};

use super::{ApplyError, Writer, child::Child};
use crate::{observed::ObservedChild, requests::Access};

pub(super) async fn delete<K: Child>(writer: &Writer<'_>, child: &ObservedChild) -> Result<(), ApplyError> {
    let api: Api<K> = Api::namespaced(writer.requests.client.clone(), writer.namespace);
    let preconditions =
        Preconditions { uid: child.metadata.uid.clone(), resource_version: child.metadata.resource_version.clone() };
    let params = DeleteParams::background().preconditions(preconditions);
    match writer.requests.call(Access::Write, || api.delete(child.name(), &params)).await {
        Ok(_) => {}
        Err(error) if error.code() == 404 => {}
        Err(source) => {
            return Err(ApplyError::Call {
                verb: "delete",
                kind: child.kind.as_str(),
                name: child.name().to_owned(),
                source,
            });
        }
    }
    let key = (child.kind, writer.namespace.to_owned(), child.name().to_owned());
    writer.written.deleted(key, child.metadata.uid.clone().unwrap_or_default());
    Ok(())
}
