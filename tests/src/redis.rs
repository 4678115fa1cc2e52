//! Redis servers, the real ones: processes of their own on ports of loopback, each in a folder of its own.
//!
//! Nothing is kept on disk unless a test asks for it, so one that is killed has forgotten everything. A test may kill it, start
//! it again on the same port, halt it, and ask it anything as the administrator. All ends with the value that was started.
//!
//! Before one ends it shows its keys: a test fails that leaves one without an end, or with a name that says something.

mod cluster;
pub mod kept;
mod sentinel;
pub mod written;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use rustix::process::Signal;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    cluster::{HOST_ADDRESS, TestCa, prerequisites::Need},
    command::output,
    listening::{Listening, free_address},
};

pub use cluster::RedisCluster;
pub use sentinel::{MASTER_NAME, SentinelRedis};

/// What this module needs of the machine.
pub const NEED: Need = Need { files: &["redis-server"], package: "redis-server" };

/// The user who may do anything, where there are users at all.
const ADMINISTRATOR: &str = "administrator";

/// What the managed Redis permits its gateway. Source: acceptance, redis-and-degradation.md, `acl`.
pub const PERMITTED: &str = "+get +set +getex +getdel +del +exists +incrby +pexpire +pttl +xadd +xread +xrange +xdel \
                             +publish +subscribe +unsubscribe +ping +hello +auth +reset +client|setname +client|id \
                             +multi +exec +discard";

/// What the default user of a managed Redis may do, as whom nobody is let in: a Redis that reads its own file of changes leaves
/// out each transaction of which that user may not do a part. Source: the operator, `desired/redis/credentials.rs`.
pub const WRITTEN_DOWN: &str = "+del +incrby +pexpireat +select +set +unlink +xadd +xdel";

/// Every key behind the milliseconds that are left to it, -1 for one that never ends, in one answer.
const LIST_KEYS: &str = "local cursor, keys = '0', {} \
                         repeat \
                         local page = redis.call('SCAN', cursor, 'COUNT', 1000) \
                         cursor = page[1] \
                         for _, key in ipairs(page[2]) do keys[#keys + 1] = redis.call('PTTL', key) .. ' ' .. key end \
                         until cursor == '0' \
                         return keys";

/// How a server is set up.
#[derive(Clone, Default)]
pub struct RedisSetup {
    /// Lines of its configuration, besides those that make it small and local.
    pub lines: Vec<String>,
    /// Lines of its ACL file, without the administrator and `default`, who is off then. Empty: everybody may do anything.
    pub users: Vec<String>,
    /// Whether a test puts other things there than gateways do. If not, they are looked at before the server ends.
    pub holds_odd_keys: bool,
    /// Its authority, with which it speaks TLS alone; and whether clients show a certificate of it.
    pub tls: Option<(TestCa, bool)>,
}

/// A running server, or for a while not.
pub struct RedisServer {
    address: SocketAddr,
    setup: RedisSetup,
    password: String,
    /// `None` while it is down. Before the folder, so that it ends before that goes.
    process: Option<Listening>,
    folder: TempDir,
}

impl RedisSetup {
    /// With the one user `name`, who may do [`PERMITTED`] under `prefix`.
    pub fn with_user(name: &str, password: &str, prefix: &str) -> Self {
        Self { users: vec![user_line(name, password, prefix, PERMITTED)], ..Self::default() }
    }

    /// With keys of a test's own, which may have any name and never end.
    pub fn with_odd_keys() -> Self {
        Self { holds_odd_keys: true, ..Self::default() }
    }

    /// With one more line of configuration.
    #[must_use]
    pub fn and(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }
}

/// The line of an ACL file for somebody who may do `commands` under `prefix`; the password is in it as a hash.
pub fn user_line(name: &str, password: &str, prefix: &str, commands: &str) -> String {
    let hash = Sha256::digest(password);
    format!("user {name} on #{hash:x} resetchannels ~{prefix}* &{prefix}* -@all {commands}")
}

impl RedisServer {
    /// Starts one, and waits until it listens. Blocks the thread.
    pub fn start(setup: RedisSetup) -> Result<Self> {
        let mut server = Self {
            address: free_address(Ipv4Addr::LOCALHOST.into())?,
            setup,
            password: uuid::Uuid::new_v4().to_string(),
            process: None,
            folder: tempfile::tempdir().context("cannot make a folder for Redis")?,
        };
        server.start_again()?;
        Ok(server)
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("localhost:{}", self.port())
    }

