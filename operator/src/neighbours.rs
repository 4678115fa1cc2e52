//! Exposed `McpServer`s by host, over all scopes: who may be in whose way.
//!
//! Written by the watches, read by `observe`; says whom a change of one object concerns. Pure
//! bookkeeping: who wins is decided in [`crate::route`].

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use crds::McpServer;
use kube::runtime::reflector::ObjectRef;
use url::Url;

use crate::route::RootDocuments;

/// Exposed `McpServer`s by host.
#[derive(Default)]
pub struct Neighbours(Mutex<Hosts>);

#[derive(Default)]
struct Hosts {
    by_host: HashMap<String, BTreeMap<(String, String), Arc<McpServer>>>,
    host_of: HashMap<(String, String), String>,
}

impl Neighbours {
    /// Notes `mcp_server` as it is now, or that it is gone. Returns the others of its old and new host
    /// when anything about it changed that could concern them.
    pub fn note(&self, mcp_server: &McpServer, gone: bool) -> Vec<ObjectRef<McpServer>> {
        let key = key(mcp_server);
        let host = (!gone).then(|| host(mcp_server)).flatten();
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = hosts.host_of.get(&key).and_then(|host| hosts.by_host.get(host)?.get(&key).cloned());
        let same = match (&known, &host) {
            (None, None) => true,
            (Some(known), Some(_)) => {
                known.metadata.uid == mcp_server.metadata.uid && route(known) == route(mcp_server)
            }
            _ => false,
        };
        if same {
            return Vec::new();
        }
        let mut concerned = hosts.forget(&key);
        if let Some(host) = host {
            let others = hosts.others(&host);
            concerned.retain(|known| !others.contains(known));
            concerned.extend(others);
            hosts.host_of.insert(key.clone(), host.clone());
            hosts.by_host.entry(host).or_default().insert(key, Arc::new(mcp_server.clone()));
        }
        concerned
    }

    /// Forgets whatever `exists` denies: what went while nobody watched.
    pub fn retain(&self, exists: impl Fn(&ObjectRef<McpServer>) -> bool) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = |key: &&(String, String)| !exists(&ObjectRef::new(&key.1).within(&key.0));
        let gone: Vec<_> = hosts.host_of.keys().filter(gone).cloned().collect();
        for key in gone {
            hosts.forget(&key);
        }
    }

    /// The others with the host of `mcp_server`.
    pub fn of(&self, mcp_server: &McpServer) -> Vec<Arc<McpServer>> {
        let Some(host) = host(mcp_server) else { return Vec::new() };
        let own = key(mcp_server);
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let others = hosts.by_host.get(&host).into_iter().flatten();
        others.filter(|(key, _)| **key != own).map(|(_, other)| Arc::clone(other)).collect()
    }
}

impl Hosts {
    fn forget(&mut self, key: &(String, String)) -> Vec<ObjectRef<McpServer>> {
        let Some(host) = self.host_of.remove(key) else { return Vec::new() };
        let Some(there) = self.by_host.get_mut(&host) else { return Vec::new() };
        there.remove(key);
        if there.is_empty() {
            self.by_host.remove(&host);
        }
        self.others(&host)
    }

    fn others(&self, host: &str) -> Vec<ObjectRef<McpServer>> {
        let there = self.by_host.get(host).into_iter().flatten();
        there.map(|((namespace, name), _)| ObjectRef::new(name).within(namespace)).collect()
    }
}

fn key(mcp_server: &McpServer) -> (String, String) {
    let metadata = &mcp_server.metadata;
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

/// The host that an exposed `McpServer` asks for.
fn host(mcp_server: &McpServer) -> Option<String> {
    mcp_server.spec.expose.as_ref()?.ingress.as_ref()?;
    let url = Url::parse(mcp_server.spec.public_url.as_deref()?).ok()?;
    url.host_str().map(str::to_owned)
}

/// What others of the host may meet.
fn route(mcp_server: &McpServer) -> (bool, Option<&str>, RootDocuments) {
    let exposed = mcp_server.spec.expose.as_ref().is_some_and(|expose| expose.ingress.is_some());
    (exposed, mcp_server.spec.public_url.as_deref(), RootDocuments::asked(&mcp_server.spec.auth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_a_move_and_a_farewell_concern_the_others_of_the_host() {
        let neighbours = Neighbours::default();
        let a = mcp_server("a", "https://one/mcp");
        let b = mcp_server("b", "https://one/mcp");
        assert_eq!(concerned(&neighbours.note(&a, false)), Vec::<String>::new());
        assert_eq!(concerned(&neighbours.note(&b, false)), ["a"]);
        assert_eq!(neighbours.of(&a).len(), 1);

        let moved = mcp_server("b", "https://two/mcp");
        assert_eq!(concerned(&neighbours.note(&moved, false)), ["a"]);
        assert_eq!(neighbours.of(&a).len(), 0);

        neighbours.note(&b, false);
        assert_eq!(concerned(&neighbours.note(&a, true)), ["b"]);
        assert_eq!(neighbours.of(&b).len(), 0);
    }

    #[test]
    fn a_change_of_anything_else_concerns_nobody() {
        let neighbours = Neighbours::default();
        let a = mcp_server("a", "https://one/mcp");
        let mut b = mcp_server("b", "https://one/mcp");
        neighbours.note(&a, false);
        neighbours.note(&b, false);
        b.spec.replicas = 5;
        assert_eq!(concerned(&neighbours.note(&b, false)), Vec::<String>::new());
    }

    #[test]
    fn a_document_at_the_root_of_the_host_concerns_the_others() {
        let neighbours = Neighbours::default();
        let a = mcp_server("a", "https://one/mcp");
        let mut b = mcp_server("b", "https://one/other");
        neighbours.note(&a, false);
        neighbours.note(&b, false);
        b.spec.auth.root_metadata = Some(true);
        assert_eq!(concerned(&neighbours.note(&b, false)), ["a"]);
        b.spec.auth.issuer_metadata_mirror = Some(true);
        assert_eq!(concerned(&neighbours.note(&b, false)), ["a"]);
    }

    #[test]
    fn what_went_while_nobody_watched_is_forgotten() {
        let neighbours = Neighbours::default();
        let a = mcp_server("a", "https://one/mcp");
        neighbours.note(&a, false);
        neighbours.note(&mcp_server("b", "https://one/mcp"), false);
        neighbours.retain(|key| key.name == "a");
        assert_eq!(neighbours.of(&a).len(), 0);
    }

    fn concerned(found: &[ObjectRef<McpServer>]) -> Vec<&str> {
        found.iter().map(|found| found.name.as_str()).collect()
    }

    fn mcp_server(name: &str, url: &str) -> McpServer {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "mcpfoundry.dev/v1alpha1", "kind": "McpServer",
            "metadata": { "name": name, "namespace": "demo", "uid": name },
            "spec": { "publicUrl": url, "expose": { "ingress": {} }, "auth": {} },
        }))
        .unwrap()
    }
}
