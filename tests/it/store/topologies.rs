//! Sentinels whose master changes, and a cluster whose keys move.

use std::time::Instant;

use bytes::Bytes;
use crds::gateway_report::RedisState;
use server::store::{Entry, Heard, Key, KeyKind, RedisAddress, RedisSettings, Store, Topology};
use tests::redis::{MASTER_NAME, RedisCluster, RedisServer, SentinelRedis};

use super::contract::keeps_the_contract;
use super::running::{Running, TTL, key, name_of, standalone, until_heard};
use crate::support::eventually;

const VALUE: Bytes = Bytes::from_static(b"value");

fn settings(topology: Topology, addresses: &[String]) -> RedisSettings {
    let addresses = addresses.iter().map(|address| RedisAddress::parse(address).unwrap()).collect();
    RedisSettings { topology, addresses, ..standalone("localhost:1") }
}

fn by_sentinels(all: &SentinelRedis) -> RedisSettings {
    settings(Topology::Sentinel { master_name: MASTER_NAME.to_owned() }, &all.addresses())
}

async fn until_written(running: &Running, name: &Key, server: &RedisServer) {
    eventually("it is written to the master of now", async || {
        let put = running.store.put(name, VALUE, TTL).await;
        (put.is_ok() && server.ask(&["GET", &name_of(name)]).unwrap() == "value").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_dies_is_followed_by_the_one_that_the_sentinels_name() {
    let mut all = SentinelRedis::start().unwrap();
    let running = Running::ready(by_sentinels(&all)).await;
    keeps_the_contract(&*running.store).await;
    let mut listener = running.store.hear();
    let killed = Instant::now();
    all.master.kill();
    running.until(RedisState::Failing).await;
    until_written(&running, &key("after"), &all.replica).await;
    println!("written to the new master {} ms after the old one was killed", killed.elapsed().as_millis());
    until_heard(&mut listener, &Heard::Gap).await;
    running.store.tell(Bytes::from_static(b"after")).await.unwrap();
    until_heard(&mut listener, &Heard::Message(Bytes::from_static(b"after"))).await;
    // The old one comes back, and is not taken for the master.
    all.master.start_again().unwrap();
    until_written(&running, &key("later"), &all.replica).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_steps_down_is_left() {
    let all = SentinelRedis::start().unwrap();
    let running = Running::ready(by_sentinels(&all)).await;
    all.fail_over().unwrap();
    until_written(&running, &key("after"), &all.replica).await;
    running.until(RedisState::Ready).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_no_sentinel_knows_is_said_so() {
    let all = SentinelRedis::start().unwrap();
    let running = Running::start(settings(Topology::Sentinel { master_name: "other".to_owned() }, &all.addresses()));
    running.until_said(RedisState::Failing, "no sentinel names a master").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_keeps_the_contract_and_its_keys_are_spread() {
    let cluster = RedisCluster::start().unwrap();
    let running = Running::ready(settings(Topology::Cluster, &cluster.addresses())).await;
    keeps_the_contract(&*running.store).await;
    for number in 0..60 {
        running.store.put(&key(&number.to_string()), VALUE, TTL).await.unwrap();
    }
    for node in &cluster.nodes {
        assert_ne!(node.ask(&["DBSIZE"]).unwrap(), "0");
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_at_one_node_is_heard_at_the_others() {
    let cluster = RedisCluster::start().unwrap();
    let at = |node: usize| settings(Topology::Cluster, &cluster.addresses()[node..=node]);
    let (one, two) = (Running::ready(at(0)).await, Running::ready(at(1)).await);
    let mut listener = two.store.hear();
    eventually("a message is heard", async || {
        one.store.tell(Bytes::from_static(b"hello")).await.unwrap();
        let heard = tokio::time::timeout(std::time::Duration::from_millis(100), listener.recv()).await;
        matches!(heard, Ok(Ok(Heard::Message(_)))).then_some(())
    })
    .await;
}

/// While a slot moves, its keys are at two nodes: `ASK` sends on for this once, `MOVED` for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_a_slot_that_moves_are_found() {
    let cluster = RedisCluster::start().unwrap();
    let running = Running::ready(settings(Topology::Cluster, &cluster.addresses())).await;
    let (value, log) = (key("moving"), Key::new(KeyKind::Stream, &[b"moving"]));
    for name in [&value, &log] {
        let slot = &cluster.nodes[0].ask(&["CLUSTER", "KEYSLOT", &name_of(name)]).unwrap()[..];
        let ids: Vec<_> = cluster.nodes.iter().map(|node| node.ask(&["CLUSTER", "MYID"]).unwrap()).collect();
        let owner =
            cluster.nodes.iter().position(|node| !node.ask(&["EXISTS", &name_of(name)]).unwrap().starts_with("MOVED"));
        let (from, to) = (owner.unwrap(), (owner.unwrap() + 1) % 3);
        cluster.nodes[to].ask(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &ids[from]]).unwrap();
        cluster.nodes[from].ask(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &ids[to]]).unwrap();
        use_both(&running, &value, &log).await;
        for node in &cluster.nodes {
            node.ask(&["CLUSTER", "SETSLOT", slot, "NODE", &ids[to]]).unwrap();
        }
        use_both(&running, &value, &log).await;
    }
}

async fn use_both(running: &Running, value: &Key, log: &Key) {
    let store = &running.store;
    store.put(value, VALUE, TTL).await.unwrap();
    assert_eq!(store.get(value).await, Ok(Some(VALUE)));
    let next = store.read(log, 0).await.unwrap().last().map_or(1, |entry| entry.number + 1);
    let entry = Entry { number: next, value: VALUE };
    assert_eq!(store.append(log, entry.clone(), 8, TTL).await, Ok(true));
    assert_eq!(store.append(log, entry.clone(), 8, TTL).await, Ok(false));
    assert_eq!(store.read(log, next).await, Ok(vec![entry]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_lost_takes_its_keys_away_until_it_is_back() {
    let mut cluster = RedisCluster::start().unwrap();
    for node in &cluster.nodes {
        node.ask(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]).unwrap();
    }
    let running = Running::ready(settings(Topology::Cluster, &cluster.addresses())).await;
    cluster.nodes[2].kill();
    running.until(RedisState::Failing).await;
    eventually("keys of other nodes are served", async || {
        let names = (0..12).map(|number| key(&number.to_string())).collect::<Vec<_>>();
        let put = futures::future::join_all(names.iter().map(|name| running.store.put(name, VALUE, TTL))).await;
        (put.iter().any(Result::is_ok) && put.iter().any(Result::is_err)).then_some(())
    })
    .await;
    cluster.nodes[2].start_again().unwrap();
    running.until(RedisState::Ready).await;
}
