//! Three masters that share the keys.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result};

use super::{RedisServer, RedisSetup};
use crate::{
    command::{run, wait_until},
    listening::free_address,
};

/// For nodes to agree. Chosen: many times what that takes.
const MEETS_WITHIN: Duration = Duration::from_secs(60);

/// All of them.
pub struct RedisCluster {
    /// The nodes.
    pub nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts three, and waits until each says that all slots are served.
    pub fn start() -> Result<Self> {
        let nodes = (0..3).map(|_| {
            let bus = free_address(std::net::Ipv4Addr::LOCALHOST.into())?.port();
            let setup = RedisSetup::default().and("cluster-enabled yes").and(&format!("cluster-port {bus}"));
            // Each is asked for its keys before it ends, also when the others have ended.
            RedisServer::start(setup.and("cluster-node-timeout 2000").and("cluster-require-full-coverage no"))
        });
        let nodes = nodes.collect::<Result<Vec<_>>>()?;
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())));
        run(create.arg("--cluster-yes")).context("cannot make a cluster")?;
        for node in &nodes {
            wait_until("the cluster is complete", MEETS_WITHIN, || {
                let state = node.ask(&["CLUSTER", "INFO"]).map_err(|problem| problem.to_string())?;
                if state.contains("cluster_state:ok") { Ok(()) } else { Err(state) }
            })?;
        }
        Ok(Self { nodes })
    }

    /// `host:port` of each node.
    pub fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::address).collect()
    }
}
