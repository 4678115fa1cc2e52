//! What somebody else may have put under our keys, and what callers may put into their names.

use bytes::Bytes;
use server::store::{Entry, Key, KeyKind, Store, StoreError};
use tests::redis::{RedisServer, RedisSetup};

use super::running::{Running, TTL, key, name_of, standalone};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_we_did_not_write_counts_as_absent() {
    let redis = RedisServer::start(RedisSetup::with_odd_keys()).unwrap();
    let running = Running::ready(standalone(&redis.address())).await;
    let (store, odd) = (&running.store, key("odd"));
    let name = &name_of(&odd)[..];
    let values: &[(&str, &[&str])] = &[
        ("a list", &["RPUSH", name, "x"]),
        ("a hash", &["HSET", name, "e", "x"]),
        ("a set", &["SADD", name, "x"]),
        ("a giant string", &["SETRANGE", name, "3000000", "x"]),
        ("a log with ids of its own", &["XADD", name, "7-0", "e", "x"]),
        ("a log with other fields", &["XADD", name, "7-1", "e", "x", "e", "y"]),
        (
            "a log with a giant entry",
            &["EVAL", "return redis.call('XADD', KEYS[1], '7-1', 'e', string.rep('x', 3000000))", "1", name],
        ),
    ];
    for (what, words) in values {
        redis.ask(words).unwrap();
        assert_eq!(store.get(&odd).await, Ok(None), "{what}");
        assert_eq!(store.read(&odd, 0).await, Ok(Vec::new()), "{what}");
        assert_eq!(store.claim(&odd, TTL).await, Ok(false), "{what}: never counts as unused");
        assert_eq!(store.take(&odd).await, Ok(None), "{what}");
        store.put(&odd, Bytes::from_static(b"ours"), TTL).await.unwrap();
        assert_eq!(store.take(&odd).await, Ok(Some(Bytes::from_static(b"ours"))), "{what}");
        assert_eq!(running.standing().1, None, "{what}: one odd key is nothing that is wrong with Redis");
    }
    redis.ask(&["RPUSH", name, "x"]).unwrap();
    let entry = Entry { number: 1, value: Bytes::new() };
    assert_eq!(store.append(&odd, entry, 1, TTL).await, Err(StoreError::Refused));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_others_are_left_out_and_ours_are_given() {
    let redis = RedisServer::start(RedisSetup::with_odd_keys()).unwrap();
    let running = Running::ready(standalone(&redis.address())).await;
    let (store, log) = (&running.store, key("log"));
    let ours = |number| Entry { number, value: Bytes::from_static(b"ours") };
    store.append(&log, ours(1), 8, TTL).await.unwrap();
    redis.ask(&["XADD", &name_of(&log), "2-5", "e", "theirs"]).unwrap();
    assert_eq!(store.append(&log, ours(2), 8, TTL).await, Ok(false));
    store.append(&log, ours(3), 8, TTL).await.unwrap();
    assert_eq!(store.read(&log, 0).await, Ok(vec![ours(1), ours(3)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_name_that_a_caller_chooses_reaches_redis() {
    let redis = RedisServer::start(RedisSetup::default()).unwrap();
    let running = Running::ready(standalone(&redis.address())).await;
    let large = vec![b'x'; 1024 * 1024];
    let names: [&[u8]; 5] = [b"\r\nFLUSHALL\r\n", b"*", b"{}", b"{a}b", &large];
    for (index, part) in names.iter().enumerate() {
        let hostile = Key::new(KeyKind::Session, &[part]);
        running.store.put(&hostile, Bytes::from(vec![0; index + 1]), TTL).await.unwrap();
    }
    for (index, part) in names.iter().enumerate() {
        let value = running.store.get(&Key::new(KeyKind::Session, &[part])).await.unwrap().unwrap();
        assert_eq!(value.len(), index + 1);
    }
    let keys = redis.ask(&["KEYS", "*"]).unwrap();
    let expected = |part: &&[u8]| name_of(&Key::new(KeyKind::Session, &[part]));
    assert!(names.iter().map(expected).all(|name| keys.contains(&name)), "{keys}");
    assert!(keys.lines().all(|name| name.starts_with("mcpf:team-a/tools:v1:")), "{keys}");
}
