//! One connection, or those to the nodes of a cluster: sends a request to where its key is.
//!
//! A cluster is learned from its redirects alone: no command is needed for it that the user could be forbidden. What is
//! learned goes with the first connection.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redis::{Cmd, Pipeline, RedisError, ServerError, Value, cmd, pipe};

use super::{
    RedisAddress,
    dial::{Connection, Dialer},
    fault::Fault,
    mounted::Mounted,
    wire::{Body, Request},
};

/// How often one request is sent on. Source: acceptance, "redirects bounded"; chosen: the library's own bound for clusters.
const MAX_SENT: usize = 5;

/// The most nodes that are connected to. Chosen: several times a large cluster's masters.
const MAX_NODES: usize = 64;

/// Where requests go.
pub(super) struct Nodes {
    pub(super) first: Arc<Connection>,
    /// `None`: there is one node alone, and redirects are a fault.
    cluster: Option<Arc<Cluster>>,
}

struct Cluster {
    dialer: Arc<Dialer>,
    /// As it was when the first connection was made.
    mounted: Mounted,
    learned: Mutex<Learned>,
    /// One request at a time makes a connection: the others find it made.
    dialing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Learned {
    /// By slot; at most 16,384.
    owners: HashMap<u16, RedisAddress>,
    /// At most [`MAX_NODES`], beside the first.
    nodes: HashMap<RedisAddress, Arc<Connection>>,
}

/// What came instead of a reply.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Fault(Fault),
    /// Another node has the key.
    Elsewhere {
        to: String,
        /// `None`: only for this once, while the slot moves.
        slot: Option<u16>,
    },
}

impl Nodes {
    pub(super) fn one(first: Connection) -> Self {
        Self { first: Arc::new(first), cluster: None }
    }

    pub(super) fn cluster(first: Connection, dialer: Arc<Dialer>, mounted: Mounted) -> Self {
        let cluster = Cluster { dialer, mounted, learned: Mutex::default(), dialing: tokio::sync::Mutex::default() };
        Self { first: Arc::new(first), cluster: Some(Arc::new(cluster)) }
    }

    /// The reply to `request`. Whoever calls brings the deadline.
    pub(super) async fn send(&self, request: &Request) -> Result<Value, Fault> {
        let Some(cluster) = &self.cluster else {
            return exchange(&self.first, &request.body, false).await.map_err(|refusal| match refusal {
                Refusal::Fault(fault) => fault,
                Refusal::Elsewhere { .. } => Fault::IsCluster,
            });
        };
        let mut node = cluster.owner(request.slot).unwrap_or_else(|| Arc::clone(&self.first));
        let mut is_asking = false;
        for _ in 0..MAX_SENT {
            match exchange(&node, &request.body, is_asking).await {
                Ok(reply) => return Ok(reply),
                Err(Refusal::Elsewhere { to, slot }) => {
                    let address = read_address(&to, &node.address).ok_or(Fault::ClusterDown)?;
                    node = self.node(cluster, &address).await?;
                    is_asking = slot.is_none();
                    if let Some(slot) = slot {
                        cluster.learned().owners.insert(slot, address);
                    }
                }
                // The others may still be of use.
                Err(Refusal::Fault(fault)) if fault.ends_connection() && !Arc::ptr_eq(&node, &self.first) => {
                    cluster.forget(&node.address);
                    return Err(Fault::Unreachable);
                }
                Err(Refusal::Fault(fault)) => return Err(fault),
            }
        }
        Err(Fault::ClusterDown)
    }

    async fn node(&self, cluster: &Arc<Cluster>, address: &RedisAddress) -> Result<Arc<Connection>, Fault> {
        if *address == self.first.address {
            return Ok(Arc::clone(&self.first));
        }
        // Goes on when the request has given up: connecting may take longer than any request waits.
        let met = cluster.dialer.tasks.spawn(Arc::clone(cluster).meet(address.clone()));
        met.await.unwrap_or(Err(Fault::Closed))
    }
}

impl Cluster {
    async fn meet(self: Arc<Self>, address: RedisAddress) -> Result<Arc<Connection>, Fault> {
        let _dialing = self.dialing.lock().await;
        if let Some(known) = self.learned().nodes.get(&address) {
            return Ok(Arc::clone(known));
        }
        if self.learned().nodes.len() >= MAX_NODES {
            return Err(Fault::ClusterDown);
        }
        let node = Arc::new(self.dialer.dial(&address, &self.mounted, 0, None).await?);
        self.learned().nodes.insert(address, Arc::clone(&node));
        Ok(node)
    }

    fn owner(&self, slot: Option<u16>) -> Option<Arc<Connection>> {
        let learned = self.learned();
        let address = learned.owners.get(&slot?)?;
        learned.nodes.get(address).map(Arc::clone)
    }

    fn forget(&self, address: &RedisAddress) {
        let mut learned = self.learned();
        learned.nodes.remove(address);
        learned.owners.retain(|_, owner| owner != address);
    }

