//! Whether the names and the route that an `McpServer` asks for are free.
//!
//! A child is ours by the uid of its controller, never by its name or labels. Whatever else has the
//! name is left alone: all objects are held as they are until somebody moves one of the two.

use crds::conditions::Reason;

use super::{Checked, Invalid, ValidServer};
use crate::{
    desired::desired,
    observed::{Observed, ObservedChild, RouteOwner},
    route::{ISSUER_METADATA_PATH, METADATA_PATH},
};

pub(super) fn ownership(valid: &ValidServer, observed: &Observed) -> Checked<()> {
    let mut invalid: Vec<Invalid> = desired(valid)
        .children()
        .into_iter()
        .filter_map(|(kind, metadata)| observed.child(kind, metadata.name.as_deref()?))
        .filter(|child| !child.is_controlled_by(&valid.owner.uid))
        .map(|child| conflict(valid, child))
        .collect();
    if let (Some(_), Some(owner)) = (&valid.ingress, &observed.route_owner) {
        invalid.push(route_conflict(valid, owner));
    }
    if invalid.is_empty() { Ok(()) } else { Err(invalid) }
}

fn route_conflict(valid: &ValidServer, owner: &RouteOwner) -> Invalid {
    let RouteOwner { namespace, name, path } = owner;
    let (field, fix) = match path.as_str() {
        METADATA_PATH if valid.config.auth.root_metadata => ("spec.auth.rootMetadata", "remove it"),
        ISSUER_METADATA_PATH => ("spec.auth.issuerMetadataMirror", "remove it"),
        _ => ("spec.publicUrl", "choose another host or path"),
    };
    Invalid::new(
        Reason::RouteConflict,
        field,
        format!(
            "`{path}` of host `{}` belongs to the older McpServer `{name}` in namespace `{namespace}`",
            valid.endpoint.host
        ),
        format!("{fix}, or delete the other"),
    )
}

fn conflict(valid: &ValidServer, child: &ObservedChild) -> Invalid {
    let kind = child.kind.as_str();
    let name = child.name();
    if is_predecessors(valid, child) {
        return Invalid::new(
            Reason::PredecessorRemains,
            "metadata.name",
            format!("{kind} `{name}` belongs to a deleted McpServer of the same name"),
            "wait until Kubernetes has collected it",
        );
    }
    let owner = match child.controller() {
        Some(owner) => format!("{} `{}`", owner.kind, owner.name),
        None => "nobody that the operator knows".to_owned(),
    };
    Invalid::new(
        Reason::NameConflict,
        "metadata.name",
        format!("{kind} `{name}` exists and belongs to {owner}"),
        "delete or rename it, or choose another name for the McpServer",
    )
}

/// The same name, another uid: the garbage collector is on its way.
fn is_predecessors(valid: &ValidServer, child: &ObservedChild) -> bool {
    let Some(owner) = child.controller() else { return false };
    (&owner.api_version, &owner.kind, &owner.name) == (&valid.owner.api_version, &valid.owner.kind, &valid.owner.name)
}
