//! What is sent and how often, by a fake's record: that a repetition does no harm is no matter of chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use crds::gateway_report::RedisState;
use server::store::{Entry, RedisSettings, Store, StoreError, Topology};

use super::fake::{FakeRedis, Reply};
use super::running::{Running, TTL, key, name_of, standalone};

/// A fake that does `what` to the first command that begins with `words` and is about `name`.
async fn fake(words: &'static str, what: fn() -> Reply) -> FakeRedis {
    let done = AtomicUsize::new(0);
    let name = name_of(&key("one"));
    FakeRedis::start(move |command| {
        let is_it = command.join(" ").starts_with(words) && command.get(1) == Some(&name);
        (is_it && done.fetch_add(1, Ordering::SeqCst) == 0).then(what)
    })
    .await
}

fn hang_up() -> Reply {
    Reply::HangUp
}

fn count(fake: &FakeRedis, words: &str) -> usize {
    fake.heard(&format!("{words} {}", name_of(&key("one"))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_no_harm_is_sent_once_more_when_the_connection_is_lost() {
    let one = key("one");
    let get = fake("GET", hang_up).await;
    let running = Running::ready(standalone(&get.address())).await;
    assert_eq!(running.store.get(&one).await, Ok(None));
    assert_eq!(count(&get, "GET"), 2);

    let put = fake("SET", hang_up).await;
    let running = Running::ready(standalone(&put.address())).await;
    assert_eq!(running.store.put(&one, Bytes::new(), TTL).await, Ok(()));
    assert_eq!(count(&put, "SET"), 2);

    let read = fake("XRANGE", hang_up).await;
    let running = Running::ready(standalone(&read.address())).await;
    assert_eq!(running.store.read(&one, 0).await, Ok(Vec::new()));
    assert_eq!(count(&read, "XRANGE"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_do_harm_twice_is_sent_once() {
    let one = key("one");
    let claim = fake("SET", hang_up).await;
    let running = Running::ready(standalone(&claim.address())).await;
    assert_eq!(running.store.claim(&one, TTL).await, Err(StoreError::Unavailable));
    assert_eq!(count(&claim, "SET"), 1);

    let take = fake("GETDEL", hang_up).await;
    let running = Running::ready(standalone(&take.address())).await;
    assert_eq!(running.store.take(&one).await, Err(StoreError::Unavailable));
    assert_eq!(count(&take, "GETDEL"), 1);

    let append = fake("XADD", hang_up).await;
    let running = Running::ready(standalone(&append.address())).await;
    let entry = Entry { number: 1, value: Bytes::new() };
    assert_eq!(running.store.append(&one, entry, 1, TTL).await, Err(StoreError::Unavailable));
    assert_eq!(count(&append, "XADD"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_loads_its_data_is_connected_to_anew() {
    let loading = fake("GET", || Reply::Say("-LOADING Redis is loading the dataset in memory\r\n".to_owned())).await;
    let running = Running::ready(standalone(&loading.address())).await;
    assert_eq!(running.store.get(&key("one")).await, Ok(None));
    assert!(loading.heard("HELLO") >= 3, "one that listens, one that asked, and one more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_said_of_the_library_and_no_script_and_no_database() {
    let fake = FakeRedis::start(|_| None).await;
    let running = Running::ready(standalone(&fake.address())).await;
    super::contract::use_each_once(&*running.store).await;
    for words in ["CLIENT", "SELECT", "EVAL", "COMMAND", "INFO", "CLUSTER", "ROLE"] {
        assert_eq!(fake.heard(words), 0, "{words}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_breaker_is_open_nothing_is_sent() {
    let name = name_of(&key("one"));
    let silent = move |command: &[String]| (command.get(1) == Some(&name)).then_some(Reply::Nothing);
    let fake = FakeRedis::start(silent).await;
    let running = Running::ready(standalone(&fake.address())).await;
    let one = key("one");
    let calls = (0..8).map(|_| running.store.get(&one));
    assert_eq!(futures::future::join_all(calls).await, [const { Err(StoreError::Unavailable) }; 8]);
    assert_eq!(running.store.get(&one).await, Err(StoreError::Unavailable));
    assert_eq!(count(&fake, "GET"), 8);
    // The probe is answered: whoever calls then is sent on again.
    running.until(RedisState::Ready).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_of_redirects_ends() {
    let other = Arc::new(AtomicUsize::new(0));
    let moved = |port: Arc<AtomicUsize>| {
        let name = name_of(&key("one"));
        move |command: &[String]| {
            let to = format!("-MOVED 1 127.0.0.1:{}\r\n", port.load(Ordering::SeqCst));
            (command.get(1) == Some(&name)).then_some(Reply::Say(to))
        }
    };
    let one = FakeRedis::start(moved(Arc::clone(&other))).await;
    let two = FakeRedis::start(moved(Arc::new(AtomicUsize::new(one.port().into())))).await;
    other.store(two.port().into(), Ordering::SeqCst);
    let settings = RedisSettings { topology: Topology::Cluster, ..standalone(&one.address()) };
    let running = Running::ready(settings).await;
    assert_eq!(running.store.get(&key("one")).await, Err(StoreError::Unavailable));
    assert_eq!(count(&one, "GET") + count(&two, "GET"), 5);

    // Without a cluster no redirect is followed at all.
    let running = Running::ready(standalone(&one.address())).await;
    assert_eq!(running.store.claim(&key("one"), TTL).await, Err(StoreError::Unavailable));
    assert_eq!(count(&two, "SET"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_reply_ends_the_connection_and_not_the_process() {
    for reply in ["HTTP/1.1 400 Bad Request\r\n\r\n", "*9999999\r\n", "$x\r\n", "?\r\n"] {
        let fake = FakeRedis::start(move |_| Some(Reply::Say(reply.to_owned()))).await;
        let running = Running::start(standalone(&fake.address()));
        running.until(RedisState::Failing).await;
        assert!(running.store.get(&key("one")).await.is_err(), "{reply}");
        running.end().await;
    }
}
