//! Who the `McpServer` is: the names that children are made from, and the reference that makes them its own.

use crds::McpServer;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};

use super::{Checked, Invalid};

/// What every child repeats.
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) owner: OwnerReference,
}

pub(super) fn identity(mcp_server: &McpServer) -> Checked<Identity> {
    // The API server sets all three on whatever it stores: without one of them nothing may be made.
    let missing = |field: &str| vec![Invalid::spec(field, "is missing", "read the object from the API server")];
    Ok(Identity {
        name: mcp_server.meta().name.clone().ok_or_else(|| missing("metadata.name"))?,
        namespace: mcp_server.namespace().ok_or_else(|| missing("metadata.namespace"))?,
        owner: owner(mcp_server).ok_or_else(|| missing("metadata.uid"))?,
    })
}

/// Blocking: a foreground deletion of the `McpServer` ends when its children are gone. Where the API server enforces
/// permissions for this, the operator needs `update` on `mcpservers/finalizers`: the chart's
/// `rbac.ownerReferencesPermissionEnforcement`.
fn owner(mcp_server: &McpServer) -> Option<OwnerReference> {
    let owner = mcp_server.controller_owner_ref(&())?;
    Some(OwnerReference { block_owner_deletion: Some(true), ..owner })
}
