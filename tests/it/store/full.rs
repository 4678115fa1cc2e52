//! A Redis without room: nothing new, and all that is there.

use bytes::Bytes;
use crds::gateway_report::RedisState;
use server::store::{Entry, Store, StoreError};
use tests::redis::{RedisServer, RedisSetup};

use super::running::{Running, TTL, key, standalone};
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_memory_refuses_what_is_new_and_goes_on_with_what_is_there() {
    let redis = RedisServer::start(RedisSetup::default().and("maxmemory-policy noeviction")).unwrap();
    let running = Running::ready(standalone(&redis.address())).await;
    let store = &running.store;
    let log = key("log");
    store.append(&log, Entry { number: 1, value: Bytes::from_static(b"kept") }, 8, TTL).await.unwrap();
    let kept: Vec<_> = (0..8).map(|number| key(&number.to_string())).collect();
    for name in &kept {
        store.put(name, Bytes::from(vec![b'x'; 1024 * 1024]), TTL).await.unwrap();
    }
    // Without values Redis itself takes some 2 MB.
    redis.ask(&["CONFIG", "SET", "maxmemory", "6mb"]).unwrap();
    assert_eq!(store.put(&key("more"), Bytes::new(), TTL).await, Err(StoreError::Full));
    assert_eq!(store.claim(&key("mark"), TTL).await, Err(StoreError::Full));
    let second = Entry { number: 2, value: Bytes::new() };
    assert_eq!(store.append(&log, second.clone(), 8, TTL).await, Err(StoreError::Full));
    running.until_said(RedisState::Full, "the memory of Redis is full").await;

    assert!(store.get(&kept[0]).await.unwrap().is_some());
    assert_eq!(store.read(&log, 0).await.unwrap().len(), 1);
    let mut listener = store.hear();
    store.tell(Bytes::from_static(b"still told")).await.unwrap();
    super::running::until_heard(&mut listener, &server::store::Heard::Message(Bytes::from_static(b"still told"))).await;

    for name in &kept {
        assert!(store.take(name).await.unwrap().is_some());
    }
    assert_eq!(store.append(&log, second, 8, TTL).await, Ok(true), "there is room at once");
    assert_eq!(running.standing(), (RedisState::Ready, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_as_a_redis_that_is_down_to_whoever_writes() {
    let redis = RedisServer::start(RedisSetup::default().and("save 3600 1000000")).unwrap();
    let running = Running::ready(standalone(&redis.address())).await;
    let store = &running.store;
    store.put(&key("a"), Bytes::from_static(b"kept"), TTL).await.unwrap();

    // What a snapshot would be renamed to is a folder.
    let in_the_way = redis.folder().join("dump.rdb");
    std::fs::create_dir(&in_the_way).unwrap();
    redis.ask(&["BGSAVE"]).unwrap();
    eventually("the snapshot fails", async || (store.claim(&key("mark"), TTL).await.is_err()).then_some(())).await;
    assert_eq!(store.put(&key("b"), Bytes::new(), TTL).await, Err(StoreError::Unavailable));
    assert_eq!(store.get(&key("a")).await, Ok(Some(Bytes::from_static(b"kept"))));
    running.until_said(RedisState::Failing, "Redis cannot write to its disk").await;

    std::fs::remove_dir(&in_the_way).unwrap();
    redis.ask(&["BGSAVE"]).unwrap();
    // Without anybody's request.
    running.until(RedisState::Ready).await;
    assert_eq!(store.put(&key("b"), Bytes::new(), TTL).await, Ok(()));
}
