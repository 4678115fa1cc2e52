//! Keys in a mounted file: renewed in place, never fetched, and as little believed.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use crds::gateway_report::KeySetState;
use serde_json::{Value, json};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    folder::Folder,
    support::{
        AUDIENCE, Answer, FakeClock, ISSUER, NOW, Signer, ask, build, invalid, is_unavailable, new, new_keys, old,
        old_keys, token,
    },
};
use crate::{
    auth::{Authenticator, InvalidToken, IssuerSettings, KeySource},
    net::AddressPolicy,
};

struct Scene {
    _folder: Folder,
    path: PathBuf,
    clock: Arc<FakeClock>,
    authenticator: Authenticator,
}

impl Scene {
    fn new() -> Self {
        let folder = Folder::new();
        let path = folder.path().join("keys.json");
        let clock = FakeClock::new();
        let keys = KeySource::File { path: path.clone() };
        let mut settings = IssuerSettings::new(ISSUER, vec![AUDIENCE.to_owned()], keys);
        settings.key_rules.max_age = Duration::from_secs(3600);
        let authenticator = build(vec![settings], &clock, AddressPolicy::default());
        Self { _folder: folder, path, clock, authenticator }
    }

    async fn with(keys: &[Value]) -> Self {
        let scene = Self::new();
        scene.write(NOW, keys);
        scene.look().await;
        scene
    }

    fn write(&self, fetched_at: i64, keys: &[Value]) {
        self.write_text(&json!({ "fetchedAt": fetched_at, "jwks": { "keys": keys } }).to_string());
    }

    fn write_text(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
    }

    async fn look(&self) {
        self.authenticator.refresh(0).await;
    }

    async fn ask(&self, signer: Signer) -> Answer {
        let times = json!({ "exp": NOW + 80_000 });
        ask(&self.authenticator, &token(signer, &json!({}), &times)).await
    }

    fn state(&self) -> KeySetState {
        self.authenticator.reports()[0].state
    }

    /// In the report of the issuer and among the problems of files: the same, and never the path.
    fn problem(&self) -> String {
        let last_error = self.authenticator.reports()[0].last_error.clone().unwrap_or_default();
        let of_files = self.authenticator.file_problems();
        assert_eq!(of_files.len(), usize::from(!last_error.is_empty()));
        let Some((0, cause)) = of_files.first() else { return String::new() };
        assert_eq!(last_error, format!("the mounted key file cannot be used: {cause}"));
        assert!(!last_error.contains("keys.json"), "{last_error}");
        cause.to_string()
    }
}

#[tokio::test]
async fn a_file_that_comes_late_makes_the_issuer_ready() {
    let scene = Scene::new();
    scene.look().await;
    assert_eq!((scene.authenticator.ready(), scene.state()), (false, KeySetState::Pending));
    assert_eq!(scene.problem(), "it cannot be read: entity not found");
    let answer = scene.ask(old()).await;
    assert!(is_unavailable(&answer), "{answer:?}");
    scene.write(NOW, &old_keys());
    scene.look().await;
    assert_eq!((scene.authenticator.ready(), scene.state()), (true, KeySetState::Ready));
    assert_eq!(scene.problem(), "");
    assert!(scene.ask(old()).await.is_ok());
}

#[tokio::test]
async fn a_renewed_file_takes_effect_in_place() {
    let scene = Scene::with(&old_keys()).await;
    assert!(scene.ask(old()).await.is_ok());
    scene.write(NOW + 1, &new_keys());
    scene.look().await;
    assert!(scene.ask(new()).await.is_ok());
    assert_eq!(scene.authenticator.decisions.len(), 1, "those of keys that left are gone");
}

