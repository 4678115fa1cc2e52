//! Our own writes, remembered until the cache has seen them.
//!
//! A cache lags behind: deciding on a child as it was before our own write would write it again.
//! What is remembered here is newer than the cache, or it is forgotten. Pure bookkeeping, no I/O.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crds::mcp_server::McpServerStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::observed::ChildKind;

/// Writes that are remembered at once. Each is forgotten when its watch event comes; beyond this the
/// oldest state is rebuilt from the cache, which costs a repeated write at worst.
const MAX_WRITES: usize = 50_000;

/// A child by kind, namespace and name.
pub type ChildKey = (ChildKind, String, String);

/// What we did to a child.
#[derive(Clone, Debug, PartialEq)]
enum Write {
    /// Applied; the answer's metadata.
    Applied(Box<ObjectMeta>),
    /// Deleted the object with this uid.
    Deleted(String),
}

/// Writes that the caches have not seen.
#[derive(Default)]
pub struct Written {
    children: Mutex<HashMap<ChildKey, Write>>,
    statuses: Mutex<HashMap<String, (u64, McpServerStatus)>>,
}

impl Written {
    /// A child was applied; `metadata` is the answer's.
    pub fn applied(&self, key: ChildKey, metadata: ObjectMeta) {
        self.remember(key, Write::Applied(Box::new(metadata)));
    }

    /// The child with `uid` was deleted.
    pub fn deleted(&self, key: ChildKey, uid: String) {
        self.remember(key, Write::Deleted(uid));
    }

    fn remember(&self, key: ChildKey, write: Write) {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        if children.len() >= MAX_WRITES {
            children.clear();
        }
        children.insert(key, write);
    }

    /// The newer of the cache's view of a child and ours. `None`: it does not exist.
    pub fn newest(&self, key: &ChildKey, cached: Option<&ObjectMeta>) -> Option<ObjectMeta> {
        let children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        match children.get(key) {
            Some(Write::Applied(ours)) if cached.is_none_or(|cached| version(cached) < version(ours)) => {
                Some(ours.as_ref().clone())
            }
            Some(Write::Deleted(uid)) if cached.is_some_and(|cached| cached.uid.as_ref() == Some(uid)) => None,
            _ => cached.cloned(),
        }
    }

    /// Kind and name of children of the `McpServer` with `owner_uid` that perhaps only we know of.
    pub fn unseen(&self, namespace: &str, owner_uid: &str) -> Vec<(ChildKind, String)> {
        let children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        let ours =
            |metadata: &ObjectMeta| metadata.owner_references.iter().flatten().any(|owner| owner.uid == owner_uid);
        children
            .iter()
            .filter(|(key, _)| key.1 == namespace)
            .filter_map(|(key, write)| match write {
                Write::Applied(metadata) if ours(metadata) => Some((key.0, key.2.clone())),
                Write::Applied(_) | Write::Deleted(_) => None,
            })
            .collect()
    }

    /// The cache has seen `key` as `metadata`; `deleted` when it has seen it go.
    pub fn seen(&self, key: &ChildKey, metadata: &ObjectMeta, deleted: bool) {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        let caught_up = match children.get(key) {
            Some(Write::Applied(ours)) => version(metadata) >= version(ours) || (deleted && metadata.uid == ours.uid),
            Some(Write::Deleted(uid)) => deleted || metadata.uid.as_ref() != Some(uid),
            None => false,
        };
        if caught_up {
            children.remove(key);
        }
    }

    /// The cache of `kind` in `namespace` (all of them for `None`) has been filled anew: what it does
    /// not hold is gone. A write that came after the list shows as a watch event, or is repeated.
    pub fn relisted(&self, kind: ChildKind, namespace: Option<&str>) {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain(|key, _| key.0 != kind || namespace.is_some_and(|namespace| namespace != key.1));
    }

