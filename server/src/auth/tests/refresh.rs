//! The life of a key set: first fetch, rotation, outage, old age.

use std::{sync::Arc, time::Duration};

use crds::gateway_report::KeySetState;
use http::HeaderMap;
use serde_json::{Value, json};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    issuer_server::{IssuerServer, Reply},
    key_fetching::{LOOPBACK, settings},
    keys::{EC, OTHER_EC, ec_jwk},
    support::{FakeClock, NOW, Signer, ask, build, invalid, token},
};
use crate::auth::{Authenticator, InvalidToken, Refusal};

/// An issuer with one key, an authenticator that has fetched it once, and its refresh tasks.
struct Scene {
    server: IssuerServer,
    clock: Arc<FakeClock>,
    authenticator: Arc<Authenticator>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    /// Signed once: an ECDSA signature differs each time, and another text is another token for the cache.
    old_token: String,
    new_token: String,
}

impl Scene {
    async fn start() -> Self {
        let server = IssuerServer::start().await;
        server.publish(&[ec_jwk(&EC, "old")]);
        let clock = FakeClock::new();
        let settings = settings(&server, Some(server.jwks_uri()));
        let authenticator = Arc::new(build(vec![settings], &clock, LOOPBACK));
        authenticator.refresh(0).await;
        let token = |signer| {
            let change = json!({ "iss": server.url, "exp": NOW + 86_000 });
            token(signer, &json!({}), &change)
        };
        Self {
            old_token: token(Signer::Ec(&EC, "old")),
            new_token: token(Signer::Ec(&OTHER_EC, "new")),
            server,
            clock,
            authenticator,
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        }
    }

    /// With refresh tasks, as in a real process.
    async fn running() -> Self {
        let scene = Self::start().await;
        scene.authenticator.run(&scene.tasks, scene.shutdown.clone());
        scene
    }

    async fn ask(&self, token: &str) -> Result<(), Refusal> {
        ask(&self.authenticator, token).await.map(|_| ())
    }

    fn state(&self) -> KeySetState {
        self.authenticator.reports()[0].state
    }

    fn publish(&self, keys: &[Value]) {
        self.server.publish(keys);
    }
}

impl Scene {
    /// Another authenticator of the same configuration, that nobody has given keys yet.
    fn successor(&self) -> Authenticator {
        build(vec![settings(&self.server, Some(self.server.jwks_uri()))], &self.clock, LOOPBACK)
    }
}

/// A change of the CA bundle takes no keys away, and gives none more time.
#[tokio::test]
async fn a_successor_begins_with_the_keys_of_before_and_their_age_goes_on() {
    let scene = Scene::start().await;
    scene.clock.advance(Duration::from_secs(60));
    let successor = scene.successor();
    successor.inherit(&scene.authenticator);
    assert!(successor.ready());
    assert!(ask(&successor, &scene.old_token).await.is_ok());
    assert_eq!(successor.health().issuers[0].key_age, Some(Duration::from_secs(60)));
    let of_nothing = scene.successor();
    of_nothing.inherit(&scene.successor());
    assert!(!of_nothing.ready(), "of who has none, none are taken over");
}

fn unavailable(answer: Result<(), Refusal>) -> Duration {
    match answer {
        Err(Refusal::KeysUnavailable { retry_after }) => retry_after,
        other => panic!("expected 503, got {other:?}"),
    }
}

#[tokio::test]
async fn before_the_first_key_set_everyone_is_told_to_come_back() {
    let server = IssuerServer::start().await;
    let clock = FakeClock::new();
    let authenticator = build(vec![settings(&server, None)], &clock, LOOPBACK);
    let none = authenticator.authenticate(&HeaderMap::new()).await.map(|_| ());
    assert_eq!(unavailable(none), Duration::from_secs(1));
    authenticator.refresh(0).await;
    let token = token(Signer::ec(), &json!({}), &json!({ "iss": server.url }));
    assert_eq!(unavailable(ask(&authenticator, &token).await.map(|_| ())), Duration::from_secs(2));
    assert_eq!((authenticator.ready(), authenticator.reports()[0].state), (false, KeySetState::Pending));

    server.publish(&[ec_jwk(&EC, "ec")]);
    authenticator.refresh(0).await;
    assert!(ask(&authenticator, &token).await.is_ok());
    assert_eq!(authenticator.authenticate(&HeaderMap::new()).await, Err(Refusal::MissingCredential));
    assert_eq!((authenticator.ready(), authenticator.reports()[0].state), (true, KeySetState::Ready));
}

