//! The user that a managed Redis has for its gateway: enough for the store, and for nothing else. And what a Redis with such a
//! user keeps.

use std::collections::BTreeSet;

use bytes::Bytes;
use crds::gateway_report::RedisState;
use operator::desired::redis as managed;
use server::store::{Entry, Store as _};
use tests::redis::{PERMITTED, RedisServer, RedisSetup, WRITTEN_DOWN, user_line};

use super::contract::keeps_the_contract;
use super::running::{PREFIX, Running, TTL, UserFiles, key, standalone};

const NAME: &str = "gateway-1";
const PASSWORD: &str = "correct horse";

fn start() -> (RedisServer, UserFiles) {
    // What Redis itself forbids would hide what the user may not.
    let setup = RedisSetup::with_user(NAME, PASSWORD, PREFIX).and("enable-debug-command yes");
    let redis = RedisServer::start(setup).unwrap();
    (redis, UserFiles::new(NAME, PASSWORD))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_managed_user_can_do_all_that_the_store_needs() {
    let (redis, files) = start();
    let settings =
        server::store::RedisSettings { credentials: Some(files.credentials()), ..standalone(&redis.address()) };
    let running = Running::ready(settings).await;
    keeps_the_contract(&*running.store).await;
    assert_eq!(running.standing().1, None);
    let kept: usize = redis.ask(&["DBSIZE"]).unwrap().parse().unwrap();
    assert!(kept > 5, "{kept} keys");
    let refused = redis.ask(&["ACL", "LOG"]).unwrap();
    assert_eq!(refused, "", "the store tried what it may not");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_managed_user_may_do_what_is_on_the_list() {
    let (redis, _) = start();
    let (key, channel) = (&format!("{PREFIX}k")[..], &format!("{PREFIX}c")[..]);
    let permitted: &[&[&str]] = &[
        &["get", key],
        &["set", key, "v", "nx", "px", "1"],
        &["getex", key, "px", "1"],
        &["getdel", key],
        &["del", key],
        &["exists", key],
        &["incrby", key, "1"],
        &["pexpire", key, "1", "nx"],
        &["pttl", key],
        &["xadd", key, "*", "f", "v"],
        &["xread", "streams", key, "0"],
        &["xrange", key, "-", "+"],
        &["xdel", key, "1-1"],
        &["publish", channel, "m"],
        &["subscribe", channel],
        &["unsubscribe", channel],
        &["ping"],
        &["hello", "3"],
        &["auth", "p"],
        &["reset"],
        &["client", "setname", "n"],
        &["client", "id"],
        &["multi"],
        &["exec"],
        &["discard"],
    ];
    assert_eq!(permitted.len(), PERMITTED.split_whitespace().count(), "one row for each");
    for words in permitted {
        let said = redis.ask(&[&["ACL", "DRYRUN", NAME], *words].concat()).unwrap();
        assert_eq!(said, "OK", "{words:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_managed_user_may_do_nothing_else_and_nobody_else_anything() {
    let (redis, _) = start();
    let key = &format!("{PREFIX}k")[..];
    let refused: &[&[&str]] = &[
        &["GET", "mcpf:team-b/tools:k"],
        &["SET", "mcpf:team-b/tools:k", "v"],
        &["XADD", "k", "*", "f", "v"],
        &["PUBLISH", "mcpf:team-b/tools:v1:events", "m"],
        &["SUBSCRIBE", "mcpf:team-b/tools:v1:events"],
        &["EVAL", "return 1", "0"],
        &["SCRIPT", "LOAD", "return 1"],
        &["FUNCTION", "LIST"],
        &["FLUSHALL"],
        &["FLUSHDB"],
        &["CONFIG", "GET", "*"],
        &["KEYS", "*"],
        &["SCAN", "0"],
        &["ACL", "WHOAMI"],
        &["ACL", "LIST"],
        &["INFO"],
        &["DEBUG", "SLEEP", "0"],
        &["CLIENT", "LIST"],
        &["CLIENT", "KILL", "TYPE", "normal"],
        &["REPLICAOF", "NO", "ONE"],
        &["SHUTDOWN"],
        &["MONITOR"],
        &["MODULE", "LIST"],
        &["SELECT", "1"],
        &["RENAME", key, "k"],
        &["COPY", key, "k"],
        &["RANDOMKEY"],
    ];
    for words in refused {
        let said = redis.ask_as(Some((NAME, PASSWORD)), words).unwrap();
        assert!(said.starts_with("NOPERM"), "{words:?}: {said}");
    }
    for words in [&["GET", key][..], &["PUBLISH", key, "m"], &["INFO"]] {
        let said = redis.ask_as(None, words).unwrap();
        assert!(said.starts_with("NOAUTH"), "{words:?}: {said}");
    }
}

/// The list stands in three places, since the harness is built without the operator and the example is for people.
#[test]
fn what_is_tested_here_is_what_the_operator_permits_and_the_example_shows() {
    let commands = |text: &str| -> BTreeSet<String> {
        text.split_whitespace().filter(|word| word.starts_with('+')).map(str::to_owned).collect()
    };
    let line = managed::user_line(1, "00", PREFIX);
    let example =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/redis-external.yaml")).unwrap();
    assert_eq!(commands(PERMITTED), commands(&line));
    assert_eq!(commands(&example), commands(&line));
    assert_eq!(commands(WRITTEN_DOWN), commands(&managed::default_user(PREFIX)));
    assert_eq!(managed::username(1), NAME);
}

/// A state of a session is a transaction: the entry, and the end of its log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_starts_again_has_all_that_it_wrote_down_and_lets_no_stranger_in() {
    let setup = RedisSetup::with_user(NAME, PASSWORD, PREFIX).and("appendonly yes");
    let mut redis = RedisServer::start(setup).unwrap();
    let files = UserFiles::new(NAME, PASSWORD);
    let settings =
        server::store::RedisSettings { credentials: Some(files.credentials()), ..standalone(&redis.address()) };
    let running = Running::ready(settings).await;
    let (log, value) = (key("log"), key("value"));
    let entry = Entry { number: 1, value: Bytes::from_static(b"an entry") };
    running.store.append(&log, entry.clone(), 8, TTL).await.unwrap();
    running.store.put(&value, Bytes::from_static(b"a value"), TTL).await.unwrap();
    redis.kill();
    running.until(RedisState::Failing).await;
    redis.start_again().unwrap();
    running.until(RedisState::Ready).await;
    assert_eq!(running.store.read(&log, 0).await, Ok(vec![entry]));
    assert_eq!(running.store.get(&value).await, Ok(Some(Bytes::from_static(b"a value"))));
    for who in [None, Some(("default", "")), Some(("default", PASSWORD))] {
        let said = redis.ask_as(who, &["SET", &format!("{PREFIX}k"), "v"]).unwrap();
        assert!(said.contains("NOAUTH") || said.contains("WRONGPASS"), "{who:?}: {said}");
    }
}

/// `CLIENT SETINFO` came with 7.2: a server before that does not start with a rule that names it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_a_server_does_not_know_keeps_it_from_starting() {
    let (redis, _) = start();
    let version = redis.ask(&["INFO", "server"]).unwrap();
    let line = user_line(NAME, PASSWORD, PREFIX, &format!("{PERMITTED} +client|setinfo"));
    let started = RedisServer::start(RedisSetup { users: vec![line], ..RedisSetup::default() });
    if version.contains("redis_version:7.0.") {
        let problem = format!("{:#}", started.err().expect("it does not start"));
        assert!(problem.contains("client|setinfo"), "{problem}");
    } else {
        assert!(started.is_ok(), "{version}");
    }
}