    /// Maps are whole after every statement.
    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `host:port`, where an empty host is that of the node that says so. A node that knows no name says `?`.
fn read_address(to: &str, said_by: &RedisAddress) -> Option<RedisAddress> {
    let (host, port) = to.rsplit_once(':')?;
    RedisAddress::new(if host.is_empty() { &said_by.host } else { host }, port.parse().ok()?)
}

async fn exchange(node: &Connection, body: &Body, is_asking: bool) -> Result<Value, Refusal> {
    let mut redis = node.redis.clone();
    let reply = match body {
        _ if is_asking => return asked(&mut redis, body).await,
        Body::Command(command) => command.query_async::<Value>(&mut redis).await,
        Body::Transaction(pipeline) => pipeline.query_async::<Value>(&mut redis).await,
    };
    reply.map_err(Refusal::of)
}

/// The same to a node that is just getting the slot: it must be told that we know.
async fn asked(redis: &mut redis::aio::MultiplexedConnection, body: &Body) -> Result<Value, Refusal> {
    let replies = asking(body).query_async::<Vec<Value>>(redis).await.map_err(Refusal::of)?;
    let refused = replies.iter().find_map(|reply| match reply {
        Value::ServerError(error) if error.code() != "EXECABORT" => Some(error),
        _ => None,
    });
    match refused {
        Some(error) => Err(Refusal::of_server(error)),
        None => replies.into_iter().next_back().ok_or(Refusal::Fault(Fault::Unexpected)),
    }
}

fn asking(body: &Body) -> Pipeline {
    let mut all = pipe();
    let mut add = |command: Cmd| {
        all.add_command(command);
    };
    add(cmd("ASKING"));
    match body {
        Body::Command(command) => add(command.clone()),
        Body::Transaction(pipeline) => {
            add(cmd("MULTI"));
            pipeline.cmd_iter().cloned().for_each(&mut add);
            add(cmd("EXEC"));
        }
    }
    all.ignore_errors();
    all
}

impl Refusal {
    fn of(error: RedisError) -> Self {
        let redirect = error.clone().into_server_errors().and_then(|errors| {
            let redirects = errors.iter().map(|(_, error)| Self::of_server(error));
            redirects.into_iter().find(|refusal| matches!(refusal, Self::Elsewhere { .. }))
        });
        redirect.unwrap_or_else(|| Self::Fault(Fault::of_redis(error)))
    }

    /// `MOVED 3999 host:port`, `ASK 3999 host:port`.
    fn of_server(error: &ServerError) -> Self {
        let mut words = error.details().unwrap_or_default().split(' ');
        let (slot, to) = (words.next().and_then(|slot| slot.parse().ok()), words.next().map(str::to_owned));
        match (error.code(), slot, to) {
            ("MOVED", Some(slot), Some(to)) => Self::Elsewhere { to, slot: Some(slot) },
            ("ASK", Some(_), Some(to)) => Self::Elsewhere { to, slot: None },
            _ => Self::Fault(Fault::of_server(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Refusal {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        Refusal::of(value.extract_error().unwrap_err())
    }

    #[test]
    fn a_redirect_says_where_and_for_how_long() {
        let elsewhere = |slot| Refusal::Elsewhere { to: "10.0.0.1:6380".to_owned(), slot };
        assert_eq!(said("MOVED 3999 10.0.0.1:6380"), elsewhere(Some(3999)));
        assert_eq!(said("ASK 3999 10.0.0.1:6380"), elsewhere(None));
        assert_eq!(said("MOVED 99999 10.0.0.1:6380"), Refusal::Fault(Fault::IsCluster));
        assert_eq!(said("MOVED"), Refusal::Fault(Fault::IsCluster));
    }

    #[test]
    fn a_node_without_a_host_is_beside_the_one_that_names_it() {
        let node = RedisAddress::new("10.0.0.1", 6379).unwrap();
        assert_eq!(read_address(":6380", &node), RedisAddress::new("10.0.0.1", 6380));
        assert_eq!(read_address("fd00::1:6380", &node), RedisAddress::new("fd00::1", 6380));
        for wrong in ["?:6380", "host", "host:0", ""] {
            assert_eq!(read_address(wrong, &node), None, "{wrong}");
        }
    }

    #[test]
    fn a_transaction_is_asked_for_as_a_whole() {
        let mut transaction = pipe();
        transaction.atomic().cmd("XADD").cmd("PEXPIRE");
        let names = asking(&Body::Transaction(transaction));
        let names = names.cmd_iter().map(|command| String::from_utf8(command.get_packed_command()).unwrap());
        let names: Vec<_> = names.map(|command| command.lines().last().unwrap().to_owned()).collect();
        assert_eq!(names, ["ASKING", "MULTI", "XADD", "PEXPIRE", "EXEC"]);
    }
}