#[tokio::test]
async fn a_key_that_appears_is_used_after_one_refresh_that_its_first_token_causes() {
    let scene = Scene::running().await;
    scene.publish(&[ec_jwk(&EC, "old"), ec_jwk(&OTHER_EC, "new")]);
    assert_eq!(scene.ask(&scene.new_token).await, Ok(()));
    assert_eq!(scene.ask(&scene.old_token).await, Ok(()));
    assert_eq!(scene.server.requests(), 2);
}

#[tokio::test]
async fn many_requests_with_a_new_key_cause_one_fetch() {
    let scene = Scene::running().await;
    scene.publish(&[ec_jwk(&OTHER_EC, "new")]);
    let token = &scene.new_token;
    let answers = futures::future::join_all((0..100).map(|_| scene.ask(token))).await;
    let served = answers.iter().filter(|answer| answer.is_ok()).count();
    // More than wait at once are told to come back, not that their token is bad.
    assert!(served >= 32, "{served}");
    answers.into_iter().filter(Result::is_err).for_each(|answer| assert_eq!(unavailable(answer).as_secs(), 1));
    assert_eq!(scene.server.requests(), 2);
}

#[tokio::test]
async fn a_key_that_leaves_takes_its_remembered_decisions_along() {
    let scene = Scene::start().await;
    assert_eq!(scene.ask(&scene.old_token).await, Ok(()));
    assert_eq!(scene.authenticator.decisions.len(), 1);
    scene.publish(&[ec_jwk(&OTHER_EC, "new")]);
    scene.authenticator.refresh(0).await;
    assert_eq!(scene.authenticator.decisions.len(), 0);
    scene.authenticator.run(&scene.tasks, scene.shutdown.clone());
    assert_eq!(scene.ask(&scene.old_token).await, Err(InvalidToken::UnknownKey.into()));
    assert_eq!(scene.ask(&scene.new_token).await, Ok(()));
}

#[tokio::test]
async fn a_key_that_is_replaced_under_its_own_id_is_refused_at_once() {
    let scene = Scene::start().await;
    assert_eq!(scene.ask(&scene.old_token).await, Ok(()));
    scene.publish(&[ec_jwk(&OTHER_EC, "old")]);
    scene.authenticator.refresh(0).await;
    assert_eq!(scene.ask(&scene.old_token).await, Err(InvalidToken::Signature.into()));
}

#[tokio::test]
async fn an_unchanged_key_set_keeps_the_remembered_decisions() {
    let scene = Scene::start().await;
    assert_eq!(scene.ask(&scene.old_token).await, Ok(()));
    scene.authenticator.refresh(0).await;
    assert_eq!(scene.authenticator.decisions.len(), 1);
}

#[tokio::test]
async fn unknown_ids_cause_one_fetch_in_thirty_seconds() {
    let scene = Scene::running().await;
    let change = json!({ "iss": scene.server.url });
    let unknown = |key_id| token(Signer::Ec(&EC, key_id), &json!({}), &change);
    let refused = invalid(InvalidToken::UnknownKey).map(|_| ());
    assert_eq!(scene.ask(&unknown("a")).await, refused);
    assert_eq!(scene.server.requests(), 2);
    for key_id in ["a", "b", "c"] {
        assert_eq!(scene.ask(&unknown(key_id)).await, refused);
    }
    scene.clock.advance(Duration::from_secs(29));
    assert_eq!(scene.ask(&unknown("d")).await, refused);
    assert_eq!(scene.server.requests(), 2);
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.ask(&unknown("a")).await, refused);
    assert_eq!(scene.server.requests(), 2, "it was looked for lately");
    assert_eq!(scene.ask(&unknown("d")).await, refused);
    assert_eq!(scene.server.requests(), 3);
}