    /// Its port, the same over its lives.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Where it keeps its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it says to the administrator's command.
    pub fn ask(&self, words: &[&str]) -> Result<String> {
        Ok(output(self.cli().args(words))?.trim_end().to_owned())
    }

    /// What it says to the command of another user, errors included.
    pub fn ask_as(&self, user: Option<(&str, &str)>, words: &[&str]) -> Result<String> {
        let mut cli = self.connecting_cli();
        if let Some((name, password)) = user {
            cli.args(["--user", name, "--pass", password, "--no-auth-warning"]);
        }
        Ok(output(cli.args(words))?.trim_end().to_owned())
    }

    /// Gives it other users.
    pub fn set_users(&mut self, users: Vec<String>) -> Result<()> {
        self.setup.users = users;
        self.write_users()?;
        self.ask(&["ACL", "LOAD"]).map(drop)
    }

    /// Ends it as a lost node would, once its keys were looked at.
    pub fn kill(&mut self) {
        self.look_at_keys();
        self.process = None;
    }

    /// Starts it on the same port, unless it runs.
    pub fn start_again(&mut self) -> Result<()> {
        if self.process.is_none() {
            self.write_users()?;
            let (log, command) = (self.file("log"), self.command()?);
            self.process = Some(start(self.address, "redis-server", &log, command)?);
        }
        Ok(())
    }

