//! Several gateways that share a Redis, a sealing key and an issuer: the replicas of one endpoint.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crds::gateway_config::{RedisConfig, RedisCredentials, RedisTopology};
use tempfile::TempDir;
use tests::redis::{RedisServer, RedisSetup};

use super::World;
use super::files::GatewayOptions;
use super::patience::eventually;
use super::session::Session;

/// What every key of theirs begins with.
pub(crate) const KEY_PREFIX: &str = "mcpf:team-a/tools:";

const USER: &str = "gateway-1";
const PASSWORD: &str = "a password of the tests";

/// All of it. Everything ends when it is dropped.
pub(crate) struct Replicas {
    pub(crate) worlds: Vec<World>,
    pub(crate) redis: RedisServer,
    _files: TempDir,
}

/// What a Redis holds.
pub(crate) struct Dump {
    /// Each with its time to live; `None` for one that never ends.
    pub(crate) keys: Vec<(String, Option<Duration>)>,
    /// The file that Redis writes of all of it.
    pub(crate) bytes: Vec<u8>,
}

impl Replicas {
    /// Two of them.
    pub(crate) async fn two() -> Self {
        Self::start(2).await
    }

    /// So many. All of them have reached their Redis, which lets them do what a managed one does and no more.
    pub(crate) async fn start(count: usize) -> Self {
        Self::start_with(count, &[]).await
    }

    /// The same with more lines in the configuration of the Redis.
    pub(crate) async fn start_with(count: usize, lines: &[&str]) -> Self {
        let setup = RedisSetup::with_user(USER, PASSWORD, KEY_PREFIX).and("rdbcompression no");
        let setup = lines.iter().fold(setup, |setup, line| setup.and(line));
        let redis = RedisServer::start(setup).unwrap();
        let files = TempDir::new().unwrap();
        let folder = files.path();
        fs::write(folder.join("key"), [7; 32]).unwrap();
        fs::write(folder.join("username"), USER).unwrap();
        fs::write(folder.join("password"), PASSWORD).unwrap();
        let first = World::with(|options| share(options, folder, &redis)).await;
        fs::write(folder.join("ca.crt"), first.gateway.issuer.ca_pem()).unwrap();
        let issuer = first.gateway.issuer.issuer_url().to_owned();
        let mut worlds = vec![first];
        while worlds.len() < count {
            let next = World::with(|options| {
                share(options, folder, &redis);
                options.trust(&issuer, &text(&folder.join("ca.crt")));
            });
            worlds.push(next.await);
        }
        let replicas = Self { worlds, redis, _files: files };
        replicas.until_each_hears_the_others().await;
        replicas
    }

    /// A session that the first one opened.
    pub(crate) async fn session(&self, revision: &'static str) -> Session {
        self.worlds[0].session(revision).await
    }

    /// The same session at another one.
    pub(crate) fn at(&self, index: usize, session: &Session) -> Session {
        session.at(&self.worlds[index].gateway.client)
    }

    pub(crate) fn dump(&self) -> Dump {
        let ask = |words: &[&str]| self.redis.ask(words).unwrap();
        let keys = ask(&["KEYS", "*"]);
        let keys = keys.lines().map(|key| {
            let milliseconds: i64 = ask(&["PTTL", key]).parse().unwrap();
            (key.to_owned(), u64::try_from(milliseconds).ok().map(Duration::from_millis))
        });
        let keys = keys.collect();
        ask(&["SAVE"]);
        let folder = ask(&["CONFIG", "GET", "dir"]).lines().nth(1).unwrap().to_owned();
        let bytes = fs::read(Path::new(&folder).join("dump.rdb")).unwrap();
        Dump { keys, bytes }
    }

    /// Redis has one subscriber for each.
    pub(crate) async fn until_each_hears_the_others(&self) {
        let channel = format!("{KEY_PREFIX}v1:events");
        eventually("each replica hears the others", async || {
            let said = self.redis.ask(&["PUBSUB", "NUMSUB", &channel]).ok()?;
            let count: usize = said.lines().nth(1)?.parse().ok()?;
            (count == self.worlds.len()).then_some(())
        })
        .await;
    }
}

fn share(options: &mut GatewayOptions, folder: &Path, redis: &RedisServer) {
    options.policy.replicas = 2;
    options.config.sealing_key_files = vec![text(&folder.join("key"))];
    options.config.redis = Some(RedisConfig {
        topology: RedisTopology::Standalone,
        addresses: vec![redis.address()],
        master_name: None,
        key_prefix: KEY_PREFIX.to_owned(),
        credentials: Some(RedisCredentials {
            username_file: Some(text(&folder.join("username"))),
            password_file: text(&folder.join("password")),
        }),
        tls: None,
        required: true,
    });
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
