//! A [`RedisStore`] with its background task, ended with the value.

use std::{sync::Arc, time::Duration};

use crds::gateway_config::RedisCredentials;
use crds::gateway_report::RedisState;
use server::{
    net::AddressPolicy,
    store::{Heard, Key, KeyKind, RedisAddress, RedisSettings, RedisStore, Standing, Store, Topology},
};
use tokio::sync::broadcast::Receiver;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::support::{eventually, patience::within};

/// What every key in these tests begins with.
pub(super) const PREFIX: &str = "mcpf:team-a/tools:";

/// Long enough for a test.
pub(super) const TTL: Duration = Duration::from_secs(600);

/// A process of its own may listen on loopback.
pub(super) const LOOPBACK: AddressPolicy = AddressPolicy { allow_loopback: true, allow_private: false, denied: None };

pub(super) struct Running {
    pub(super) store: Arc<RedisStore>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    pub(super) fn start(settings: RedisSettings) -> Self {
        Self::start_under(LOOPBACK, settings)
    }

    pub(super) fn start_under(policy: AddressPolicy, settings: RedisSettings) -> Self {
        let store = Arc::new(RedisStore::new(settings, policy));
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(Arc::clone(&store).run(shutdown.clone()));
        Self { store, shutdown, tasks }
    }

    /// Started, and seen to be ready.
    pub(super) async fn ready(settings: RedisSettings) -> Self {
        let running = Self::start(settings);
        running.until(RedisState::Ready).await;
        running
    }

    pub(super) fn standing(&self) -> (RedisState, Option<String>) {
        let Standing::Shared { state, last_error, .. } = self.store.standing() else { panic!("it is shared") };
        (state, last_error)
    }

    /// Waits for a state, and answers the sentence that goes with it.
    pub(super) async fn until(&self, expected: RedisState) -> Option<String> {
        eventually(&format!("{expected:?}"), async || {
            let (state, error) = self.standing();
            (state == expected).then_some(error)
        })
        .await
    }

    /// Waits for a state with a sentence that begins like this: for a moment it may be told of the end of a connection.
    pub(super) async fn until_said(&self, expected: RedisState, beginning: &str) -> String {
        eventually(&format!("{expected:?}: {beginning}"), async || {
            let (state, error) = self.standing();
            error.filter(|error| state == expected && error.starts_with(beginning))
        })
        .await
    }

    /// Ends it, and waits for every task of it.
    pub(super) async fn end(self) {
        self.shutdown.cancel();
        self.tasks.close();
        within("the store's tasks end", self.tasks.wait()).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// One server without users and without TLS.
pub(super) fn standalone(address: &str) -> RedisSettings {
    RedisSettings {
        topology: Topology::Standalone,
        addresses: vec![RedisAddress::parse(address).unwrap()],
        key_prefix: PREFIX.to_owned(),
        credentials: None,
        tls: None,
        required: false,
    }
}

/// Files with a name and a password, in a folder of their own.
pub(super) struct UserFiles {
    folder: tempfile::TempDir,
}

impl UserFiles {
    pub(super) fn new(name: &str, password: &str) -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.replace(name, password);
        files
    }

    /// With a line break, as editors leave one.
    pub(super) fn replace(&self, name: &str, password: &str) {
        std::fs::write(self.folder.path().join("username"), format!("{name}\n")).unwrap();
        std::fs::write(self.folder.path().join("password"), format!("{password}\n")).unwrap();
    }

    pub(super) fn credentials(&self) -> RedisCredentials {
        let path = |name: &str| self.folder.path().join(name).to_str().unwrap().to_owned();
        RedisCredentials { username_file: Some(path("username")), password_file: path("password") }
    }
}

/// What a key is called in Redis.
pub(super) fn name_of(key: &Key) -> String {
    format!("{PREFIX}v1:{}", key.to_hex())
}

pub(super) fn key(name: &str) -> Key {
    Key::new(KeyKind::Mark, &[name.as_bytes()])
}

/// Waits for `expected`, whatever is heard before.
pub(super) async fn until_heard(listener: &mut Receiver<Heard>, expected: &Heard) {
    within("a message", async {
        loop {
            if listener.recv().await.unwrap() == *expected {
                return;
            }
        }
    })
    .await;
}