    /// It goes on listening and answers nothing, until [`Self::go_on`].
    pub fn halt(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// It goes on where it was halted.
    pub fn go_on(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Panics when a key never ends or says something. A Redis that loads has shown its keys before.
    fn look_at_keys(&mut self) {
        let runs = self.process.as_mut().is_some_and(Listening::is_running);
        if !runs || self.setup.holds_odd_keys || std::thread::panicking() {
            return;
        }
        self.go_on().expect("a process that runs can be told to go on");
        let said = self.ask(&["EVAL", LIST_KEYS, "0"]).expect("the administrator may list keys");
        if said.starts_with("LOADING") {
            return;
        }
        let keys = said.lines().filter(|line| !line.is_empty()).map(|line| {
            let (milliseconds, name) = line.split_once(' ').unwrap_or(("", line));
            (name, milliseconds != "-1" && milliseconds.parse::<i64>().is_ok())
        });
        let problems = kept::problems_of_keys(keys);
        assert!(problems.is_empty(), "the Redis keeps what it should not: {problems:#?}");
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.process.as_ref().context("Redis does not run")?.signal(signal)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Result<Command> {
        let mut lines = small_and_local(self.folder.path());
        match &self.setup.tls {
            None => lines.push(format!("port {}", self.port())),
            Some((authority, asks)) => {
                let certificate = authority.issue(&["localhost", "127.0.0.1", HOST_ADDRESS])?;
                self.write("ca.crt", &authority.cert_pem)?;
                self.write("tls.crt", &certificate.cert_pem)?;
                self.write("tls.key", &certificate.key_pem)?;
                let administrator = authority.issue_client(ADMINISTRATOR)?;
                self.write("administrator.crt", &administrator.cert_pem)?;
                self.write("administrator.key", &administrator.key_pem)?;
                lines.push("port 0".to_owned());
                lines.push(format!("tls-port {}", self.port()));
                lines.push(format!("tls-auth-clients {}", if *asks { "yes" } else { "no" }));
                for (word, file) in
                    [("tls-ca-cert-file", "ca.crt"), ("tls-cert-file", "tls.crt"), ("tls-key-file", "tls.key")]
                {
                    lines.push(format!("{word} {}", self.file(file).display()));
                }
            }
        }
        if !self.setup.users.is_empty() {
            lines.push(format!("aclfile {}", self.file("users.acl").display()));
        }
        lines.extend(self.setup.lines.iter().cloned());
        self.write("redis.conf", &lines.join("\n"))?;
        let mut command = Command::new("redis-server");
        command.arg(self.file("redis.conf"));
        Ok(command)
    }

    fn write_users(&self) -> Result<()> {
        let administrator = format!("user {ADMINISTRATOR} on #{:x} ~* &* +@all", Sha256::digest(&self.password));
        let default = format!("user default reset off ~* {WRITTEN_DOWN}");
        let lines = [&[default, administrator][..], &self.setup.users].concat();
        self.write("users.acl", &lines.join("\n"))
    }

    fn write(&self, name: &str, content: &str) -> Result<()> {
        let path = self.file(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
    }

    fn cli(&self) -> Command {
        let mut cli = self.connecting_cli();
        if !self.setup.users.is_empty() {
            cli.args(["--user", ADMINISTRATOR, "--pass", &self.password, "--no-auth-warning"]);
        }
        cli
    }

    fn connecting_cli(&self) -> Command {
        let mut cli = Command::new("redis-cli");
        cli.args(["-h", "127.0.0.1", "-p", &self.port().to_string()]);
        if self.setup.tls.is_some() {
            cli.arg("--tls").arg("--cacert").arg(self.file("ca.crt"));
            cli.arg("--cert").arg(self.file("administrator.crt")).arg("--key").arg(self.file("administrator.key"));
        }
        cli
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.look_at_keys();
    }
}

/// What every server of tests has: no copy on disk, no process besides it, nobody from outside.
fn small_and_local(folder: &Path) -> Vec<String> {
    let folder = format!("dir {}", folder.display());
    ["bind 127.0.0.1", "daemonize no", "save \"\"", "appendonly no", "shutdown-timeout 0"]
        .map(str::to_owned)
        .into_iter()
        .chain([folder])
        .collect()
}

fn start(address: SocketAddr, what: &str, log: &Path, command: Command) -> Result<Listening> {
    Listening::start_on(address, what, log, command)
        .with_context(|| format!("tests need Debian's package `{}`: install it, or run `cargo verify`", NEED.package))
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const KEY: &str = "mcpf:a/tools:v1:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// Whether a Redis of this setup that was told this ends without a word, and whether it can be killed so.
    fn ends_well(setup: &RedisSetup, words: &[&str]) -> [bool; 2] {
        let start = || {
            let redis = RedisServer::start(setup.clone()).unwrap();
            assert_eq!(redis.ask(words).unwrap(), "OK");
            redis
        };
        let mut killed = start();
        [
            catch_unwind(AssertUnwindSafe(|| drop(start()))).is_ok(),
            catch_unwind(AssertUnwindSafe(move || killed.kill())).is_ok(),
        ]
    }

    #[test]
    fn a_key_that_never_ends_or_has_a_name_fails_the_test_that_left_it_unless_it_said_so() {
        let (usual, odd) = (RedisSetup::default(), RedisSetup::with_odd_keys());
        let with_users = RedisSetup::with_user("gateway-1", "right", "mcpf:a/tools:");
        for setup in [&usual, &with_users] {
            assert_eq!(ends_well(setup, &["SET", KEY, "1", "PX", "60000"]), [true; 2]);
            assert_eq!(ends_well(setup, &["SET", KEY, "1"]), [false; 2]);
        }
        assert_eq!(ends_well(&usual, &["SET", "mcpf:a/tools:v1:person-1", "1", "PX", "60000"]), [false; 2]);
        assert_eq!(ends_well(&odd, &["SET", "person-1", "1"]), [true; 2]);
    }

    #[test]
    fn one_that_is_halted_shows_its_keys_too() {
        let redis = RedisServer::start(RedisSetup::default()).unwrap();
        redis.ask(&["SET", KEY, "1"]).unwrap();
        redis.halt().unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(redis))).is_err());
    }

    #[test]
    fn a_machine_without_redis_is_told_the_package() {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address(Ipv4Addr::LOCALHOST.into()).unwrap();
        let started = start(address, "it", &folder.path().join("log"), Command::new("/nowhere/redis-server"));
        let problem = started.err().expect("it is not there").to_string();
        assert_eq!(problem, "tests need Debian's package `redis-server`: install it, or run `cargo verify`");
    }

    #[test]
    fn a_user_line_holds_a_hash_and_no_password() {
        let line = user_line("gateway", "hunter2", "a:", "+get");
        assert!(!line.contains("hunter2"), "{line}");
        assert!(
            line.starts_with("user gateway on #f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7 "),
            "{line}"
        );
    }
}
