//! Which addresses are connected to: asked of the address itself, whoever named it.

use crds::gateway_report::RedisState;
use server::net::AddressPolicy;
use server::store::{RedisSettings, Store, StoreError, Topology};
use tests::redis::{RedisServer, RedisSetup};

use super::fake::{FakeRedis, Reply};
use super::running::{Running, key, name_of, standalone};

const REFUSED: &str = "the host of Redis has no address that the gateway may connect to";

#[tokio::test]
async fn link_local_and_metadata_addresses_are_never_connected_to() {
    for address in
        ["169.254.169.254:6379", "[fe80::1]:6379", "0.0.0.0:6379", "[::ffff:127.0.0.1]:6379", "2852039166:6379"]
    {
        let running = Running::start(standalone(address));
        running.until_said(RedisState::Failing, REFUSED).await;
        assert_eq!(running.store.get(&key("a")).await, Err(StoreError::Unavailable));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loopback_is_for_a_process_that_listens_there_and_the_api_server_for_nobody() {
    let redis = RedisServer::start(RedisSetup::default()).unwrap();
    let elsewhere = AddressPolicy::default();
    let cluster = AddressPolicy { allow_loopback: true, allow_private: true, denied: "127.0.0.1".parse().ok() };
    for (policy, address) in [(elsewhere, redis.address()), (cluster, format!("127.0.0.1:{}", redis.port()))] {
        let running = Running::start_under(policy, standalone(&address));
        running.until_said(RedisState::Failing, REFUSED).await;
    }
    let statistics = redis.ask(&["INFO", "stats"]).unwrap();
    // The one that asks, after the one that the harness waited with.
    assert!(statistics.contains("total_connections_received:2\r\n"), "{statistics}");
}

#[tokio::test]
async fn a_master_that_sentinels_name_is_checked_too() {
    let sentinel = FakeRedis::start(|words| {
        (words[0] == "SENTINEL").then(|| Reply::Say("*2\r\n$15\r\n169.254.169.254\r\n$2\r\n80\r\n".to_owned()))
    })
    .await;
    let topology = Topology::Sentinel { master_name: "tools".to_owned() };
    let running = Running::start(RedisSettings { topology, ..standalone(&sentinel.address()) });
    running.until_said(RedisState::Failing, REFUSED).await;
}

#[tokio::test]
async fn a_node_that_a_redirect_names_is_checked_too() {
    let name = name_of(&key("one"));
    let moved = move |words: &[String]| {
        (words.get(1) == Some(&name)).then(|| Reply::Say("-MOVED 1 169.254.169.254:80\r\n".to_owned()))
    };
    let node = FakeRedis::start(moved).await;
    let running = Running::ready(RedisSettings { topology: Topology::Cluster, ..standalone(&node.address()) }).await;
    // Not a wait for an address that answers nothing: the next one is asked at once.
    assert_eq!(running.store.get(&key("one")).await, Err(StoreError::Unavailable));
    assert_eq!(running.standing().0, RedisState::Ready);
}