#[tokio::test]
async fn a_token_under_a_new_key_makes_the_file_be_read_at_once() {
    let scene = Scene::with(&old_keys()).await;
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    scene.authenticator.run(&tasks, shutdown.clone());
    scene.write(NOW + 1, &new_keys());
    assert!(scene.ask(new()).await.is_ok());
    assert_eq!(scene.ask(old()).await, invalid(InvalidToken::UnknownKey));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_changes_nothing_and_says_why() {
    let key_file =
        |fetched_at: i64, keys: Value| json!({ "fetchedAt": fetched_at, "jwks": { "keys": keys } }).to_string();
    let mut private = new_keys();
    private[0]["d"] = json!("AAAA");
    let huge = format!("{}{}", key_file(NOW, json!(new_keys())), " ".repeat(300 * 1024));
    let rows = [
        ("<html>".to_owned(), "it is not a file of keys as the operator writes it"),
        (json!({ "keys": new_keys() }).to_string(), "it is not a file of keys as the operator writes it"),
        (key_file(NOW - 3601, json!(new_keys())), "its keys are older than `maxKeyAgeSeconds`"),
        (key_file(NOW + 61, json!(new_keys())), "its keys are dated in the future; compare the clocks of the nodes"),
        (key_file(NOW, json!(private)), "it holds a private key; every key in it must be revoked"),
        (key_file(NOW, json!(vec![json!({}); 65])), "it has more than 64 keys"),
        (key_file(NOW, json!({})), "it is not a JSON Web Key Set"),
        (huge, "it cannot be read: file too large"),
    ];
    for (text, problem) in rows {
        let scene = Scene::with(&old_keys()).await;
        scene.write_text(&text);
        scene.look().await;
        assert_eq!(scene.problem(), problem);
        assert_eq!((scene.ask(old()).await.is_ok(), scene.state()), (true, KeySetState::Stale), "{problem}");
        scene.write(NOW, &old_keys());
        scene.look().await;
        assert_eq!((scene.problem(), scene.state()), (String::new(), KeySetState::Ready));
    }
    let scene = Scene::with(&old_keys()).await;
    fs::remove_file(&scene.path).unwrap();
    scene.look().await;
    assert_eq!(scene.problem(), "it cannot be read: entity not found");
    assert!(scene.ask(old()).await.is_ok());
}

#[tokio::test]
async fn a_set_without_a_usable_key_withdraws_the_keys_and_the_same_file_brings_them_back() {
    let scene = Scene::with(&old_keys()).await;
    scene.write(NOW, &[]);
    scene.look().await;
    assert_eq!(scene.problem(), "it has no key that fits one of the `algorithms` of this issuer");
    let answer = scene.ask(old()).await;
    assert!(is_unavailable(&answer), "{answer:?}");
    scene.write(NOW, &old_keys());
    scene.look().await;
    assert!(scene.ask(old()).await.is_ok());
}

#[tokio::test]
async fn keys_age_from_when_the_operator_asked_and_looking_again_does_not_renew_them() {
    let scene = Scene::new();
    scene.write(NOW - 1000, &old_keys());
    scene.look().await;
    let age = || scene.authenticator.health().issuers[0].key_age.unwrap().as_secs();
    assert_eq!(age(), 1000);
    scene.clock.advance(Duration::from_secs(801));
    // Once loaded they age by the clock that never steps.
    scene.clock.set_time_of_day(NOW);
    scene.look().await;
    assert_eq!((age(), scene.state()), (1801, KeySetState::Stale));
    scene.clock.advance(Duration::from_secs(1799));
    scene.look().await;
    assert!(scene.ask(old()).await.is_ok());
    scene.clock.advance(Duration::from_secs(1));
    scene.look().await;
    let answer = scene.ask(old()).await;
    assert!(is_unavailable(&answer), "{answer:?}");
    assert_eq!((scene.state(), scene.authenticator.ready()), (KeySetState::Expired, true));
    scene.write(NOW + 1801, &old_keys());
    scene.look().await;
    assert_eq!((scene.ask(old()).await.is_ok(), scene.state()), (true, KeySetState::Ready));
}
