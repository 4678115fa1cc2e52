//! A Redis that goes, halts, refuses or turns into a replica, and comes back.

use std::time::Instant;

use bytes::Bytes;
use crds::gateway_report::RedisState;
use server::store::{RedisSettings, Standing, Store, StoreError};
use tests::redis::{PERMITTED, RedisServer, RedisSetup, user_line};

use super::running::{PREFIX, Running, TTL, UserFiles, key, standalone};
use crate::support::{eventually, patience::within};

const VALUE: Bytes = Bytes::from_static(b"value");

async fn until_usable(running: &Running) {
    eventually("it is usable", async || {
        let put = running.store.put(&key("usable"), VALUE, TTL).await;
        (put.is_ok() && running.store.get(&key("usable")).await == Ok(Some(VALUE))).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_killed_is_missed_without_a_request_and_used_again_when_it_is_back() {
    let mut redis = RedisServer::start(RedisSetup::default()).unwrap();
    let running = Running::ready(standalone(&redis.address())).await;
    redis.kill();
    running.until_said(RedisState::Failing, "Redis cannot be reached").await;
    assert_eq!(running.store.get(&key("a")).await, Err(StoreError::Unavailable));
    let started = Instant::now();
    redis.start_again().unwrap();
    until_usable(&running).await;
    println!("used again {} ms after it was started", started.elapsed().as_millis());
    assert_eq!(running.until(RedisState::Ready).await, None);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_halts_costs_nobody_a_wait_once_that_is_known() {
    let redis = RedisServer::start(RedisSetup::default()).unwrap();
    let running = Running::ready(standalone(&redis.address())).await;
    redis.halt().unwrap();
    let name = key("a");
    let waiting = futures::future::join_all((0..8).map(|_| running.store.get(&name)));
    assert!(waiting.await.iter().all(|answer| *answer == Err(StoreError::Unavailable)));
    running.until_said(RedisState::Failing, "Redis does not answer in time").await;
    // Each would take a quarter of a second, and all together ten times what is waited for.
    within("calls fail at once", async {
        for _ in 0..1200 {
            assert_eq!(running.store.get(&name).await, Err(StoreError::Unavailable));
        }
    })
    .await;
    redis.go_on().unwrap();
    let back = Instant::now();
    until_usable(&running).await;
    println!("used again {} ms after it went on", back.elapsed().as_millis());
    running.until(RedisState::Ready).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_never_there_is_failing_and_never_was_reached() {
    let mut redis = RedisServer::start(RedisSetup::default()).unwrap();
    redis.kill();
    let running = Running::start(standalone(&redis.address()));
    running.until(RedisState::Failing).await;
    let reached = || matches!(running.store.standing(), Standing::Shared { connected_once: true, .. });
    assert!(!reached());
    redis.start_again().unwrap();
    running.until(RedisState::Ready).await;
    assert!(reached());
    redis.kill();
    running.until(RedisState::Failing).await;
    assert!(reached(), "it never goes back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_becomes_a_replica_is_not_written_to_and_is_used_again_as_a_master() {
    let redis = RedisServer::start(RedisSetup::default()).unwrap();
    let running = Running::ready(standalone(&redis.address())).await;
    redis.ask(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
    running.until_said(RedisState::Failing, "Redis is a read-only replica").await;
    assert_eq!(running.store.put(&key("a"), VALUE, TTL).await, Err(StoreError::Unavailable));
    redis.ask(&["REPLICAOF", "NO", "ONE"]).unwrap();
    running.until(RedisState::Ready).await;
    until_usable(&running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_refused_until_the_file_is_right() {
    let redis = RedisServer::start(RedisSetup::with_user("gateway-1", "right", PREFIX)).unwrap();
    let files = UserFiles::new("gateway-1", "wrong");
    let running =
        Running::start(RedisSettings { credentials: Some(files.credentials()), ..standalone(&redis.address()) });
    let sentence = running.until_said(RedisState::Refused, "Redis refuses the user name or the password").await;
    assert!(!sentence.contains("wrong") && !sentence.contains("gateway-1"));
    assert_eq!(running.store.get(&key("a")).await, Err(StoreError::Refused));
    files.replace("gateway-1", "right");
    running.until(RedisState::Ready).await;
    until_usable(&running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_not_there_yet_are_waited_for() {
    let redis = RedisServer::start(RedisSetup::with_user("gateway-1", "right", PREFIX)).unwrap();
    let files = UserFiles::new("gateway-1", "");
    let running =
        Running::start(RedisSettings { credentials: Some(files.credentials()), ..standalone(&redis.address()) });
    running.until_said(RedisState::Failing, "the mounted file with the user name or the password").await;
    files.replace("gateway-1", "right");
    running.until(RedisState::Ready).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_is_taken_away_is_followed_by_the_one_in_the_files() {
    let mut redis = RedisServer::start(RedisSetup::with_user("gateway-1", "first", PREFIX)).unwrap();
    let files = UserFiles::new("gateway-1", "first");
    let running =
        Running::ready(RedisSettings { credentials: Some(files.credentials()), ..standalone(&redis.address()) }).await;
    files.replace("gateway-2", "second");
    redis.set_users(vec![user_line("gateway-2", "second", PREFIX, PERMITTED)]).unwrap();
    until_usable(&running).await;
    let clients = redis.ask(&["CLIENT", "LIST"]).unwrap();
    assert!(clients.contains("user=gateway-2") && !clients.contains("user=gateway-1"), "{clients}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_do_what_is_needed_is_said_so_before_anybody_asks() {
    for (without, prefix) in
        [("+xadd", PREFIX), ("+subscribe", PREFIX), ("+getdel", PREFIX), ("", "mcpf:team-b/tools:")]
    {
        let commands = PERMITTED.replace(without, "");
        let commands = if without.is_empty() { PERMITTED } else { &commands };
        let users = vec![user_line("gateway-1", "right", prefix, commands)];
        let redis = RedisServer::start(RedisSetup { users, ..RedisSetup::default() }).unwrap();
        let files = UserFiles::new("gateway-1", "right");
        let running =
            Running::start(RedisSettings { credentials: Some(files.credentials()), ..standalone(&redis.address()) });
        running.until_said(RedisState::Refused, "Redis does not permit its user").await;
    }
}
