//! A master, a replica, and sentinels that put the one in the place of the other within a second or two.

use std::{fs, net::Ipv4Addr, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::{RedisServer, RedisSetup, start};
use crate::{
    command::{output, wait_until},
    listening::{Listening, free_address},
};

/// Under which name the sentinels know the master.
pub const MASTER_NAME: &str = "tools";

/// For a replica to follow, and for sentinels to know of each other. Chosen: many times what that takes.
const MEETS_WITHIN: Duration = Duration::from_secs(60);

/// All of them.
pub struct SentinelRedis {
    /// The master at first.
    pub master: RedisServer,
    /// Follows it.
    pub replica: RedisServer,
    sentinels: Vec<Listening>,
    host: String,
    _folder: TempDir,
}

impl SentinelRedis {
    /// Starts all, with three sentinels of which two decide.
    pub fn start() -> Result<Self> {
        Self::start_at("127.0.0.1")
    }

    /// The same for clients that come from elsewhere: all are to be reached at this address of the machine too.
    pub fn start_at(host: &str) -> Result<Self> {
        let loopback = "127.0.0.1";
        let bind = if host == loopback { format!("bind {host}") } else { format!("bind {loopback} {host}") };
        // Whoever comes from elsewhere has no password.
        let open = || RedisSetup::default().and(&bind).and("protected-mode no");
        let master = RedisServer::start(open())?;
        let follows = format!("replicaof {host} {}", master.port());
        let replica = RedisServer::start(open().and(&follows).and(&format!("replica-announce-ip {host}")))?;
        let folder = tempfile::tempdir().context("cannot make a folder for sentinels")?;
        let mut sentinels = Vec::new();
        for number in 0..3 {
            let address = free_address(Ipv4Addr::LOCALHOST.into())?;
            let home = folder.path().join(number.to_string());
            fs::create_dir(&home)?;
            let lines = [
                bind.clone(),
                "protected-mode no".to_owned(),
                format!("sentinel announce-ip {host}"),
                format!("port {}", address.port()),
                format!("dir {}", home.display()),
                format!("sentinel monitor {MASTER_NAME} {host} {} 2", master.port()),
                format!("sentinel down-after-milliseconds {MASTER_NAME} 500"),
                format!("sentinel failover-timeout {MASTER_NAME} 2000"),
            ];
            let configuration = home.join("sentinel.conf");
            fs::write(&configuration, lines.join("\n"))?;
            let mut command = Command::new("redis-server");
            command.arg(configuration).arg("--sentinel");
            sentinels.push(start(address, "a sentinel", &home.join("log"), command)?);
        }
        let all = Self { master, replica, sentinels, host: host.to_owned(), _folder: folder };
        all.until_met()?;
        Ok(all)
    }

    /// `host:port` of each sentinel.
    pub fn addresses(&self) -> Vec<String> {
        let host = if self.host == "127.0.0.1" { "localhost" } else { &self.host };
        self.sentinels.iter().map(|sentinel| format!("{host}:{}", sentinel.port())).collect()
    }

    /// Has the replica put in the place of the master, who lives.
    pub fn fail_over(&self) -> Result<()> {
        let sentinel = self.sentinels.first().context("there is no sentinel")?;
        let mut cli = Command::new("redis-cli");
        cli.args(["-p", &sentinel.port().to_string(), "SENTINEL", "FAILOVER", MASTER_NAME]);
        let said = output(&mut cli)?;
        ensure!(said.trim() == "OK", "the sentinel does not do it: {said}");
        Ok(())
    }

    fn until_met(&self) -> Result<()> {
        wait_until("sentinels know replica and each other", MEETS_WITHIN, || {
            for sentinel in &self.sentinels {
                let mut cli = Command::new("redis-cli");
                cli.args(["-p", &sentinel.port().to_string(), "SENTINEL", "MASTER", MASTER_NAME]);
                let known = output(&mut cli).map_err(|problem| problem.to_string())?;
                let words: Vec<_> = known.lines().collect();
                let value = |name: &str| words.iter().position(|word| *word == name).map(|at| words[at + 1]);
                if value("num-slaves") != Some("1") || value("num-other-sentinels") != Some("2") {
                    return Err(known);
                }
            }
            let replication = self.replica.ask(&["INFO", "replication"]).map_err(|problem| problem.to_string())?;
            if replication.contains("master_link_status:up") { Ok(()) } else { Err(replication) }
        })
    }
}
