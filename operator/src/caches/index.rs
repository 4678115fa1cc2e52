//! Which objects are made for which `McpServer`: by our label, or by their controller. It finds, and proves nothing.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use crds::McpServer;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, runtime::reflector::ObjectRef};

use super::CachedKind;
use crate::desired::label;

/// Names of the objects that are made for each `McpServer`, so that a run need not go through
/// everything. It may name what is gone by now: the caches know.
#[derive(Default)]
pub struct Index(Mutex<HashMap<(String, String), Names>>);

/// Kinds and names, sorted.
type Names = BTreeSet<(CachedKind, String)>;

impl Index {
    /// Notes an object, or that it is gone. Returns the `McpServer` that it is made for.
    pub fn note(&self, kind: CachedKind, metadata: &ObjectMeta, gone: bool) -> Option<ObjectRef<McpServer>> {
        let mcp_server = made_for(metadata)?;
        let namespace = metadata.namespace.as_deref()?;
        let key = (namespace.to_owned(), mcp_server.to_owned());
        let entry = (kind, metadata.name.clone()?);
        let mut index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gone {
            if let Some(entries) = index.get_mut(&key) {
                entries.remove(&entry);
                if entries.is_empty() {
                    index.remove(&key);
                }
            }
        } else {
            index.entry(key).or_default().insert(entry);
        }
        Some(ObjectRef::new(mcp_server).within(namespace))
    }

    /// Everything that is made for the `McpServer` `name`.
    pub fn of(&self, namespace: &str, name: &str) -> Names {
        let index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        index.get(&(namespace.to_owned(), name.to_owned())).cloned().unwrap_or_default()
    }
}

/// The `McpServer` that an object says it was made for: by our label, or by its controller where somebody took the label
/// off, which must be repaired. Neither proves anything; it only finds.
pub fn made_for(metadata: &ObjectMeta) -> Option<&str> {
    let owners = metadata.owner_references.as_deref().unwrap_or_default();
    let is_ours = |owner: &&OwnerReference| {
        owner.controller == Some(true)
            && owner.kind == McpServer::kind(&())
            && owner.api_version == McpServer::api_version(&())
    };
    labelled_for(metadata).or_else(|| owners.iter().find(is_ours).map(|owner| owner.name.as_str()))
}

/// The `McpServer` that the label of an object names; watches but that of ConfigMaps see only what has labels.
pub fn labelled_for(metadata: &ObjectMeta) -> Option<&str> {
    metadata.labels.as_ref()?.get(label::MCP_SERVER).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_index_finds_what_is_labelled_and_forgets_what_is_gone() {
        let index = Index::default();
        let pod: ObjectMeta = serde_json::from_value(json!({
            "name": "tools-1", "namespace": "demo", "labels": { "mcpfoundry.dev/mcp-server": "tools" },
        }))
        .unwrap();
        assert_eq!(index.note(CachedKind::Pod, &pod, false), Some(ObjectRef::new("tools").within("demo")));
        assert_eq!(index.of("demo", "tools"), [(CachedKind::Pod, "tools-1".to_owned())].into());
        assert_eq!(index.of("other", "tools"), BTreeSet::new());
        index.note(CachedKind::Pod, &pod, true);
        assert_eq!(index.of("demo", "tools"), BTreeSet::new());
        assert_eq!(index.note(CachedKind::Pod, &ObjectMeta::default(), false), None);
    }

    #[test]
    fn a_child_without_its_label_is_still_found_by_its_controller() {
        let unlabelled = |controller: bool, kind: &str| -> ObjectMeta {
            serde_json::from_value(json!({
                "name": "tools-policy", "namespace": "demo",
                "ownerReferences": [{
                    "apiVersion": "mcpfoundry.dev/v1alpha1", "kind": kind, "name": "tools", "uid": "u", "controller": controller,
                }],
            }))
            .unwrap()
        };
        assert_eq!(made_for(&unlabelled(true, "McpServer")), Some("tools"));
        assert_eq!(made_for(&unlabelled(false, "McpServer")), None);
        assert_eq!(made_for(&unlabelled(true, "ReplicaSet")), None);
    }
}
