//! What every store does: the same rules against this process's memory and against a Redis.

use bytes::Bytes;
use server::store::{Entry, Heard, MAX_ENTRIES, MAX_MESSAGE_BYTES, MAX_VALUE_BYTES, MemoryStore, Store, StoreError};
use tests::redis::{RedisServer, RedisSetup};

use super::running::{Running, TTL, key, standalone, until_heard};

#[tokio::test]
async fn the_memory_keeps_the_contract() {
    keeps_the_contract(&MemoryStore::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_keeps_the_contract() {
    let redis = RedisServer::start(RedisSetup::default()).unwrap();
    let running = Running::ready(standalone(&redis.address())).await;
    keeps_the_contract(&*running.store).await;
    running.end().await;
}

pub(super) async fn keeps_the_contract(store: &dyn Store) {
    one_of_many_claims_a_key(store).await;
    a_value_is_kept_until_it_is_taken(store).await;
    a_log_takes_each_number_once_and_keeps_the_newest(store).await;
    a_log_is_read_in_parts(store).await;
    a_key_of_one_kind_is_no_other(store).await;
    sizes_are_bounded(store).await;
    what_is_told_is_heard(store).await;
    what_is_over_is_gone(store).await;
}

/// Each operation, whatever it answers.
pub(super) async fn use_each_once(store: &dyn Store) {
    let name = key("each");
    let _ = store.claim(&name, TTL).await;
    let _ = store.put(&name, Bytes::new(), TTL).await;
    let _ = store.get(&name).await;
    let _ = store.take(&name).await;
    let _ = store.append(&name, entry(1, ""), 1, TTL).await;
    let _ = store.read(&name, 0).await;
    let _ = store.tell(Bytes::new()).await;
}

async fn one_of_many_claims_a_key(store: &dyn Store) {
    let mark = key("mark");
    let claims = futures::future::join_all((0..20).map(|_| store.claim(&mark, TTL))).await;
    assert_eq!(claims.iter().filter(|claim| **claim == Ok(true)).count(), 1);
    assert_eq!(claims.iter().filter(|claim| **claim == Ok(false)).count(), 19);
}

async fn a_value_is_kept_until_it_is_taken(store: &dyn Store) {
    let name = key("value");
    assert_eq!(store.get(&name).await, Ok(None));
    for value in [&b"one"[..], b"", b"\r\n$5\r\n\0\xff", &vec![7; MAX_VALUE_BYTES]] {
        store.put(&name, Bytes::copy_from_slice(value), TTL).await.unwrap();
        assert!(store.get(&name).await == Ok(Some(Bytes::copy_from_slice(value))), "{} bytes", value.len());
    }
    store.put(&name, Bytes::from_static(b"last"), TTL).await.unwrap();
    let taken = futures::future::join_all((0..8).map(|_| store.take(&name))).await;
    assert_eq!(taken.iter().filter(|taken| **taken == Ok(Some(Bytes::from_static(b"last")))).count(), 1);
    assert_eq!(taken.iter().filter(|taken| **taken == Ok(None)).count(), 7);
    assert_eq!(store.get(&name).await, Ok(None));
}

fn entry(number: u64, value: &str) -> Entry {
    Entry { number, value: Bytes::copy_from_slice(value.as_bytes()) }
}

fn numbers(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.number).collect()
}

async fn a_log_takes_each_number_once_and_keeps_the_newest(store: &dyn Store) {
    let log = key("log");
    assert_eq!(store.read(&log, 0).await, Ok(Vec::new()));
    let same: Vec<_> = (0..8).map(|writer| entry(5, &writer.to_string())).collect();
    let written = same.into_iter().map(|entry| store.append(&log, entry, 3, TTL));
    let written = futures::future::join_all(written).await;
    assert_eq!(written.iter().filter(|written| **written == Ok(true)).count(), 1);
    assert_eq!(written.iter().filter(|written| **written == Ok(false)).count(), 7);
    assert_eq!(store.append(&log, entry(4, "late"), 3, TTL).await, Ok(false));
    for number in [6, 7, 9, u64::MAX] {
        assert_eq!(store.append(&log, entry(number, "more"), 3, TTL).await, Ok(true));
    }
    let kept = store.read(&log, 0).await.unwrap();
    assert_eq!(numbers(&kept), [7, 9, u64::MAX]);
    assert_eq!(kept[0].value, Bytes::from_static(b"more"));
    assert_eq!(numbers(&store.read(&log, 8).await.unwrap()), [9, u64::MAX]);
    assert_eq!(numbers(&store.read(&log, 9).await.unwrap()), [9, u64::MAX]);
}

async fn a_log_is_read_in_parts(store: &dyn Store) {
    let log = key("long log");
    for number in 1..=100 {
        store.append(&log, entry(number, ""), 90, TTL).await.unwrap();
    }
    let first = numbers(&store.read(&log, 0).await.unwrap());
    assert_eq!(first, (11..11 + MAX_ENTRIES as u64).collect::<Vec<_>>());
    assert_eq!(numbers(&store.read(&log, 75).await.unwrap()), (75..=100).collect::<Vec<_>>());
}

/// Nobody writes both under one key; whoever finds such a thing did not write it.
async fn a_key_of_one_kind_is_no_other(store: &dyn Store) {
    let (value, log) = (key("a value"), key("a log"));
    store.put(&value, Bytes::from_static(b"x"), TTL).await.unwrap();
    store.append(&log, entry(1, "x"), 1, TTL).await.unwrap();
    assert_eq!(store.read(&value, 0).await, Ok(Vec::new()));
    assert_eq!(store.get(&log).await, Ok(None));
    assert_eq!(store.take(&log).await, Ok(None));
    assert_eq!(store.append(&value, entry(1, "x"), 1, TTL).await, Err(StoreError::Refused));
    assert_eq!(store.claim(&log, TTL).await, Ok(false));
    assert_eq!(numbers(&store.read(&log, 0).await.unwrap()), [1], "nothing was taken away");
}

async fn sizes_are_bounded(store: &dyn Store) {
    let large = Bytes::from(vec![0; MAX_VALUE_BYTES + 1]);
    let too_large = Err(StoreError::TooLarge);
    assert_eq!(store.put(&key("large"), large.clone(), TTL).await, too_large);
    let entry = Entry { number: 1, value: large };
    assert_eq!(store.append(&key("large"), entry, 1, TTL).await, Err(StoreError::TooLarge));
    assert_eq!(store.tell(Bytes::from(vec![0; MAX_MESSAGE_BYTES + 1])).await, too_large);
}

async fn what_is_told_is_heard(store: &dyn Store) {
    let mut listeners = [store.hear(), store.hear()];
    let messages = [Bytes::from_static(b"hello"), Bytes::from(vec![0xff; MAX_MESSAGE_BYTES])];
    for message in &messages {
        store.tell(message.clone()).await.unwrap();
    }
    for listener in &mut listeners {
        for message in &messages {
            until_heard(listener, &Heard::Message(message.clone())).await;
        }
    }
}

async fn what_is_over_is_gone(store: &dyn Store) {
    let soon = std::time::Duration::from_millis(1);
    let (value, log, mark) = (key("short value"), key("short log"), key("short mark"));
    store.put(&value, Bytes::from_static(b"x"), soon).await.unwrap();
    store.append(&log, entry(9, "x"), 1, soon).await.unwrap();
    store.claim(&mark, soon).await.unwrap();
    crate::support::eventually("all is over", async || {
        let is_over = store.get(&value).await == Ok(None) && store.read(&log, 0).await == Ok(Vec::new());
        is_over.then_some(())
    })
    .await;
    crate::support::eventually("the mark is over", async || (store.claim(&mark, TTL).await == Ok(true)).then_some(()))
        .await;
    assert_eq!(store.append(&log, entry(1, "x"), 1, TTL).await, Ok(true), "a log that is over begins anew");
}
