//! The last good keys on disk: what a restart takes over, and what it does not.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, sync::Arc, time::Duration};

use crds::{gateway_config::SignatureAlgorithm, gateway_report::KeySetState};
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    folder::Folder,
    issuer_server::{IssuerServer, Reply},
    key_fetching::{LOOPBACK, settings},
    support::{
        Answer, FakeClock, NOW, Signer, ask, deps, document, is_unavailable, new, new_keys, old, old_keys, token,
    },
};
use crate::auth::{AuthDeps, Authenticator, IssuerSettings, KeyCache, snapshot::Origin};

/// An issuer, a folder, and one process after the other.
struct Scene {
    server: IssuerServer,
    folder: Folder,
    clock: Arc<FakeClock>,
}

impl Scene {
    /// The issuer has one key, which a process has fetched and kept before it ended.
    async fn new() -> Self {
        let scene = Self { server: IssuerServer::start().await, folder: Folder::new(), clock: FakeClock::new() };
        scene.server.publish(&old_keys());
        scene.process().refresh(0).await;
        scene
    }

    fn settings(&self) -> IssuerSettings {
        let mut settings = settings(&self.server, Some(self.server.jwks_uri()));
        settings.key_rules.max_age = Duration::from_secs(3600);
        settings
    }

    /// A new process with the same folder, before anything else.
    fn process(&self) -> Authenticator {
        self.process_with(self.settings())
    }

    fn process_with(&self, settings: IssuerSettings) -> Authenticator {
        let key_cache = Some(Arc::new(KeyCache::new(self.folder.path().to_owned())));
        Authenticator::new(vec![settings], AuthDeps { key_cache, ..deps(&self.clock, LOOPBACK) }).unwrap()
    }

    /// The same after its tasks have looked at the folder, while the issuer is down.
    async fn restarted(&self) -> Authenticator {
        self.restarted_with(self.settings()).await
    }

    async fn restarted_with(&self, settings: IssuerSettings) -> Authenticator {
        self.goes_down();
        let process = self.process_with(settings);
        process.restore(0).await;
        process.refresh(0).await;
        process
    }

    fn goes_down(&self) {
        self.server.reply("/keys", Reply::with("500 Internal Server Error", "", ""));
    }

    async fn ask(&self, process: &Authenticator, signer: Signer) -> Answer {
        let change = json!({ "iss": self.server.url, "exp": NOW + 80_000 });
        ask(process, &token(signer, &json!({}), &change)).await
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(Origin::new(self.server.url.as_str().into(), None).file_name())
    }

    fn write(&self, jwks: &str, fetched_at: i64) {
        let origin = Origin::new(self.server.url.as_str().into(), Some(self.server.jwks_uri()));
        let fetched_at = jiff::Timestamp::from_second(fetched_at).unwrap();
        fs::write(self.file(), origin.snapshot(jwks.as_bytes(), fetched_at)).unwrap();
    }
}

fn state(process: &Authenticator) -> (bool, KeySetState) {
    (process.ready(), process.reports()[0].state)
}

#[tokio::test]
async fn a_restart_while_the_issuer_is_down_serves_with_the_last_good_keys() {
    let scene = Scene::new().await;
    let process = scene.restarted().await;
    assert_eq!(state(&process), (true, KeySetState::Stale));
    assert!(scene.ask(&process, old()).await.is_ok());
    scene.server.publish(&new_keys());
    process.refresh(0).await;
    assert_eq!(state(&process), (true, KeySetState::Ready));
    assert_eq!(scene.ask(&process, new()).await.map(|_| ()), Ok(()));
}

#[tokio::test]
async fn keys_of_the_process_before_are_stale_until_the_issuer_has_confirmed_them() {
    let scene = Scene::new().await;
    let process = scene.process();
    process.restore(0).await;
    assert_eq!(state(&process), (true, KeySetState::Stale));
    process.refresh(0).await;
    assert_eq!(state(&process), (true, KeySetState::Ready));
    assert_eq!(process.health().issuers[0].key_age, Some(Duration::ZERO));
}

#[tokio::test]
async fn the_tasks_take_over_and_then_fetch_at_once() {
    let scene = Scene::new().await;
    scene.goes_down();
    let process = scene.process();
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    process.run(&tasks, shutdown.clone());
    while process.reports()[0].last_error.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(state(&process), (true, KeySetState::Stale));
    assert!(scene.ask(&process, old()).await.is_ok());
    tasks.close();
    shutdown.cancel();
    tasks.wait().await;
}

#[tokio::test]
async fn without_a_snapshot_a_process_waits_for_the_issuer() {
    let scene = Scene::new().await;
    fs::remove_file(scene.file()).unwrap();
    let process = scene.restarted().await;
    assert_eq!(state(&process), (false, KeySetState::Pending));
    assert!(is_unavailable(&scene.ask(&process, old()).await));
    assert_eq!(process.health().key_cache_failures, 0);
}

#[tokio::test]
async fn the_age_goes_on_from_what_the_snapshot_says() {
    let scene = Scene::new().await;
    scene.clock.advance(Duration::from_secs(3000));
    let process = scene.restarted().await;
    let age = || process.health().issuers[0].key_age.unwrap().as_secs();
    assert_eq!(age(), 3000);
    // From here on by the clock that never steps.
    scene.clock.set_time_of_day(NOW);
    scene.clock.advance(Duration::from_secs(600));
    assert_eq!(age(), 3600);
    assert!(scene.ask(&process, old()).await.is_ok());
    scene.clock.advance(Duration::from_secs(1));
    assert!(is_unavailable(&scene.ask(&process, old()).await));
    assert_eq!(state(&process), (true, KeySetState::Expired));
}

