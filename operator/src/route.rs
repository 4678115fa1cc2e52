//! Which `McpServer` a host and path belong to.
//!
//! Two routes that are equal byte for byte would be served by whichever the ingress controller read
//! first, so the older object keeps them and the younger is told. Pure; `observe` feeds it the cache.

use std::collections::BTreeSet;

use crds::{McpServer, gateway_config::AuthConfig, mcp_server::Auth};
use kube::{Resource, ResourceExt};
use url::Url;

use crate::{host_policy::HostPolicy, observed::RouteOwner};

/// Where the protected resource metadata stands, before the endpoint's path. Source: RFC 9728, section 3.1.
pub const METADATA_PATH: &str = "/.well-known/oauth-protected-resource";

/// Where clients of protocol revision 2025-03-26 look for the authorization server. Source: RFC 8414, section 3.
pub const ISSUER_METADATA_PATH: &str = "/.well-known/oauth-authorization-server";

/// What an endpoint serves at the root of its host, which only one endpoint of a host can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RootDocuments {
    /// Its own metadata a second time, at [`METADATA_PATH`].
    pub metadata: bool,
    /// Its issuer's metadata, at [`ISSUER_METADATA_PATH`].
    pub issuer_metadata: bool,
}

impl RootDocuments {
    /// As the spec asks.
    pub fn asked(auth: &Auth) -> Self {
        Self { metadata: auth.root_metadata == Some(true), issuer_metadata: auth.issuer_metadata_mirror == Some(true) }
    }

    /// As the gateway is told.
    pub fn served(auth: &AuthConfig) -> Self {
        Self { metadata: auth.root_metadata, issuer_metadata: auth.issuer_metadata_mirror }
    }
}

/// The paths, each matched exactly, of the endpoint at `path` (empty: the URL has no path): the
/// endpoint, its capabilities, its metadata, and the documents at the root. Sorted.
pub fn exact_paths(path: &str, root: RootDocuments) -> BTreeSet<String> {
    let endpoint = if path.is_empty() { "/" } else { path };
    let mut paths: BTreeSet<String> =
        [endpoint.to_owned(), format!("{path}/capabilities"), format!("{METADATA_PATH}{path}")].into();
    paths.extend(root.metadata.then(|| METADATA_PATH.to_owned()));
    paths.extend(root.issuer_metadata.then(|| ISSUER_METADATA_PATH.to_owned()));
    paths
}

/// The oldest of `others` that has a host and path of `mcp_server`, if that one is older.
///
/// Older: by `creationTimestamp`, then by uid, so that two operators see the same order. An object
/// that is being deleted keeps its routes until it is gone. One whose namespace may not use its host has none.
pub fn route_owner<'a>(
    mcp_server: &McpServer,
    others: impl IntoIterator<Item = &'a McpServer>,
    policy: &HostPolicy,
) -> Option<RouteOwner> {
    let (host, paths) = routes(mcp_server)?;
    let age = age(mcp_server);
    let older = others.into_iter().filter(|other| self::age(other) < age);
    let in_the_way = older.filter_map(|other| {
        let (other_host, other_paths) = routes(other)?;
        let namespace = other.namespace().unwrap_or_default();
        // The endpoint itself, where that is shared: it says more than what hangs on it.
        let shared = other_paths.intersection(&paths);
        let path = shared.min_by_key(|path| (path.starts_with("/.well-known/"), path.len()))?.clone();
        let holds = other_host == host && policy.allows(&namespace, &host);
        holds.then(|| (self::age(other), RouteOwner { namespace, name: other.name_any(), path }))
    });
    in_the_way.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, owner)| owner)
}

/// What an `McpServer` asks the cluster's edge for; `None` when it is not exposed.
fn routes(mcp_server: &McpServer) -> Option<(String, BTreeSet<String>)> {
    mcp_server.spec.expose.as_ref()?.ingress.as_ref()?;
    let url = Url::parse(mcp_server.spec.public_url.as_deref()?).ok()?;
    let path = url.path().trim_end_matches('/');
    Some((url.host_str()?.to_owned(), exact_paths(path, RootDocuments::asked(&mcp_server.spec.auth))))
}

fn age(mcp_server: &McpServer) -> (Option<jiff::Timestamp>, String) {
    let created = mcp_server.meta().creation_timestamp.as_ref().map(|time| time.0);
    (created, mcp_server.uid().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route_owner<'a>(mcp_server: &McpServer, others: impl IntoIterator<Item = &'a McpServer>) -> Option<RouteOwner> {
        super::route_owner(mcp_server, others, &HostPolicy::default())
    }

    #[test]
    fn the_older_keeps_host_and_path() {
        let old = mcp_server("old", 1, "https://mcp.example.com/mcp");
        let young = mcp_server("young", 2, "https://mcp.example.com/mcp");
        let both = [old.clone(), young.clone()];
        let owner = route_owner(&young, &both).unwrap();
        assert_eq!((owner.name.as_str(), owner.path.as_str()), ("old", "/mcp"));
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
    fn what_stands_at_the_root_of_a_host_is_there_once() {
        type Ask = fn(&mut Auth);
        let asks: [(Ask, &str); 2] = [
            (|auth| auth.root_metadata = Some(true), METADATA_PATH),
            (|auth| auth.issuer_metadata_mirror = Some(true), ISSUER_METADATA_PATH),
        ];
        for (ask, path) in asks {
            let mut old = mcp_server("old", 1, "https://mcp.example.com/mcp");
            let mut young = mcp_server("young", 2, "https://mcp.example.com/other");
            ask(&mut old.spec.auth);
            assert_eq!(route_owner(&young, [&old]), None, "{path}");
            ask(&mut young.spec.auth);
            assert_eq!(route_owner(&young, [&old]).unwrap().path, path);
        }
        // An endpoint without a path has its own metadata there.
        let old = mcp_server("old", 1, "https://mcp.example.com");
        let mut young = mcp_server("young", 2, "https://mcp.example.com/other");
        assert_eq!(route_owner(&young, [&old]), None);
        young.spec.auth.root_metadata = Some(true);
        assert_eq!(route_owner(&young, [&old]).unwrap().path, METADATA_PATH);
    }

    /// Else whoever came first could keep a host from those who may use it.
    #[test]
    fn whoever_may_not_use_a_host_holds_no_route_of_it() {
        let squatter = mcp_server("old", 1, "https://mcp.example.com/mcp");
        let young = mcp_server("young", 2, "https://mcp.example.com/mcp");
        let policy = |text: &str| HostPolicy::new(vec![text.parse().unwrap()]);
        assert!(super::route_owner(&young, [&squatter], &policy("demo=mcp.example.com")).is_some());
        assert_eq!(super::route_owner(&young, [&squatter], &policy("other=mcp.example.com")), None);
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