    /// A status was written; `resource_version` is the answer's.
    pub fn wrote_status(&self, uid: &str, resource_version: Option<&str>, status: McpServerStatus) {
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        if statuses.len() >= MAX_WRITES {
            statuses.clear();
        }
        statuses.insert(uid.to_owned(), (number(resource_version), status));
    }

    /// The status that stands: the cache's, or ours when the cache has not seen it yet.
    pub fn standing_status(&self, metadata: &ObjectMeta, cached: Option<&McpServerStatus>) -> Option<McpServerStatus> {
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = metadata.uid.as_deref().unwrap_or_default();
        match statuses.get(uid) {
            Some((written, status)) if version(metadata) < *written => Some(status.clone()),
            Some(_) => {
                statuses.remove(uid);
                cached.cloned()
            }
            None => cached.cloned(),
        }
    }
}

fn version(metadata: &ObjectMeta) -> u64 {
    number(metadata.resource_version.as_deref())
}

/// Versions are compared as numbers, as Kubernetes 1.35 documents and etcd always had it. One that is no
/// number counts as the oldest, so that nothing is remembered over the cache.
fn number(resource_version: Option<&str>) -> u64 {
    resource_version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_applied_child_is_known_until_the_cache_has_caught_up() {
        let written = Written::default();
        written.applied(key(), metadata("a", "7"));
        assert_eq!(written.newest(&key(), None), Some(metadata("a", "7")));
        assert_eq!(written.newest(&key(), Some(&metadata("a", "6"))), Some(metadata("a", "7")));
        assert_eq!(written.newest(&key(), Some(&metadata("a", "10"))), Some(metadata("a", "10")));
        written.seen(&key(), &metadata("a", "6"), false);
        assert_eq!(written.newest(&key(), None), Some(metadata("a", "7")));
        written.seen(&key(), &metadata("a", "7"), false);
        assert_eq!(written.newest(&key(), None), None);
    }

    #[test]
    fn a_child_that_was_deleted_after_our_write_is_not_believed_to_exist() {
        let written = Written::default();
        written.applied(key(), metadata("a", "7"));
        written.seen(&key(), &metadata("a", "9"), true);
        assert_eq!(written.newest(&key(), None), None);
    }

    #[test]
    fn a_deleted_child_that_the_cache_still_shows_does_not_exist_and_its_namesake_does() {
        let written = Written::default();
        written.deleted(key(), "a".to_owned());
        assert_eq!(written.newest(&key(), Some(&metadata("a", "7"))), None);
        assert_eq!(written.newest(&key(), Some(&metadata("b", "9"))), Some(metadata("b", "9")));
        written.seen(&key(), &metadata("a", "8"), true);
        assert_eq!(written.newest(&key(), Some(&metadata("a", "7"))), Some(metadata("a", "7")));
    }

    #[test]
    fn filling_a_cache_anew_forgets_its_kind_in_its_namespace() {
        let written = Written::default();
        written.applied(key(), metadata("a", "7"));
        written.relisted(ChildKind::Service, None);
        written.relisted(ChildKind::Deployment, Some("other"));
        assert!(written.newest(&key(), None).is_some());
        written.relisted(ChildKind::Deployment, Some("demo"));
        assert_eq!(written.newest(&key(), None), None);
    }

    #[test]
    fn a_status_stands_until_the_cache_shows_it_or_a_later_one() {
        let written = Written::default();
        let status = McpServerStatus { replicas: Some(2), ..McpServerStatus::default() };
        written.wrote_status("a", Some("12"), status.clone());
        assert_eq!(written.standing_status(&metadata("a", "9"), None), Some(status));
        assert_eq!(written.standing_status(&metadata("a", "12"), None), None);
    }

    fn key() -> ChildKey {
        (ChildKind::Deployment, "demo".to_owned(), "tools".to_owned())
    }

    fn metadata(uid: &str, version: &str) -> ObjectMeta {
        ObjectMeta { uid: Some(uid.to_owned()), resource_version: Some(version.to_owned()), ..ObjectMeta::default() }
    }
}
