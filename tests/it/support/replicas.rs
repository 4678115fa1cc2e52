//! Several gateways that share a Redis, a sealing key and an issuer: the replicas of one endpoint.

use std::fs;
use std::path::{Path, PathBuf};

use crds::gateway_config::{RedisConfig, RedisCredentials, RedisTopology};
use tempfile::TempDir;
use tests::redis::{RedisServer, RedisSetup, written};

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

impl Replicas {
    /// Two of them.
    pub(crate) async fn two() -> Self {
        Self::start(2).await
    }

    /// So many. All of them have reached their Redis, which lets them do what a managed one does and no more.
    pub(crate) async fn start(count: usize) -> Self {
        Self::start_with(count, &[], |_, _| {}).await
    }

    /// The same with more lines in the configuration of the Redis, and each with options of its own.
    pub(crate) async fn start_with(count: usize, lines: &[&str], own: impl Fn(usize, &mut GatewayOptions)) -> Self {
        let setup = RedisSetup::with_user(USER, PASSWORD, KEY_PREFIX);
        let setup = lines.iter().fold(setup, |setup, line| setup.and(line));
        let redis = RedisServer::start(setup).unwrap();
        let files = TempDir::new().unwrap();
        let folder = files.path();
        fs::write(folder.join("key"), [7; 32]).unwrap();
        fs::write(folder.join("username"), USER).unwrap();
        fs::write(folder.join("password"), PASSWORD).unwrap();
        let shared = |index: usize, options: &mut GatewayOptions| {
            share(options, folder, &redis);
            own(index, options);
        };
        let first = World::with(|options| shared(0, options)).await;
        fs::write(folder.join("ca.crt"), first.gateway.issuer.ca_pem()).unwrap();
        let issuer = first.gateway.issuer.issuer_url().to_owned();
        let mut worlds = vec![first];
        while worlds.len() < count {
            let next = World::with(|options| {
                shared(worlds.len(), options);
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

    /// Whether their Redis was started with `appendonly yes`.
    pub(crate) fn keeps_a_log(&self) -> bool {
        self.log_folder().exists()
    }

    /// How many keys there are by the log of their Redis, whose every change says nothing: not these words either.
    pub(crate) fn ends_and_cannot_be_read(&self, secrets: &[&str]) -> usize {
        let files = written::files_in(&self.log_folder()).unwrap();
        written::ends_and_cannot_be_read(&files, secrets).unwrap()
    }

    fn log_folder(&self) -> PathBuf {
        self.redis.folder().join(written::APPEND_ONLY_FOLDER)
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
