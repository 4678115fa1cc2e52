//! Who the master is, as sentinels say.
//!
//! All of them are asked at the same time, and what most of them say counts: one that was cut off from the others still
//! names the master of before.

use std::time::Duration;

use futures::future::join_all;
use redis::{Value, cmd};
use tokio::time::timeout;

use super::{RedisAddress, dial::Dialer, fault::Fault, mounted::Mounted};

/// For one sentinel. Chosen: half of what connecting may take, since the master is connected to afterwards.
const ASK: Duration = Duration::from_millis(500);

/// Where the master called `name` is.
pub(super) async fn master(
    dialer: &Dialer,
    sentinels: &[RedisAddress],
    name: &str,
    mounted: &Mounted,
    attempt: usize,
) -> Result<RedisAddress, Fault> {
    let asked = sentinels.iter().map(|sentinel| async move {
        let ask = ask(dialer, sentinel, name, mounted, attempt);
        timeout(ASK, ask).await.unwrap_or(Err(Fault::NoAnswer))
    });
    elected(&join_all(asked).await)
}

/// What most say; of several that are named as often, whom the first of the configuration names. When nobody says
/// anything, why the last one did not.
fn elected(answers: &[Result<RedisAddress, Fault>]) -> Result<RedisAddress, Fault> {
    let votes = |address: &RedisAddress| answers.iter().filter(|answer| answer.as_ref() == Ok(address)).count();
    let named = answers.iter().flatten().rev().max_by_key(|address| votes(address));
    named.cloned().ok_or_else(|| {
        answers.iter().rev().find_map(|answer| answer.as_ref().err().copied()).unwrap_or(Fault::NoMaster)
    })
}

async fn ask(
    dialer: &Dialer,
    sentinel: &RedisAddress,
    name: &str,
    mounted: &Mounted,
    attempt: usize,
) -> Result<RedisAddress, Fault> {
    // Most want no password. Those that want one have that of the servers, as far as we know.
    let anonymous = Mounted { credentials: None, tls: mounted.tls.clone() };
    let connection = match dialer.dial(sentinel, &anonymous, attempt, None).await {
        Err(Fault::Credentials) => dialer.dial(sentinel, mounted, attempt, None).await?,
        outcome => outcome?,
    };
    let mut question = cmd("SENTINEL");
    question.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let answer = question.query_async::<Value>(&mut connection.redis.clone()).await.map_err(Fault::of_redis)?;
    address(&answer).ok_or(Fault::NoMaster)
}

fn address(answer: &Value) -> Option<RedisAddress> {
    let Value::Array(parts) = answer else { return None };
    let [Value::BulkString(host), Value::BulkString(port)] = parts.as_slice() else { return None };
    RedisAddress::new(std::str::from_utf8(host).ok()?, std::str::from_utf8(port).ok()?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str) -> Result<RedisAddress, Fault> {
        RedisAddress::new(host, 6379).ok_or(Fault::Unexpected)
    }

    #[test]
    fn what_most_sentinels_say_counts() {
        assert_eq!(elected(&[at("a"), at("b"), at("b")]), at("b"));
        assert_eq!(elected(&[at("b"), at("a")]), at("b"));
        assert_eq!(elected(&[Err(Fault::Unreachable), at("a"), Err(Fault::NoAnswer)]), at("a"));
    }

    #[test]
    fn when_nobody_names_one_it_is_said_why() {
        assert_eq!(elected(&[Err(Fault::NoMaster), Err(Fault::Unreachable)]), Err(Fault::Unreachable));
    }
}
