//! The content of the ConfigMaps that a spec refers to, read once for each version of them.
//!
//! The caches know only that a ConfigMap exists and which version it has: holding the content of
//! every ConfigMap of a cluster to read a few CA bundles would cost memory without need. So a run of
//! an unchanged object reads nothing. Never Secrets.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use crds::McpServer;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::ListParams};

use crate::{
    caches::Caches,
    observed::{ChildKind, ReferencedConfigMap},
    requests::{Access, CallError, Requests},
};

/// ConfigMaps whose content is kept at once; beyond it the content is read again.
const MAX_CONFIG_MAPS: usize = 1_000;

/// Reads of one run that are under way at once.
const CONCURRENT_READS: usize = 4;

type Content = Arc<BTreeMap<String, Vec<u8>>>;

/// Content by namespace and name, with the version that it belongs to.
#[derive(Default)]
pub struct References(Mutex<HashMap<(String, String), (String, Content)>>);

impl References {
    /// The ConfigMaps that `mcp_server` refers to and that exist, with their content. Reads those whose
    /// version is new.
    pub async fn fetch(
        &self,
        requests: &Requests,
        caches: &Caches,
        mcp_server: &McpServer,
    ) -> Result<BTreeMap<String, ReferencedConfigMap>, CallError> {
        let namespace = mcp_server.metadata.namespace.as_deref().unwrap_or_default();
        let existing = referenced(mcp_server).into_iter().filter_map(|name| {
            let metadata = caches.child(ChildKind::ConfigMap, namespace, name)?;
            let version =
                format!("{}/{}", metadata.uid.unwrap_or_default(), metadata.resource_version.unwrap_or_default());
            Some((name, version))
        });
        let found: Vec<Option<_>> = stream::iter(existing)
            .map(|(name, version)| self.content(requests, namespace, name, version))
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        let keys = |content: Content| ReferencedConfigMap { keys: content.as_ref().clone() };
        Ok(found.into_iter().flatten().map(|(name, content)| (name, keys(content))).collect())
    }

    async fn content(
        &self,
        requests: &Requests,
        namespace: &str,
        name: &str,
        version: String,
    ) -> Result<Option<(String, Content)>, CallError> {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(content) = self.known(&key, &version) {
            return Ok(Some((key.1, content)));
        }
        let api: Api<ConfigMap> = Api::namespaced(requests.client.clone(), namespace);
        // A list of one: the operator's role has `list` for the cache, and needs no `get` beside it.
        let only = ListParams::default().fields(&format!("metadata.name={name}"));
        let Some(config_map) = requests.call(Access::Read, || api.list(&only)).await?.items.pop() else {
            return Ok(None);
        };
        let content: Content = Arc::new(content(config_map));
        self.remember(key.clone(), version, Arc::clone(&content));
        Ok(Some((key.1, content)))
    }

    fn known(&self, key: &(String, String), version: &str) -> Option<Content> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).filter(|(known, _)| known == version).map(|(_, content)| Arc::clone(content))
    }

    fn remember(&self, key: (String, String), version: String, content: Content) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_CONFIG_MAPS {
            kept.clear();
        }
        kept.insert(key, (version, content));
    }
}

/// The names of the ConfigMaps that `mcp_server` refers to.
pub fn referenced(mcp_server: &McpServer) -> BTreeSet<&str> {
    let issuers = mcp_server.spec.auth.issuers.iter().filter_map(|issuer| issuer.ca_config_map_ref.as_ref());
    let redis = mcp_server.spec.redis.external.iter().filter_map(|external| external.tls.ca_config_map_ref.as_ref());
    issuers.chain(redis).map(|reference| reference.name.as_str()).collect()
}

fn content(config_map: ConfigMap) -> BTreeMap<String, Vec<u8>> {
    let text = config_map.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes()));
    let binary = config_map.binary_data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0));
    text.chain(binary).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_known_for_its_version_only() {
        let references = References::default();
        let key = ("demo".to_owned(), "ca".to_owned());
        references.remember(key.clone(), "u/1".to_owned(), Arc::default());
        assert!(references.known(&key, "u/1").is_some());
        assert!(references.known(&key, "u/2").is_none());
    }

    #[test]
    fn text_and_binary_keys_are_both_content() {
        let config_map: ConfigMap = serde_json::from_value(serde_json::json!({
            "data": { "ca.crt": "a" }, "binaryData": { "ca.der": "YQ==" },
        }))
        .unwrap();
        let keys: Vec<(String, Vec<u8>)> = content(config_map).into_iter().collect();
        assert_eq!(keys, [("ca.crt".to_owned(), b"a".to_vec()), ("ca.der".to_owned(), b"a".to_vec())]);
    }
}
