//! Each row of the degradation table that is about Redis, with a real one that breaks while people call and listen: it breaks,
//! one looks, it is repaired, one looks again, and nobody who calls or listens has noticed.
//! Source: redis-and-degradation.md, section 7.

mod readiness;
mod row;
mod watched;

use std::fs;

use tests::redis::RedisServer;

use self::row::{Broken, Kept, Row};
use crate::support::replicas::KEY_PREFIX;

/// As a managed Redis has it; written at once, so that a kill loses nothing.
const KEEPS: [&str; 2] = ["appendonly yes", "appendfsync no"];

/// How long the Redis that loads takes for each key, in microseconds, until it is told to hurry: minutes in all.
const LOADS_SLOWLY: &str = "key-load-delay 10000";
const KEYS_TO_LOAD: &str = "20000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn down() {
    let mut row = Row::start("down", &KEEPS).await;
    let broken = Broken::failing("Redis cannot be reached", "unreachable");
    row.breaks(&broken, RedisServer::kill).await;
    row.is_repaired(Kept::All, |redis| redis.start_again().unwrap()).await;
    row.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow() {
    let mut row = Row::start("slow", &KEEPS).await;
    let broken = Broken::failing("Redis does not answer in time", "no_answer");
    row.breaks(&broken, |redis| redis.halt().unwrap()).await;
    row.is_repaired(Kept::All, |redis| redis.go_on().unwrap()).await;
    row.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only() {
    let mut row = Row::start("READONLY", &KEEPS).await;
    let broken = Broken::failing("Redis is a read-only replica", "read_only");
    row.breaks(&broken, |redis| {
        // Of a master that is not there: it has nothing to fetch, and serves what it has.
        redis.ask(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
        refuses_to_write(redis, "READONLY");
    })
    .await;
    let to_master = |redis: &mut RedisServer| drop(redis.ask(&["REPLICAOF", "NO", "ONE"]).unwrap());
    row.is_repaired(Kept::All, to_master).await;
    row.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loading() {
    // Redis answers others once for so many bytes, so that is once for each key.
    let lines = [LOADS_SLOWLY, "loading-process-events-interval-bytes 1024"];
    let mut row = Row::start("LOADING", &lines).await;
    let broken = Broken::failing("Redis is loading its data", "loading");
    row.breaks(&broken, |redis| {
        plant_and_save(redis);
        redis.kill();
        redis.start_again().unwrap();
        refuses_to_write(redis, "LOADING");
    })
    .await;
    row.is_repaired(Kept::All, |redis| {
        assert!(redis.ask(&["INFO", "persistence"]).unwrap().contains("loading:1"), "it still loads");
        assert_eq!(redis.ask(&["CONFIG", "SET", "key-load-delay", "0"]).unwrap(), "OK");
    })
    .await;
    row.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full() {
    let mut row = Row::start("full", &KEEPS).await;
    let broken = Broken::full("the memory of Redis is full", "memory_full");
    row.breaks(&broken, |redis| {
        // Less than it has taken already.
        assert_eq!(redis.ask(&["CONFIG", "SET", "maxmemory", "1"]).unwrap(), "OK");
        refuses_to_write(redis, "OOM");
    })
    .await;
    let make_room = |redis: &mut RedisServer| drop(redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).unwrap());
    row.is_repaired(Kept::All, make_room).await;
    row.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disk_full() {
    // One that never saves does not mind that it cannot.
    let mut row = Row::start("disk full", &[KEEPS[0], KEEPS[1], "save 3600 1000000"]).await;
    let broken = Broken::failing("Redis cannot write to its disk", "disk_full").but_reads();
    // What a snapshot would be renamed to is a folder.
    let in_the_way = |redis: &RedisServer| redis.folder().join("dump.rdb");
    row.breaks(&broken, |redis| {
        fs::create_dir(in_the_way(redis)).unwrap();
        redis.ask(&["BGSAVE"]).unwrap();
        tests::command::wait_until("a snapshot fails", std::time::Duration::from_secs(30), || {
            let said = redis.ask(&["INFO", "persistence"]).unwrap();
            if said.contains("rdb_last_bgsave_status:err") { Ok(()) } else { Err(said) }
        })
        .unwrap();
        refuses_to_write(redis, "MISCONF");
    })
    .await;
    row.is_repaired(Kept::All, |redis| {
        fs::remove_dir(in_the_way(redis)).unwrap();
        redis.ask(&["BGSAVE"]).unwrap();
    })
    .await;
    row.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_lost() {
    let mut row = Row::start("data lost", &KEEPS).await;
    row.is_repaired(Kept::Nothing, |redis| assert_eq!(redis.ask(&["FLUSHALL"]).unwrap(), "OK")).await;
    row.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_started_empty() {
    // It keeps nothing on disk.
    let mut row = Row::start("started empty", &[]).await;
    row.breaks(&Broken::failing("Redis cannot be reached", "unreachable"), RedisServer::kill).await;
    row.is_repaired(Kept::Nothing, |redis| redis.start_again().unwrap()).await;
    row.ends().await;
}

/// Not only to its gateways.
fn refuses_to_write(redis: &RedisServer, with: &str) {
    let said = redis.ask(&["SET", &format!("{KEY_PREFIX}refused"), "1", "PX", "1"]).unwrap();
    assert!(said.starts_with(with), "{said}");
}

/// Enough to be busy with for a while, under names like any other.
fn plant_and_save(redis: &RedisServer) {
    let plant = "for i = 1, ARGV[2] do \
                 local hex = redis.sha1hex(i) .. string.sub(redis.sha1hex(-i), 1, 24) \
                 redis.call('SET', ARGV[1] .. 'v1:' .. hex, string.rep('\\0', 1100), 'PX', 600000) end";
    let planted = redis.ask(&["EVAL", plant, "0", KEY_PREFIX, KEYS_TO_LOAD]).unwrap();
    assert_eq!(planted, "");
    assert_eq!(redis.ask(&["SAVE"]).unwrap(), "OK");
}
