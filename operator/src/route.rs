//! Which `McpServer` a host and path belong to.
//!
//! Two routes that are equal byte for byte would be served by whichever the ingress controller read
//! first, so the older object keeps them and the younger is told. Pure; `observe` feeds it the cache.

use std::collections::BTreeSet;

use crds::McpServer;
use kube::{Resource, ResourceExt};
use url::Url;

use crate::observed::RouteOwner;

/// Where the protected resource metadata stands, before the endpoint's path. Source: RFC 9728, section 3.1.
pub const METADATA_PATH: &str = "/.well-known/oauth-protected-resource";

/// The paths, each matched exactly, of the endpoint at `path` (empty: the URL has no path): the
/// endpoint, its capabilities, its metadata. Sorted.
pub fn exact_paths(path: &str) -> BTreeSet<String> {
    let endpoint = if path.is_empty() { "/" } else { path };
    [endpoint.to_owned(), format!("{path}/capabilities"), format!("{METADATA_PATH}{path}")].into()
}

/// The oldest of `others` that has a host and path of `mcp_server`, if that one is older.
///
/// Older: by `creationTimestamp`, then by uid, so that two operators see the same order. An object
/// that is being deleted keeps its routes until it is gone.
pub fn route_owner<'a>(mcp_server: &McpServer, others: impl IntoIterator<Item = &'a McpServer>) -> Option<RouteOwner> {
    let (host, paths) = routes(mcp_server)?;
    let age = age(mcp_server);
    others
        .into_iter()
        .filter(|other| self::age(other) < age)
        .filter(|other| {
            routes(other)
                .is_some_and(|(other_host, other_paths)| other_host == host && !other_paths.is_disjoint(&paths))
        })
        .min_by_key(|other| self::age(other))
        .map(|owner| RouteOwner { namespace: owner.namespace().unwrap_or_default(), name: owner.name_any() })
}

/// What an `McpServer` asks the cluster's edge for; `None` when it is not exposed.
fn routes(mcp_server: &McpServer) -> Option<(String, BTreeSet<String>)> {
    mcp_server.spec.expose.as_ref()?.ingress.as_ref()?;
    let url = Url::parse(mcp_server.spec.public_url.as_deref()?).ok()?;
    let path = url.path().trim_end_matches('/');
    Some((url.host_str()?.to_owned(), exact_paths(path)))
}

fn age(mcp_server: &McpServer) -> (Option<jiff::Timestamp>, String) {
    let created = mcp_server.meta().creation_timestamp.as_ref().map(|time| time.0);
    (created, mcp_server.uid().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_keeps_host_and_path() {
        let old = mcp_server("old", 1, "https://mcp.example.com/mcp");
        let young = mcp_server("young", 2, "https://mcp.example.com/mcp");
        let both = [old.clone(), young.clone()];
        assert_eq!(route_owner(&young, &both).unwrap().name, "old");
        assert_eq!(route_owner(&old, &both), None);
    }

    #[test]
    fn of_equal_age_the_smaller_uid_keeps_them() {
        let a = mcp_server("a", 1, "https://mcp.example.com/mcp");
        let b = mcp_server("b", 1, "https://mcp.example.com/mcp");
        assert_eq!(route_owner(&b, [&a]).unwrap().name, "a");
        assert_eq!(route_owner(&a, [&b]), None);
    }

    #[test]
    fn another_host_or_path_is_no_conflict() {
        let old = mcp_server("old", 1, "https://mcp.example.com/mcp");
        for url in ["https://mcp.example.com/other", "https://other.example.com/mcp", "https://mcp.example.com/mcp2"] {
            assert_eq!(route_owner(&mcp_server("young", 2, url), [&old]), None, "{url}");
        }
    }

    #[test]
    fn a_path_that_is_the_capabilities_of_another_is_a_conflict() {
        let old = mcp_server("old", 1, "https://mcp.example.com/mcp");
        let young = mcp_server("young", 2, "https://mcp.example.com/mcp/capabilities");
        assert!(route_owner(&young, [&old]).is_some());
    }

    #[test]
    fn what_is_not_exposed_has_no_route() {
        let old = mcp_server("old", 1, "https://mcp.example.com/mcp");
        let mut young = mcp_server("young", 2, "https://mcp.example.com/mcp");
        young.spec.expose = None;
        assert_eq!(route_owner(&young, [&old]), None);
    }

    fn mcp_server(name: &str, created: i64, public_url: &str) -> McpServer {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "mcpfoundry.dev/v1alpha1",
            "kind": "McpServer",
            "metadata": {
                "name": name, "namespace": "demo", "uid": name,
                "creationTimestamp": jiff::Timestamp::from_second(created).unwrap().to_string(),
            },
            "spec": { "publicUrl": public_url, "expose": { "ingress": {} }, "auth": {} },
        }))
        .unwrap()
    }
}
