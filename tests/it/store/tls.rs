//! Encrypted connections: always verified, with the files of the moment.

use std::path::PathBuf;

use crds::gateway_config::{RedisClientCertificate, RedisTls};
use crds::gateway_report::RedisState;
use server::store::{RedisAddress, RedisSettings};
use tempfile::TempDir;
use tests::cluster::TestCa;
use tests::redis::{RedisServer, RedisSetup};

use super::contract::keeps_the_contract;
use super::running::{Running, standalone};

struct Files {
    folder: TempDir,
}

impl Files {
    fn new(trusted: &TestCa) -> Self {
        let files = Self { folder: TempDir::new().unwrap() };
        files.write("ca.crt", &trusted.cert_pem);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn settings(&self, redis: &RedisServer) -> RedisSettings {
        let tls = RedisTls { ca_file: Some(self.text("ca.crt")), client: None };
        RedisSettings { tls: Some(tls), ..standalone(&redis.address()) }
    }
}

fn server(authority: &TestCa, asks_for_certificates: bool) -> RedisServer {
    let tls = Some((authority.clone(), asks_for_certificates));
    RedisServer::start(RedisSetup { tls, ..RedisSetup::default() }).unwrap()
}

const NO_TLS: &str = "no encrypted connection to Redis comes about";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds_over_tls() {
    let authority = TestCa::generate().unwrap();
    let redis = server(&authority, false);
    let running = Running::ready(Files::new(&authority).settings(&redis)).await;
    keeps_the_contract(&*running.store).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_authority_is_refused_until_that_is_trusted() {
    let authority = TestCa::generate().unwrap();
    let redis = server(&authority, false);
    let files = Files::new(&TestCa::generate().unwrap());
    let running = Running::start(files.settings(&redis));
    running.until_said(RedisState::Failing, NO_TLS).await;
    files.write("ca.crt", &authority.cert_pem);
    running.until(RedisState::Ready).await;
}

/// The system trusts no test authority.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_bundle_the_systems_authorities_count() {
    let redis = server(&TestCa::generate().unwrap(), false);
    let settings = RedisSettings { tls: Some(RedisTls::default()), ..standalone(&redis.address()) };
    let running = Running::start(settings);
    running.until(RedisState::Failing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_for_another_name_is_refused() {
    let authority = TestCa::generate().unwrap();
    let redis = server(&authority, false);
    // Of loopback, and not in the certificate.
    let addresses = vec![RedisAddress::parse(&format!("127.0.0.2:{}", redis.port())).unwrap()];
    let redis_on_all = RedisSettings { addresses, ..Files::new(&authority).settings(&redis) };
    redis.ask(&["CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2"]).unwrap();
    let files = Files::new(&authority);
    let tls = RedisTls { ca_file: Some(files.text("ca.crt")), client: None };
    let running = Running::start(RedisSettings { tls: Some(tls), ..redis_on_all });
    running.until_said(RedisState::Failing, NO_TLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_our_own_is_shown_where_one_is_asked_for() {
    let authority = TestCa::generate().unwrap();
    let redis = server(&authority, true);
    let files = Files::new(&authority);
    let without = Running::start(files.settings(&redis));
    without.until_said(RedisState::Failing, NO_TLS).await;

    let client = RedisClientCertificate { certificate_file: files.text("tls.crt"), key_file: files.text("tls.key") };
    let mut settings = files.settings(&redis);
    settings.tls.as_mut().unwrap().client = Some(client);
    let with = Running::start(settings);
    with.until_said(RedisState::Failing, "the mounted client certificate for Redis").await;
    let own = authority.issue_client("gateway").unwrap();
    files.write("tls.crt", &own.cert_pem);
    files.write("tls.key", &own.key_pem);
    with.until(RedisState::Ready).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_without_tls_is_not_spoken_to_in_clear() {
    let redis = RedisServer::start(RedisSetup::default()).unwrap();
    let running = Running::start(Files::new(&TestCa::generate().unwrap()).settings(&redis));
    running.until(RedisState::Failing).await;
}