#[tokio::test]
async fn the_last_good_set_serves_for_a_day_and_not_longer() {
    let scene = Scene::start().await;
    scene.server.reply("/keys", Reply::with("500 Internal Server Error", "", ""));
    scene.clock.advance(Duration::from_secs(3600));
    scene.authenticator.refresh(0).await;
    assert_eq!((scene.ask(&scene.old_token).await, scene.state()), (Ok(()), KeySetState::Stale));
    scene.clock.advance(Duration::from_secs(22 * 3600));
    assert_eq!((scene.ask(&scene.old_token).await, scene.state()), (Ok(()), KeySetState::Stale));

    // The token is kept young: only the age of the keys is at stake.
    scene.clock.set_time_of_day(NOW);
    scene.clock.advance(Duration::from_secs(3600));
    assert_eq!(scene.ask(&scene.old_token).await, Ok(()));
    scene.clock.advance(Duration::from_secs(1));
    unavailable(scene.ask(&scene.old_token).await);
    assert_eq!(scene.state(), KeySetState::Expired);
    assert!(scene.authenticator.ready(), "losing the issuer later does not make a pod unready");
    assert_eq!(scene.authenticator.authenticate(&HeaderMap::new()).await, Err(Refusal::MissingCredential));

    scene.publish(&[ec_jwk(&EC, "old")]);
    scene.authenticator.refresh(0).await;
    assert_eq!((scene.ask(&scene.old_token).await, scene.state()), (Ok(()), KeySetState::Ready));
}

#[tokio::test]
async fn the_issuers_entry_says_how_long_the_last_good_set_serves() {
    let server = IssuerServer::start().await;
    server.publish(&[ec_jwk(&EC, "old")]);
    let clock = FakeClock::new();
    let mut settings = settings(&server, None);
    settings.key_rules.max_age = Duration::from_secs(3600);
    let authenticator = build(vec![settings], &clock, LOOPBACK);
    authenticator.refresh(0).await;
    server.reply("/keys", Reply::with("500 Internal Server Error", "", ""));
    let token = token(Signer::Ec(&EC, "old"), &json!({}), &json!({ "iss": server.url, "exp": NOW + 86_000 }));
    let state = || authenticator.reports()[0].state;
    assert_eq!(state(), KeySetState::Ready);
    // Half of it without an attempt, which comes after a quarter.
    clock.advance(Duration::from_secs(1801));
    assert_eq!(state(), KeySetState::Stale);
    clock.advance(Duration::from_secs(1799));
    authenticator.refresh(0).await;
    assert_eq!((ask(&authenticator, &token).await.map(|_| ()), state()), (Ok(()), KeySetState::Stale));
    clock.advance(Duration::from_secs(1));
    unavailable(ask(&authenticator, &token).await.map(|_| ()));
    assert_eq!(state(), KeySetState::Expired);
}

#[tokio::test]
async fn the_time_of_day_does_not_age_keys() {
    let scene = Scene::start().await;
    let far = NOW + 10 * 365 * 86_400;
    scene.clock.set_time_of_day(far);
    let times = json!({ "iss": scene.server.url, "iat": far, "nbf": far, "exp": far + 60 });
    let token = token(Signer::Ec(&EC, "old"), &json!({}), &times);
    assert_eq!((scene.ask(&token).await, scene.state()), (Ok(()), KeySetState::Ready));
}

#[tokio::test]
async fn health_and_report_name_the_keys_and_never_more() {
    let scene = Scene::start().await;
    scene.clock.advance(Duration::from_secs(90));
    let health = scene.authenticator.health().issuers.remove(0);
    assert_eq!((health.state, health.key_age), (KeySetState::Ready, Some(Duration::from_secs(90))));
    assert_eq!((health.skipped_keys.total(), health.last_error), (0, None));
    let report = scene.authenticator.reports().remove(0);
    assert_eq!((report.issuer, report.key_ids), (scene.server.url.clone(), vec!["old".to_owned()]));
}

#[tokio::test]
async fn refresh_tasks_end_when_the_process_does() {
    let scene = Scene::running().await;
    scene.authenticator.run(&scene.tasks, scene.shutdown.clone());
    assert_eq!(scene.tasks.len(), 1, "a second start does nothing");
    scene.tasks.close();
    scene.shutdown.cancel();
    scene.tasks.wait().await;
}