#[tokio::test]
async fn what_is_not_good_beyond_doubt_is_ignored() {
    let scene = Scene::new().await;
    let good = document(&old_keys());
    scene.write(&good, NOW);
    assert!(scene.restarted().await.ready(), "the rows below differ from this in one thing each");
    let mut private = old_keys();
    private[0]["d"] = json!("AAAA");
    for (jwks, fetched_at, row) in [
        (good.as_str(), NOW - 3601, "too old"),
        (good.as_str(), NOW + 1, "of the future"),
        ("{", NOW, "broken"),
        (document(&[]).as_str(), NOW, "without keys"),
        (document(&private).as_str(), NOW, "with a private key"),
        (" ".repeat(300 * 1024).as_str(), NOW, "too large"),
    ] {
        scene.write(jwks, fetched_at);
        assert_eq!(state(&scene.restarted().await), (false, KeySetState::Pending), "{row}");
    }
    fs::write(scene.file(), "").unwrap();
    assert!(!scene.restarted().await.ready(), "empty");
    fs::remove_file(scene.file()).unwrap();
    fs::create_dir(scene.file()).unwrap();
    assert!(!scene.restarted().await.ready(), "no file");
}

#[tokio::test]
async fn another_issuer_or_place_of_keys_or_algorithm_does_not_get_them() {
    let scene = Scene::new().await;
    let mut discovering = settings(&scene.server, None);
    discovering.key_rules.max_age = Duration::from_secs(3600);
    assert!(!scene.restarted_with(discovering).await.ready(), "its keys are found by discovery");
    let elsewhere = settings(&scene.server, Some(format!("{}/other", scene.server.url)));
    assert!(!scene.restarted_with(elsewhere).await.ready(), "its keys are elsewhere");
    let mut rs256 = scene.settings();
    rs256.key_rules.algorithms = vec![SignatureAlgorithm::RS256];
    assert!(!scene.restarted_with(rs256).await.ready(), "it takes other algorithms");
    let mut other = scene.settings();
    other.issuer = "https://other.example.com".to_owned();
    let name = Origin::new("https://other.example.com".into(), None).file_name();
    fs::copy(scene.file(), scene.folder.path().join(name)).unwrap();
    assert!(!scene.restarted_with(other).await.ready(), "it is another issuer");
    assert!(scene.restarted().await.ready());
}

#[tokio::test]
async fn a_withdrawal_removes_the_snapshot() {
    let scene = Scene::new().await;
    assert!(scene.file().exists());
    scene.server.publish(&[]);
    scene.process().refresh(0).await;
    assert!(!scene.file().exists());
    assert!(!scene.restarted().await.ready());
}

#[tokio::test]
async fn a_failed_fetch_keeps_the_snapshot() {
    let scene = Scene::new().await;
    let process = scene.restarted().await;
    process.refresh(0).await;
    assert!(scene.restarted().await.ready());
}

#[tokio::test]
async fn every_fetch_renews_the_snapshot_which_is_for_this_user_alone() {
    let scene = Scene::new().await;
    scene.clock.advance(Duration::from_secs(3601));
    assert!(!scene.restarted().await.ready());
    scene.server.publish(&old_keys());
    // What a killed process has left is in nobody's way.
    fs::write(scene.file().with_extension("new"), "half").unwrap();
    scene.process().refresh(0).await;
    assert!(scene.restarted().await.ready());
    let names: Vec<_> = fs::read_dir(scene.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names, [scene.file()]);
    assert_eq!(fs::metadata(scene.file()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_counted_and_stops_nothing() {
    let scene = Scene::new().await;
    // A folder where the new file is to be made cannot be removed as a file.
    fs::create_dir(scene.file().with_extension("new")).unwrap();
    let process = scene.process();
    process.refresh(0).await;
    assert_eq!(process.health().key_cache_failures, 1);
    assert_eq!(state(&process), (true, KeySetState::Ready));
    process.refresh(0).await;
    assert_eq!(process.health().key_cache_failures, 2);
}

#[tokio::test]
async fn a_file_that_cannot_be_renewed_stays_only_while_its_keys_are_those_in_force() {
    let scene = Scene::new().await;
    let process = scene.process();
    process.restore(0).await;
    fs::create_dir(scene.file().with_extension("new")).unwrap();
    process.refresh(0).await;
    assert!(scene.file().exists(), "the keys are the same");
    scene.server.publish(&new_keys());
    process.refresh(0).await;
    assert!(!scene.file().exists(), "it could bring back a key that has left");
    assert!(scene.ask(&process, new()).await.is_ok());
}

#[tokio::test]
async fn a_folder_that_does_not_exist_stops_nothing() {
    let scene = Scene::new().await;
    fs::remove_dir_all(scene.folder.path()).unwrap();
    let process = scene.process();
    process.restore(0).await;
    process.refresh(0).await;
    assert_eq!((state(&process), process.health().key_cache_failures), ((true, KeySetState::Ready), 1));
}
